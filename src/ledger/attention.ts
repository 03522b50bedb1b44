/** How urgently an enterprise needs the attention of the operator. */
import { isTooEarly } from "./forecast.ts";
import type { Gauge } from "./gauge.ts";

/**
 * 2: no new run can start. 1: that is going to happen, or there is debt. 0: neither. In the first 24 hours of a cycle
 * there is no forecast.
 */
export type Attention = 0 | 1 | 2;

export function attentionOf(
  gauge: Pick<Gauge, "asOfMs" | "cycle" | "remainingMicros" | "onTrackToRunOut" | "debtMicros">,
  suspended: boolean,
): Attention {
  if (suspended || gauge.remainingMicros === 0) return 2;
  const runsOut = gauge.onTrackToRunOut && !isTooEarly(gauge.cycle, gauge.asOfMs);
  return runsOut || gauge.debtMicros > 0 ? 1 : 0;
}
