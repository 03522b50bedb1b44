// `npm run replay`: sends a trace of real LLM traffic to a running Fuelgauge and checks what was charged.
// The expected sum is computed from the trace and the price book alone; the charged sum comes from the ledger's answers.
// Exits with 1 if they differ by a single micro, or if a report was refused.

import { randomBytes, randomInt } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { createInterface } from "node:readline";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { preferredModel, resolveModel } from "../kit/expected-cost.ts";
import { reportFailure } from "../kit/failures.mjs";
import { type Call, createCaller, describeProblem, Unreachable } from "../kit/http.ts";
import { UsageError } from "../kit/options.mjs";
import { parseReplayOptions, REPLAY_HELP } from "./options.ts";
import { createProgress } from "./progress.ts";
import { planRuns, sumRuns, sumsLine } from "./runs.ts";
import { sendRuns } from "./sender.ts";
import { readTrace, TraceError } from "./trace.ts";

const DEFAULT_MODELS = ["claude-sonnet-4-5"];
const GIVE_UP_FIRST_CALL_AFTER_MS = 5000;
const GIVE_UP_AFTER_MS = 120_000;
/** A smaller clock difference is treated as network delay. */
const SAME_CLOCK_MS = 60_000;
const MAX_REFUSALS_SHOWN = 5;
const MAX_BAD_LINES_SHOWN = 5;

try {
  process.exitCode = await main();
} catch (error) {
  const isExpected = error instanceof TraceError || error instanceof Unreachable;
  reportFailure(isExpected ? new UsageError(error.message) : error);
}

async function main(): Promise<number> {
  const options = parseReplayOptions(process.argv.slice(2), process.env, randomInt(2 ** 32));
  if (!options) {
    console.log(REPLAY_HELP);
    return 0;
  }
  const trace = (await readTraceFile(options.file, options.skipBad)).slice(0, options.limit ?? undefined);
  const { baseUrl, key, enterprise, seed, chaos } = options;
  const firstCall = createCaller({ baseUrl, key, giveUpAfterMs: GIVE_UP_FIRST_CALL_AFTER_MS });
  const book = await readPriceBook(firstCall);
  const model = options.model ?? preferredModel(book, DEFAULT_MODELS);
  const price = resolveModel(book, model);
  if (!price) throw new UsageError(`The price book has no model "${model}".`);

  const before = await readGauge(firstCall, enterprise);
  if (before) console.log(`Before: ${gaugeLine(before)}`);
  console.log(`Replaying ${trace.length} requests as ${model}, seed ${seed}${chaos ? ", with chaos" : ""} …`);
  const runs = planRuns(trace, { seed, nonce: randomBytes(5).toString("hex"), chaos });
  const progress = createProgress(runs.length, process.stderr, () => performance.now());
  const startedMs = performance.now();
  const counts = await sendRuns(
    runs,
    createCaller({ baseUrl, key, giveUpAfterMs: GIVE_UP_AFTER_MS }),
    { ...options, model, clockOffsetMs: before ? clockOffsetMs(before) : 0 },
    (done) => progress.update(done),
  ).finally(() => progress.end());

  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `Sent ${counts.reports} reports in ${counts.requests} HTTP requests, ${seconds.toFixed(1)} s, ${Math.round(counts.reports / seconds)} reports/s.`,
  );
  const after = before && (await readGauge(firstCall, enterprise));
  if (after) console.log(`After:  ${gaugeLine(after)}`);
  const sums = sumRuns(runs, price, book);
  for (const { run, refusal } of sums.refused.slice(0, MAX_REFUSALS_SHOWN))
    console.error(`refused: ${run}: ${refusal}`);
  if (sums.refused.length > 0) console.error(`${sums.refused.length} of ${sums.requests} runs were refused.`);
  console.log(sumsLine(sums));
  return sums.expectedMicros === sums.chargedMicros && sums.refused.length === 0 ? 0 : 1;
}

async function readTraceFile(file: string, skipBad: boolean) {
  if (!existsSync(file)) throw new UsageError(`The file "${file}" does not exist.`);
  const lines = createInterface({ input: createReadStream(file, "utf8"), crlfDelay: Number.POSITIVE_INFINITY });
  try {
    const bad: TraceError[] = [];
    const trace = await readTrace(lines, skipBad ? (error) => bad.push(error) : undefined);
    for (const { message } of bad.slice(0, MAX_BAD_LINES_SHOWN)) console.error(`skipped: ${file}: ${message}`);
    if (bad.length > 0) console.error(`Skipped ${bad.length} lines of ${file} that cannot be read.`);
    if (trace.length === 0) throw new TraceError("the trace has no requests");
    return trace;
  } catch (error) {
    throw error instanceof TraceError ? new TraceError(`${file}: ${error.message}`) : error;
  }
}

async function readPriceBook(call: Call): Promise<PriceBook> {
  const answer = await call("GET", "/v1/price-book");
  if (answer.status !== 200) throw new UsageError(`The price book cannot be read: ${describeProblem(answer)}`);
  return answer.body as PriceBook;
}

interface Gauge {
  as_of: string;
  unit: string;
  used_micros: number;
  total_micros: number | null;
  available_micros: number | null;
  debt_micros: number;
  used_percent: number | null;
}

/** The gauge, or null if the key may not read it. */
async function readGauge(call: Call, enterprise: string): Promise<Gauge | null> {
  const answer = await call("GET", `/v1/enterprises/${encodeURIComponent(enterprise)}/gauge`);
  return answer.status === 200 ? (answer.body as Gauge) : null;
}

/** How far the enterprise's clock is ahead of ours: an enterprise with a test clock has another "now". */
function clockOffsetMs({ as_of }: Gauge): number {
  const offset = Date.parse(as_of) - Date.now();
  return Math.abs(offset) < SAME_CLOCK_MS || Number.isNaN(offset) ? 0 : offset;
}

function gaugeLine({ unit, used_micros, total_micros, available_micros, debt_micros, used_percent }: Gauge): string {
  const shown = (micros: number | null): string => (micros === null ? "no limit" : (micros / 1e6).toFixed(6));
  return `used ${shown(used_micros)} of ${shown(total_micros)} ${unit} (${used_percent ?? "–"} %), available ${shown(available_micros)}, debt ${shown(debt_micros)}`;
}
