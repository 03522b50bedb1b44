/** Estimates when the balance runs out at this cycle's pace (rule R9). */
import type { Micros } from "./micros.ts";
import { type AtMs, DAY_MS } from "./time.ts";

export type Forecast = {
  /** Whole micros. */
  avgPerDayMicros: Micros;
  /**
   * Days until nothing remains, not rounded: 0 when nothing remains; otherwise null when nothing was used or there is
   * no limit.
   */
  runOutDays: number | null;
  /** Null also when it is more than ten years away. */
  runOutAtMs: AtMs | null;
  /** True when the balance runs out before the cycle ends. */
  onTrackToRunOut: boolean;
};

const TEN_YEARS_DAYS = 3_652.5;

/**
 * Average per day = used ÷ max(1, exact days elapsed); days left = remaining ÷ average.
 *
 * @param remainingMicros null when there is no limit
 */
export function forecastOf(
  usedMicros: Micros,
  remainingMicros: Micros | null,
  cycle: { startsAtMs: AtMs; endsAtMs: AtMs },
  nowMs: AtMs,
): Forecast {
  const perDay = usedMicros / Math.max(1, (nowMs - cycle.startsAtMs) / DAY_MS);
  const runOutDays = daysLeft(perDay, remainingMicros);
  const runOutAtMs =
    runOutDays === null || runOutDays > TEN_YEARS_DAYS ? null : nowMs + Math.round(runOutDays * DAY_MS);
  return {
    avgPerDayMicros: Math.round(perDay),
    runOutDays,
    runOutAtMs,
    onTrackToRunOut: runOutAtMs !== null && runOutAtMs < cycle.endsAtMs,
  };
}

function daysLeft(perDay: number, remainingMicros: Micros | null): number | null {
  if (remainingMicros === null) return null;
  if (remainingMicros === 0) return 0;
  return perDay === 0 ? null : remainingMicros / perDay;
}
