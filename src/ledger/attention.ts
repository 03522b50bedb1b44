/**
 * How much an enterprise asks for the attention of who runs the service: 2 where no new run starts (suspended, nothing
 * left), 1 where that is to come or a debt stands, 0 otherwise.
 */
import type { Gauge } from "./gauge.ts";

export type Attention = 0 | 1 | 2;

export function attentionOf(
  gauge: Pick<Gauge, "remaining_micros" | "on_track_to_run_out" | "debt_micros">,
  suspended: boolean,
): Attention {
  if (suspended || gauge.remaining_micros === 0) return 2;
  return gauge.on_track_to_run_out || gauge.debt_micros > 0 ? 1 : 0;
}
