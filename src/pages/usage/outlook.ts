/**
 * What the page says about the future, as plain values: how much of the cycle has passed, how long what is left will
 * last, what will be left at the reset. Made from the gauge, and from the grants, because some may end before the reset.
 * In a cycle's first 24 hours there is no forecast, and none once nothing is left: then no new run starts.
 */
import type { Gauge } from "../../ledger/gauge.ts";
import type { GrantSummary } from "../../ledger/grants.ts";
import type { Micros } from "../../ledger/micros.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";

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
  /** What of the bonus this pace leaves to expire before the reset. */
  expiringMicros: Micros;
  /** What this pace will have used at the reset; null without a forecast. */
  usedAtResetMicros: Micros | null;
};

export function outlookOf(gauge: Gauge, grants: readonly GrantSummary[] = []): Outlook {
  const nowMs = gauge.asOfMs;
  const { startsAtMs, endsAtMs } = gauge.cycle;
  const tooEarly = nowMs - startsAtMs < DAY_MS;
  const comingMicros = Math.round((gauge.avgPerDayMicros * (endsAtMs - nowMs)) / DAY_MS);
  const forecast = !tooEarly && gauge.usedMicros > 0;
  const known = forecast && gauge.remainingMicros !== null && gauge.runOutDays !== null;
  const expiringMicros = known ? expiringOf(gauge, grants, nowMs, endsAtMs) : 0;
  return {
    nowMs,
    startsAtMs,
    endsAtMs,
    elapsedRatio: Math.min(1, Math.max(0, (nowMs - startsAtMs) / (endsAtMs - startsAtMs))),
    tooEarly,
    runOut: known
      ? {
          days: gauge.runOutDays ?? 0,
          atMs: gauge.runOutAtMs,
          beforeReset: gauge.onTrackToRunOut,
        }
      : null,
    leftAtResetMicros: known ? Math.max(0, (gauge.remainingMicros ?? 0) - comingMicros - expiringMicros) : null,
    expiringMicros,
    usedAtResetMicros: forecast && gauge.remainingMicros !== 0 ? gauge.usedMicros + comingMicros : null,
  };
}

/** Lets the pace draw on the allowance, then on the grants by their expiry, and sums what each still has at its end. */
function expiringOf(gauge: Gauge, grants: readonly GrantSummary[], nowMs: AtMs, endsAtMs: AtMs): Micros {
  const ending = grants
    .filter(({ state }) => state === "active")
    .map(({ expiresAtMs, remainingMicros: micros }) => ({ atMs: expiresAtMs ?? Number.POSITIVE_INFINITY, micros }))
    .filter(({ atMs }) => atMs <= endsAtMs)
    .sort((a, b) => a.atMs - b.atMs);
  let beforeMicros = gauge.monthly?.remainingMicros ?? 0;
  let expiringMicros = 0;
  for (const { atMs, micros } of ending) {
    // What the pace wants by then, less what it found in the allowance and in the grants that ended earlier.
    const wantedMicros = Math.round((gauge.avgPerDayMicros * (atMs - nowMs)) / DAY_MS) - beforeMicros;
    const drawnMicros = Math.min(micros, Math.max(0, wantedMicros));
    expiringMicros += micros - drawnMicros;
    beforeMicros += drawnMicros;
  }
  return expiringMicros;
}
