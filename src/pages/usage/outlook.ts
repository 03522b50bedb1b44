/**
 * What the page says about the rest of the cycle: how much of it has passed, how long the balance will last, and what
 * will be left at the reset. The numbers come from the gauge and the ledger's forecast. There is no forecast in the
 * first 24 hours of a cycle, nor when nothing is left, because then no new run starts.
 */
import type { CopyView } from "../../enterprise/answers.ts";
import { isTooEarly } from "../../ledger/forecast.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Micros } from "../../ledger/micros.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";

export type Outlook = {
  nowMs: AtMs;
  startsAtMs: AtMs;
  endsAtMs: AtMs;
  /** False if the reset adds nothing: for an allowance of 0, or a cap of 0. Then no text promises a reset. */
  resetHelps: boolean;
  /** Exact, 0 … 1. */
  elapsedRatio: number;
  /** True in the first 24 hours of a cycle. */
  tooEarly: boolean;
  /** Null if there is no forecast: nothing used, no limit, or too early. */
  runOut: {
    days: number;
    atMs: AtMs | null;
    beforeReset: boolean;
    /** True if credits run out after the reset, but by less than 3 % of the cycle's length. */
    justEnough: boolean;
  } | null;
  /** What is left at the reset at this pace; null without a forecast or a limit. */
  leftAtResetMicros: Micros | null;
  /** Bonus that expires unused before the reset at this pace. */
  expiringMicros: Micros;
  /** What is used by the reset at this pace; null without a forecast. */
  usedAtResetMicros: Micros | null;
};

/** A margin below this part of the cycle is called "just enough". */
const JUST_ENOUGH_RATIO = 0.03;

/** Whether new runs can draw on something new after the reset. */
function addsCredit({ monthly, spend }: Gauge): boolean {
  return spend === null ? (monthly?.allowanceMicros ?? 0) > 0 : spend.capMicros !== 0;
}

/** @param forecast how the cycle ends at this pace; undefined if the object is still of the last release */
export function outlookOf(gauge: Gauge, forecast: CopyView["forecast"]): Outlook {
  const nowMs = gauge.asOfMs;
  const { startsAtMs, endsAtMs } = gauge.cycle;
  const tooEarly = isTooEarly(gauge.cycle, nowMs);
  const stillToUseMicros = Math.round((gauge.avgPerDayMicros * (endsAtMs - nowMs)) / DAY_MS);
  const hasForecast = !tooEarly && gauge.usedMicros > 0;
  const hasRunOutForecast = hasForecast && gauge.remainingMicros !== null && gauge.runOutDays !== null;
  const leftAtResetMicros = forecast?.leftAtResetMicros ?? Math.max(0, (gauge.remainingMicros ?? 0) - stillToUseMicros);
  const justEnoughUntilMs = endsAtMs + JUST_ENOUGH_RATIO * (endsAtMs - startsAtMs);
  return {
    nowMs,
    startsAtMs,
    endsAtMs,
    resetHelps: addsCredit(gauge),
    elapsedRatio: Math.min(1, Math.max(0, (nowMs - startsAtMs) / (endsAtMs - startsAtMs))),
    tooEarly,
    runOut: hasRunOutForecast
      ? {
          days: gauge.runOutDays ?? 0,
          atMs: gauge.runOutAtMs,
          beforeReset: gauge.onTrackToRunOut,
          justEnough: !gauge.onTrackToRunOut && gauge.runOutAtMs !== null && gauge.runOutAtMs < justEnoughUntilMs,
        }
      : null,
    leftAtResetMicros: hasRunOutForecast ? leftAtResetMicros : null,
    expiringMicros: hasRunOutForecast ? (forecast?.expiringMicros ?? 0) : 0,
    usedAtResetMicros: hasForecast && gauge.remainingMicros !== 0 ? gauge.usedMicros + stillToUseMicros : null,
  };
}
