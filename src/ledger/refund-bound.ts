/** How much a report may refund: a refund needs the draws that it undoes, and not those before them. */
import type { Meter, Run } from "./books.ts";
import { findMeter, type Report } from "./debit.ts";
import type { Micros } from "./micros.ts";
import { costOf } from "./prices.ts";
import type { AtMs } from "./time.ts";

/** Returns the meter that a report may lower, and an upper bound of the refund; null if the report lowers none. */
export function refundBound(
  run: Run | null,
  meters: readonly Meter[],
  report: Report,
  nowMs: AtMs,
): { meter: Meter; micros: Micros } | null {
  // Only a final report can lower a total and cause a refund.
  const meter = report.final && run !== null ? findMeter(meters, report, run, nowMs) : null;
  if (meter === null || meter.price === null) return null;
  const costMicros = costOf(report.usage, meter.price, meter.unit) ?? meter.chargedMicros;
  const micros = meter.chargedMicros - costMicros;
  return micros > 0 ? { meter, micros } : null;
}
