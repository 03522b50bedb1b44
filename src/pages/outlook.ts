/**
 * What the page says about the future, as plain values: how much of the cycle has passed, how long what is left will
 * last, what will be left at the reset. Made from the gauge alone. In a cycle's first 24 hours there is no forecast.
 */
import type { Gauge } from "../ledger/gauge.ts";
import { type AtMs, DAY_MS, type Micros } from "../ledger/micros.ts";

export type Outlook = {
  nowMs: AtMs;
  startsAtMs: AtMs;
  endsAtMs: AtMs;
  /** Exact, 0 … 1. */
  elapsedRatio: number;
  /** True in the first 24 hours of a cycle. */
  tooEarly: boolean;
  /** Null: no forecast (nothing used, no limit, too early). */
  runOut: { days: number; atMs: AtMs | null; beforeReset: boolean } | null;
  /** What this pace leaves at the reset; null without a forecast or without a limit. */
  leftAtResetMicros: Micros | null;
  /** What this pace will have used at the reset; null without a forecast. */
  usedAtResetMicros: Micros | null;
};

export function outlookOf(gauge: Gauge): Outlook {
  const nowMs = Date.parse(gauge.as_of);
  const startsAtMs = Date.parse(gauge.cycle.starts_at);
  const endsAtMs = Date.parse(gauge.cycle.ends_at);
  const tooEarly = nowMs - startsAtMs < DAY_MS;
  const comingMicros = Math.round((gauge.avg_per_day_micros * (endsAtMs - nowMs)) / DAY_MS);
  const forecast = !tooEarly && gauge.used_micros > 0;
  const known = forecast && gauge.remaining_micros !== null && gauge.run_out_days !== null;
  return {
    nowMs,
    startsAtMs,
    endsAtMs,
    elapsedRatio: Math.min(1, Math.max(0, (nowMs - startsAtMs) / (endsAtMs - startsAtMs))),
    tooEarly,
    runOut: known
      ? {
          days: gauge.run_out_days ?? 0,
          atMs: gauge.run_out_at === null ? null : Date.parse(gauge.run_out_at),
          beforeReset: gauge.on_track_to_run_out,
        }
      : null,
    leftAtResetMicros: known ? Math.max(0, (gauge.remaining_micros ?? 0) - comingMicros) : null,
    usedAtResetMicros: forecast ? gauge.used_micros + comingMicros : null,
  };
}
