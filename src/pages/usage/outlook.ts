/**
 * What the page says about the rest of the cycle: how much of it has passed, how long the balance will last, and what
 * will be left at the reset. Uses the gauge, and the grants because some may expire before the reset. There is no
 * forecast in the first 24 hours of a cycle, nor when nothing is left, because then no new run starts.
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
  /** Null if there is no forecast: nothing used, no limit, or too early. */
  runOut: { days: number; atMs: AtMs | null; beforeReset: boolean } | null;
  /** What is left at the reset at this pace; null without a forecast or a limit. */
  leftAtResetMicros: Micros | null;
  /** Bonus that expires unused before the reset at this pace. */
  expiringMicros: Micros;
  /** What is used by the reset at this pace; null without a forecast. */
  usedAtResetMicros: Micros | null;
};

export function outlookOf(gauge: Gauge, grants: readonly GrantSummary[] = []): Outlook {
  const nowMs = gauge.asOfMs;
  const { startsAtMs, endsAtMs } = gauge.cycle;
  const tooEarly = nowMs - startsAtMs < DAY_MS;
  const stillToUseMicros = Math.round((gauge.avgPerDayMicros * (endsAtMs - nowMs)) / DAY_MS);
  const hasForecast = !tooEarly && gauge.usedMicros > 0;
  const hasRunOutForecast = hasForecast && gauge.remainingMicros !== null && gauge.runOutDays !== null;
  const expiringMicros = hasRunOutForecast ? expiringOf(gauge, grants, nowMs, endsAtMs) : 0;
  return {
    nowMs,
    startsAtMs,
    endsAtMs,
    elapsedRatio: Math.min(1, Math.max(0, (nowMs - startsAtMs) / (endsAtMs - startsAtMs))),
    tooEarly,
    runOut: hasRunOutForecast
      ? {
          days: gauge.runOutDays ?? 0,
          atMs: gauge.runOutAtMs,
          beforeReset: gauge.onTrackToRunOut,
        }
      : null,
    leftAtResetMicros: hasRunOutForecast
      ? Math.max(0, (gauge.remainingMicros ?? 0) - stillToUseMicros - expiringMicros)
      : null,
    expiringMicros,
    usedAtResetMicros: hasForecast && gauge.remainingMicros !== 0 ? gauge.usedMicros + stillToUseMicros : null,
  };
}

/**
 * Draws at this pace, allowance first and then grants by expiry, and adds up what each grant has left at its expiry.
 */
function expiringOf(gauge: Gauge, grants: readonly GrantSummary[], nowMs: AtMs, endsAtMs: AtMs): Micros {
  const ending = grants
    .filter(({ state }) => state === "active")
    .map(({ expiresAtMs, remainingMicros: micros }) => ({ atMs: expiresAtMs ?? Number.POSITIVE_INFINITY, micros }))
    .filter(({ atMs }) => atMs <= endsAtMs)
    .sort((a, b) => a.atMs - b.atMs);
  let coveredMicros = gauge.monthly?.remainingMicros ?? 0;
  let expiringMicros = 0;
  for (const { atMs, micros } of ending) {
    // Use by then, minus what the allowance and the grants that expire earlier cover.
    const neededMicros = Math.round((gauge.avgPerDayMicros * (atMs - nowMs)) / DAY_MS) - coveredMicros;
    const drawnMicros = Math.min(micros, Math.max(0, neededMicros));
    expiringMicros += micros - drawnMicros;
    coveredMicros += drawnMicros;
  }
  return expiringMicros;
}
