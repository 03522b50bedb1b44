/**
 * Joins reports into a meter (rules R1, R2). A report carries running totals, and the meter keeps the largest total of
 * each kind, so duplicates, retries, reordering and loss change nothing. A final report closes the meter with exactly its
 * totals. After that only another final counts, and the meter keeps the larger total of each kind. An estimated final
 * closes the meter too, but lowers nothing, and an exact final replaces it.
 */
import type { Meter } from "./books.ts";
import type { Kind } from "./kinds.ts";
import type { Usage } from "./prices.ts";
import { type AtMs, DAY_MS } from "./time.ts";

/**
 * How long a meter is kept after its last report, its start or its pricing. A report for an unknown meter of a run that
 * started earlier is refused (rule R10).
 */
export const METER_RETENTION_MS = 35 * DAY_MS;
/** How long usage without a price waits for one after its last report (rule R13). */
const WAITING_RETENTION_MS = 400 * DAY_MS;
/** How many meters a run may have (rule R15). */
export const MAX_METERS_PER_RUN = 1_000;

/** `estimated`: of a report, whether it is an estimate; of a meter, whether it had an estimate and no exact final. */
export type Reading = { usage: Usage; final: boolean; estimated: boolean };

/** The meter's totals after this report; the same object if the report changes nothing. */
export function joinReading(known: Reading | null, report: Reading): Reading {
  if (known === null) return report;
  if (isExactFinal(known) && !isExactFinal(report)) return known;
  const joined =
    isExactFinal(report) && !isExactFinal(known)
      ? report
      : {
          usage: largest(known.usage, report.usage),
          final: known.final || report.final,
          estimated: known.estimated || report.estimated,
        };
  return sameReading(known, joined) ? known : joined;
}

/** True as long as the meter is kept. */
export function isKept(meter: Meter, startedAtMs: AtMs, nowMs: AtMs): boolean {
  const keptForMs = meter.price === null ? WAITING_RETENTION_MS : METER_RETENTION_MS;
  return nowMs - Math.max(meter.lastReportAtMs, startedAtMs, meter.pricedAtMs ?? 0) <= keptForMs;
}

function isExactFinal({ final, estimated }: Reading): boolean {
  return final && !estimated;
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
  return (
    a.final === b.final &&
    a.estimated === b.estimated &&
    (a.usage === b.usage || (covers(a.usage, b.usage) && covers(b.usage, a.usage)))
  );
}

/** Whether `a` has at least as much as `b` of every kind. */
function covers(a: Usage, b: Usage): boolean {
  return largest(a, b) === a;
}
