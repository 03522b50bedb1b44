/**
 * Reads a file of imported history, as text: JSON as the API accepts it, or CSV with a line of column names. The file may
 * have more rows than one call of the API; the rows are returned in portions of that size.
 */
import { KINDS } from "../../ledger/kinds.ts";
import type { Unit } from "../../ledger/micros.ts";
import { historySchema, type ImportRequest, MAX_ROWS, parseHistory } from "../../wire/history.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { parseAmount } from "./parse-fields.ts";

/** Amounts are decimals under `amount`, or integers under `amount_micros`. */
const COLUMNS = ["day", "surface", "workspace", "group", "user", "model", "requests", "amount", "amount_micros"];
const QUANTITIES: readonly string[] = KINDS.map(({ field }) => field);
const NEEDED = ["day", "surface", "workspace", "user", "model", "requests"];

type Row = Record<string, unknown>;
type Portions = { portions: ImportRequest[]; rows: number };

/** Returns the rows, or why the file cannot be imported, as a sentence. @param unit the unit of a CSV file */
export function parseHistoryFile(text: string, unit: Unit): Portions | { fault: string } {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  if (trimmed === "") return { fault: "The file is empty." };
  const read = trimmed.startsWith("{") ? readJson(trimmed) : readCsv(trimmed, unit);
  if ("fault" in read) return read;
  const portions: ImportRequest[] = [];
  for (let at = 0; at < read.rows.length || at === 0; at += MAX_ROWS) {
    const parsed = historySchema.safeParse({ unit: read.unit, rows: read.rows.slice(at, at + MAX_ROWS) });
    if (!parsed.success) return { fault: rowFault(fieldErrors(parsed.error, Number.POSITIVE_INFINITY), at) };
    portions.push(parseHistory(parsed.data));
  }
  return { portions, rows: read.rows.length };
}

/** The first error as a sentence that names the row by its number in the file. @param before the rows before these */
export function rowFault(errors: readonly { path: string; message: string }[], before: number): string {
  const [first] = errors;
  if (first === undefined) return "The rows are not valid.";
  const [, row, field] = /^rows\.(\d+)\.?(.*)$/.exec(first.path) ?? [];
  const more = errors.length === 1 ? "" : ` There are ${errors.length - 1} more errors.`;
  const where = row === undefined ? "" : `Row ${before + Number(row) + 1}: `;
  return `${where}${(field ?? first.path) || "the row"} ${first.message}.${more}`;
}

function readJson(text: string): { unit: unknown; rows: unknown[] } | { fault: string } {
  try {
    const { unit, rows } = JSON.parse(text) as { unit?: unknown; rows?: unknown };
    return Array.isArray(rows) ? { unit, rows } : { fault: 'The file has no list of "rows".' };
  } catch {
    return { fault: "The file is not valid JSON." };
  }
}

function readCsv(text: string, unit: Unit): { unit: Unit; rows: Row[] } | { fault: string } {
  const [names = [], ...lines] = parseCsv(text);
  const unknown = names.find((name) => !COLUMNS.includes(name) && !QUANTITIES.includes(name));
  if (unknown !== undefined) return { fault: `The first line names a column that does not exist: ${unknown}.` };
  const missing = NEEDED.find((name) => !names.includes(name));
  if (missing !== undefined) return { fault: `The first line has no column ${missing}.` };
  const amounts = names.filter((name) => name.startsWith("amount"));
  if (amounts.length !== 1) return { fault: "The file needs one column of amounts: amount or amount_micros." };
  const rows: Row[] = [];
  for (const [i, cells] of lines.entries()) {
    if (cells.length !== names.length) {
      return { fault: `Row ${i + 1} has ${cells.length} cells, and the first line has ${names.length}.` };
    }
    rows.push(rowOf(Object.fromEntries(names.map((name, at) => [name, cells[at] ?? ""]))));
  }
  return { unit, rows };
}

/** A line of a CSV file as a row of the API. Text that is not a number becomes NaN, which the API refuses. */
function rowOf(cells: Record<string, string>): Row {
  const { amount, amount_micros, requests, group, ...others } = cells;
  const usage = Object.entries(others).filter(([name, text]) => QUANTITIES.includes(name) && text !== "");
  const named = Object.entries(others).filter(([name]) => !QUANTITIES.includes(name));
  return {
    ...Object.fromEntries(named),
    ...(group === undefined || group === "" ? {} : { group }),
    requests: numberOf(requests),
    amount_micros: amount === undefined ? numberOf(amount_micros) : (parseAmount(amount) ?? Number.NaN),
    ...(usage.length === 0 ? {} : { usage: Object.fromEntries(usage.map(([name, text]) => [name, numberOf(text)])) }),
  };
}

function numberOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
}

/** The cells of each line (RFC 4180), trimmed. Empty lines are left out. */
export function parseCsv(text: string): string[][] {
  const lines: string[][] = [];
  let line: string[] = [];
  // A cell in quotes, in which two quotes mean one; or text without quotes; then what ends the cell.
  const cell = /(?:[ \t]*"((?:[^"]|"")*)"[ \t]*|([^,\r\n]*))(,|\r?\n|\r|$)/gy;
  while (cell.lastIndex <= text.length) {
    const [found, quoted, plain = "", end] = cell.exec(text) ?? [];
    if (found === undefined) break;
    line.push(quoted === undefined ? plain.trim() : quoted.replaceAll('""', '"'));
    if (end === ",") continue;
    if (line.some((text) => text !== "")) lines.push(line);
    line = [];
    if (end === "") break;
  }
  return lines;
}
