/**
 * Estimates when the balance runs out at this cycle's pace (rule R9). Screens, alerts, lists and the gauge all use this
 * forecast, so they cannot contradict each other.
 */
import type { Books, Cycle } from "./books.ts";
import { monthlyRemaining } from "./buckets.ts";
import { eachExpiry } from "./grant-list.ts";
import type { Micros, Unit } from "./micros.ts";
import { type AtMs, DAY_MS } from "./time.ts";

export type Forecast = {
  /** Whole micros. */
  avgPerDayMicros: Micros;
  /**
   * Days until nothing usable remains, not rounded: 0 when nothing remains; otherwise null when nothing was used or
   * there is no limit.
   */
  runOutDays: number | null;
  /** Null also when it is more than ten years away. */
  runOutAtMs: AtMs | null;
  /** True when the balance runs out before the cycle ends. */
  onTrackToRunOut: boolean;
  /** What is usable when the cycle ends, before the reset; null when nothing was used or there is no limit. */
  leftAtResetMicros: Micros | null;
  /** Bonus that expires unused before the cycle ends. */
  expiringMicros: Micros;
};

/** What charges can still draw on. */
export type Credit = {
  /** What does not expire in this forecast: the rest of the allowance or of the spend cap; null without a limit. */
  lastingMicros: Micros | null;
  /** What is left of the usable grants, by expiry, in the order of drawing: soonest first, those without expiry last. */
  grants: readonly { micros: Micros; expiresAtMs: AtMs | null }[];
};

const TEN_YEARS_DAYS = 3_652.5;

/**
 * Averages the use over max(1, exact days elapsed), and continues at this pace: charges draw on the allowance first and
 * then on the grants, grants end when they expire, and no further cycle starts.
 */
export function forecastOf(
  usedMicros: Micros,
  credit: Credit,
  cycle: Pick<Cycle, "startsAtMs" | "endsAtMs">,
  nowMs: AtMs,
): Forecast {
  const perDay = usedMicros / Math.max(1, (nowMs - cycle.startsAtMs) / DAY_MS);
  const pace = { avgPerDayMicros: Math.round(perDay), leftAtResetMicros: null, expiringMicros: 0 };
  const remainingMicros = totalOf(credit);
  if (remainingMicros === 0) {
    const onTrackToRunOut = nowMs < cycle.endsAtMs;
    return { ...pace, runOutDays: 0, runOutAtMs: nowMs, onTrackToRunOut, leftAtResetMicros: 0 };
  }
  if (remainingMicros === null || perDay === 0) {
    return { ...pace, runOutDays: null, runOutAtMs: null, onTrackToRunOut: false };
  }
  const { runOutDays, unusedMicros } = drawDown(credit, perDay, nowMs, cycle.endsAtMs);
  const runOutAtMs = runOutDays > TEN_YEARS_DAYS ? null : nowMs + Math.round(runOutDays * DAY_MS);
  const onTrackToRunOut = runOutAtMs !== null && runOutAtMs < cycle.endsAtMs;
  const stillToUseMicros = (perDay * (cycle.endsAtMs - nowMs)) / DAY_MS;
  return {
    ...pace,
    runOutDays,
    runOutAtMs,
    onTrackToRunOut,
    leftAtResetMicros: onTrackToRunOut ? 0 : Math.max(0, Math.round(remainingMicros - unusedMicros - stillToUseMicros)),
    expiringMicros: Math.round(unusedMicros),
  };
}

/** What the books have left to draw on in this unit. */
export function creditOf(books: Books, unit: Unit, nowMs: AtMs): Credit {
  if (unit === "usd") {
    const { capMicros, cycle } = books;
    return { lastingMicros: capMicros === null ? null : Math.max(0, capMicros - cycle.spendUsedMicros), grants: [] };
  }
  return { lastingMicros: monthlyRemaining(books), grants: [...eachExpiry(books.grants, nowMs)] };
}

/** Whether the cycle has just started, so that screens, lists and alerts make no forecast yet. */
export function isTooEarly(cycle: Pick<Cycle, "startsAtMs">, nowMs: AtMs): boolean {
  return nowMs - cycle.startsAtMs < DAY_MS;
}

function totalOf({ lastingMicros, grants }: Credit): Micros | null {
  if (lastingMicros === null) return null;
  return grants.reduce((sum, { micros }) => sum + micros, lastingMicros);
}

/** Uses up the credit at this pace. Returns the days until nothing is left, and what expires unused until `endsAtMs`. */
function drawDown(
  { lastingMicros, grants }: Credit,
  perDay: number,
  nowMs: AtMs,
  endsAtMs: AtMs,
): { runOutDays: number; unusedMicros: number } {
  let days = (lastingMicros ?? 0) / perDay;
  let unusedMicros = 0;
  for (const { micros, expiresAtMs } of grants) {
    const endDays = expiresAtMs === null ? Number.POSITIVE_INFINITY : (expiresAtMs - nowMs) / DAY_MS;
    const untilDays = Math.max(days, Math.min(days + micros / perDay, endDays));
    if (expiresAtMs !== null && expiresAtMs <= endsAtMs)
      unusedMicros += Math.max(0, micros - (untilDays - days) * perDay);
    days = untilDays;
  }
  return { runOutDays: days, unusedMicros };
}
