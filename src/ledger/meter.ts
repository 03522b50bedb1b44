/**
 * Joins reports into a meter (rules R1, R2). A report carries running totals, and the meter keeps the largest total of
 * each kind, so duplicates, retries, reordering and loss change nothing. A final report closes the meter with exactly its
 * totals. After that only another final counts, and the meter keeps the larger total of each kind.
 */
import type { Meter } from "./books.ts";
import type { Tokens } from "./prices.ts";
import { type AtMs, DAY_MS } from "./time.ts";

/** How long a meter is kept after its last report. An unknown one that started earlier is refused (rule R10). */
export const METER_RETENTION_MS = 35 * DAY_MS;

export type Reading = { tokens: Tokens; final: boolean };

/** The meter's totals after this report; the same object if the report changes nothing. */
export function joinReading(known: Reading | null, report: Reading): Reading {
  if (known === null) return report;
  if (known.final && !report.final) return known;
  const joined =
    report.final && !known.final ? report : { tokens: largest(known.tokens, report.tokens), final: known.final };
  return sameReading(known, joined) ? known : joined;
}

/** True as long as the meter is kept. */
export function isKept(meter: Meter, startedAtMs: AtMs, nowMs: AtMs): boolean {
  return nowMs - Math.max(meter.lastReportAtMs, startedAtMs) <= METER_RETENTION_MS;
}

function largest(a: Tokens, b: Tokens): Tokens {
  return {
    input: Math.max(a.input, b.input),
    output: Math.max(a.output, b.output),
    cacheRead: Math.max(a.cacheRead, b.cacheRead),
    cacheWrite: Math.max(a.cacheWrite, b.cacheWrite),
  };
}

function sameReading(a: Reading, b: Reading): boolean {
  return (
    a.final === b.final &&
    a.tokens.input === b.tokens.input &&
    a.tokens.output === b.tokens.output &&
    a.tokens.cacheRead === b.tokens.cacheRead &&
    a.tokens.cacheWrite === b.tokens.cacheWrite
  );
}
