/**
 * Joins reports into a meter (rules R1, R2). A report carries running totals, and the meter keeps the largest total of
 * each kind, so duplicates, retries, reordering and loss change nothing. A final report closes the meter with exactly its
 * totals. After that only another final counts, and the meter keeps the larger total of each kind.
 */
import type { Meter } from "./books.ts";
import type { Kind } from "./kinds.ts";
import type { Usage } from "./prices.ts";
import { type AtMs, DAY_MS } from "./time.ts";

/** How long a meter is kept after its last report. An unknown one that started earlier is refused (rule R10). */
export const METER_RETENTION_MS = 35 * DAY_MS;

export type Reading = { usage: Usage; final: boolean };

/** The meter's totals after this report; the same object if the report changes nothing. */
export function joinReading(known: Reading | null, report: Reading): Reading {
  if (known === null) return report;
  if (known.final && !report.final) return known;
  const joined =
    report.final && !known.final ? report : { usage: largest(known.usage, report.usage), final: known.final };
  return sameReading(known, joined) ? known : joined;
}

/** True as long as the meter is kept. */
export function isKept(meter: Meter, startedAtMs: AtMs, nowMs: AtMs): boolean {
  return nowMs - Math.max(meter.lastReportAtMs, startedAtMs) <= METER_RETENTION_MS;
}

/** Returns the larger quantity of each kind; `a` itself if it has all of them. */
function largest(a: Usage, b: Usage): Usage {
  let joined = a;
  for (const name in b) {
    const kind = name as Kind;
    const quantity = b[kind] ?? 0;
    if (quantity > (joined[kind] ?? 0)) joined = { ...joined, [kind]: quantity };
  }
  return joined;
}

function sameReading(a: Reading, b: Reading): boolean {
  return a.final === b.final && (a.usage === b.usage || (covers(a.usage, b.usage) && covers(b.usage, a.usage)));
}

/** Whether `a` has at least as much as `b` of every kind. */
function covers(a: Usage, b: Usage): boolean {
  return largest(a, b) === a;
}
