/** How urgently an enterprise needs the attention of the operator. */
import type { Gauge } from "./gauge.ts";

/** 2: no new run can start. 1: that is going to happen, or there is debt. 0: neither. */
export type Attention = 0 | 1 | 2;

export function attentionOf(
  gauge: Pick<Gauge, "remainingMicros" | "onTrackToRunOut" | "debtMicros">,
  suspended: boolean,
): Attention {
  if (suspended || gauge.remainingMicros === 0) return 2;
  return gauge.onTrackToRunOut || gauge.debtMicros > 0 ? 1 : 0;
}
