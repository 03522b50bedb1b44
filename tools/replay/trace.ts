// Reads traces of real LLM traffic line by line: the Azure LLM inference trace (CSV) and Mooncake traces (JSONL).
// Pure: lines in, requests out. The first line shows which format it is.
// A malformed line is an error that names the line and the value, unless the caller collects such lines: skipping them
// silently would give sums that look right but are too small. A malformed header is always an error.
import type { TokenTotals } from "../kit/expected-cost.ts";
import { parseUtcTime } from "./trace-time.ts";

/** One request of a trace. It is replayed as one run with one meter. */
export interface TraceRequest {
  /** Milliseconds since the earliest request of the trace, with fractions. */
  atMs: number;
  usage: TokenTotals;
}

/** Takes the lines of a file in order, and returns its requests at the end. */
interface TraceReader {
  /** Reads one line, with or without its line ending. */
  push(line: string): void;
  /** The requests, sorted by time and then by their order in the file. */
  finish(): TraceRequest[];
}

/** A line that does not fit the trace's format. */
export class TraceError extends Error {}

const BLOCK_TOKENS = 512;
const MAX_TOKENS = 1e12;
const CSV_COLUMNS = { time: "TIMESTAMP", input: "ContextTokens", output: "GeneratedTokens" } as const;

type ParseLine = (line: string, fail: (problem: string) => never) => TraceRequest;

/** A reader for both formats. @param onBad takes the error of each malformed line; without it, the error is thrown */
function createTraceReader(onBad?: (error: TraceError) => void): TraceReader {
  const requests: TraceRequest[] = [];
  let parseLine: ParseLine | undefined;
  let lineNumber = 0;
  const fail = (problem: string): never => {
    throw new TraceError(`line ${lineNumber}: ${problem}`);
  };
  return {
    push(rawLine) {
      lineNumber += 1;
      const line = (lineNumber === 1 ? rawLine.replace(/^\uFEFF/, "") : rawLine).trim();
      if (line === "") return;
      if (parseLine === undefined && !line.startsWith("{")) {
        parseLine = azureParser(line, fail);
        return;
      }
      parseLine ??= mooncakeParser();
      try {
        requests.push(parseLine(line, fail));
      } catch (error) {
        if (onBad === undefined || !(error instanceof TraceError)) throw error;
        onBad(error);
      }
    },
    finish() {
      // Small numbers, relative to the earliest time, keep the tenths of microseconds that dates in a double lose.
      const earliestMs = requests.reduce((earliest, { atMs }) => Math.min(earliest, atMs), Number.POSITIVE_INFINITY);
      const shifted = requests.map(({ atMs, usage }) => ({ atMs: atMs - earliestMs, usage }));
      return shifted.sort((a, b) => a.atMs - b.atMs);
    },
  };
}

/** Reads all requests of a trace. @param onBad takes the error of each malformed line, which is then left out */
export async function readTrace(
  lines: AsyncIterable<string> | Iterable<string>,
  onBad?: (error: TraceError) => void,
): Promise<TraceRequest[]> {
  const reader = createTraceReader(onBad);
  for await (const line of lines) reader.push(line);
  return reader.finish();
}

/** Azure: finds the columns by their names in the header, in any order, and ignores other columns. */
function azureParser(header: string, fail: (problem: string) => never): ParseLine {
  const names = csvFields(header);
  const columnOf = (name: string): number => {
    const index = names.findIndex((candidate) => candidate.toLowerCase() === name.toLowerCase());
    return index >= 0 ? index : fail(`no column ${name} in the header "${header}"`);
  };
  const [time, input, output] = [columnOf(CSV_COLUMNS.time), columnOf(CSV_COLUMNS.input), columnOf(CSV_COLUMNS.output)];
  let originSecondMs: number | undefined;
  return (line, failLine) => {
    const fields = csvFields(line);
    if (fields.length !== names.length) failLine(`${fields.length} fields instead of ${names.length} in "${line}"`);
    const at = parseUtcTime(fields[time] ?? "");
    if (!at)
      return failLine(`${CSV_COLUMNS.time} is "${fields[time]}", expected a time such as 2023-11-16 18:17:03.9799600`);
    originSecondMs ??= at.secondMs;
    return {
      atMs: at.secondMs - originSecondMs + at.fractionMs,
      usage: {
        input_tokens: csvTokens(fields[input] ?? "", CSV_COLUMNS.input, failLine),
        output_tokens: csvTokens(fields[output] ?? "", CSV_COLUMNS.output, failLine),
        cache_read_tokens: 0,
        cache_write_tokens: 0,
      },
    };
  };
}

/** Mooncake: a block that occurs in an earlier request of the file counts as a cache read. */
function mooncakeParser(): ParseLine {
  const seenBlocks = new Set<number>();
  return (line, fail) => {
    const row = jsonObject(line, fail);
    const atMs = row.timestamp;
    if (typeof atMs !== "number" || !Number.isFinite(atMs))
      return fail(`timestamp is ${show(atMs)}, expected milliseconds`);
    const input = jsonTokens(row.input_length, "input_length", fail);
    const output = jsonTokens(row.output_length, "output_length", fail);
    const blocks: unknown = row.hash_ids;
    if (!Array.isArray(blocks)) return fail(`hash_ids is ${show(blocks)}, expected a list of whole numbers`);
    const wrong = blocks.find((id) => !Number.isInteger(id));
    if (wrong !== undefined) return fail(`hash_ids contains ${show(wrong)}, expected whole numbers`);
    const cached = Math.min(input, BLOCK_TOKENS * blocks.filter((id) => seenBlocks.has(id)).length);
    // Added only after counting: a block that occurs twice in one request is not a cache read there.
    for (const id of blocks) seenBlocks.add(id);
    return {
      atMs,
      usage: { input_tokens: input - cached, output_tokens: output, cache_read_tokens: cached, cache_write_tokens: 0 },
    };
  };
}

function csvFields(line: string): string[] {
  return line.split(",").map((field) => field.trim().replace(/^"(.*)"$/, "$1"));
}

function csvTokens(text: string, name: string, fail: (problem: string) => never): number {
  // Accepts 808.0 as well, because data frame libraries write whole numbers like that.
  const match = /^(\d+)(?:\.0+)?$/.exec(text);
  const tokens = Number(match?.[1]);
  return match && tokens <= MAX_TOKENS ? tokens : fail(`${name} is "${text}", expected a whole number of tokens`);
}

function jsonTokens(value: unknown, name: string, fail: (problem: string) => never): number {
  const ok = typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= MAX_TOKENS;
  return ok ? value : fail(`${name} is ${show(value)}, expected a whole number of tokens`);
}

function jsonObject(line: string, fail: (problem: string) => never): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch {
    // Falls through to the same message.
  }
  return fail(`"${line.slice(0, 80)}" is not a JSON object`);
}

function show(value: unknown): string {
  return value === undefined ? "missing" : JSON.stringify(value);
}
