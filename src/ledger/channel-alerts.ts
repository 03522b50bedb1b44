/**
 * Decides when channels get a message about the balance. Each message is sent once in a cycle. When new credit has
 * changed the situation, it may be sent again; after a refund it is not. One state serves all channels of an enterprise,
 * whatever their thresholds are, because it has the exact percentage up to which they were notified.
 */
import { balanceOf } from "./balance.ts";
import { type Alerted, type Books, unitOf } from "./books.ts";
import { isTooEarly } from "./forecast.ts";
import { currentForecast } from "./gauge.ts";
import { eachUsable } from "./grant-list.ts";
import type { Micros } from "./micros.ts";
import { type AtMs, DAY_MS } from "./time.ts";

/** What has just happened. Usage has passed the percentages above `fromPercent`, up to and including `toPercent`. */
export type BalanceChange = { fromPercent: number; toPercent: number; exhausted: boolean; recovered: boolean };

const NO_CHANGE: BalanceChange = { fromPercent: 0, toPercent: 0, exhausted: false, recovered: false };
const EXPIRES_SOON_MS = 7 * DAY_MS;

/** Updates `alerted` for a change of the balance. Without `alerted` it starts from the present, and nothing is sent. */
export function decideBalanceChange(books: Books, nowMs: AtMs): { alerted: Alerted; change: BalanceChange } {
  const unit = unitOf(books.settings.billingModel);
  const { usedMicros, totalMicros, remainingMicros } = balanceOf(books, unit, nowMs);
  const cycleStartsAtMs = books.cycle.startsAtMs;
  const nothingLeft = remainingMicros === 0 && totalMicros !== 0;
  const percent = nothingLeft ? 100 : percentDown(usedMicros, totalMicros);
  const before = books.alerted ?? null;
  const now = { cycleStartsAtMs, unit, percent, totalMicros, exhausted: nothingLeft };
  if (before === null) {
    return { alerted: { ...now, onTrack: false, expiring: false, expiringUntilMs: 0 }, change: NO_CHANGE };
  }
  const sameCycle = before.unit === unit && before.cycleStartsAtMs === cycleStartsAtMs;
  // A larger total means new credit, or a cap that was raised or removed.
  const raised = (totalMicros ?? Number.POSITIVE_INFINITY) > (before.totalMicros ?? Number.POSITIVE_INFINITY);
  const fromPercent = !sameCycle ? 0 : raised ? Math.min(before.percent, percent) : before.percent;
  // A switch of the billing model is new credit too, if the other balance has some.
  const wasExhausted = before.exhausted;
  const creditAgain = remainingMicros !== 0 && (raised || !sameCycle);
  const exhausted = nothingLeft || (wasExhausted && !creditAgain);
  const toPercent = Math.max(fromPercent, percent);
  const unchanged =
    sameCycle && toPercent === before.percent && totalMicros === before.totalMicros && exhausted === before.exhausted;
  if (unchanged) return { alerted: before, change: NO_CHANGE };
  const alerted: Alerted = {
    ...now,
    percent: toPercent,
    exhausted,
    onTrack: sameCycle && before.onTrack,
    expiring: sameCycle && before.expiring,
    expiringUntilMs: before.expiringUntilMs,
  };
  const change = {
    fromPercent,
    toPercent,
    exhausted: exhausted && !wasExhausted,
    recovered: wasExhausted && !exhausted,
  };
  return { alerted, change };
}

/** The highest of these thresholds that usage has just passed; null if it has passed none. */
export function thresholdPassed(
  { fromPercent, toPercent }: BalanceChange,
  thresholds: readonly number[],
): number | null {
  const passed = thresholds.filter((percent) => percent > fromPercent && percent <= toPercent);
  return passed.length === 0 ? null : Math.max(...passed);
}

/** What is about to happen: credits run out before the reset, or bonus expires within seven days. */
type Outlook = { onTrack: boolean; expiring: { atMs: AtMs; micros: Micros } | null };

/** Updates `alerted` for what time alone can change. Call it after `decideBalanceChange`. */
export function decideOutlook(books: Books, nowMs: AtMs): { alerted: Alerted | null; outlook: Outlook } {
  const alerted = books.alerted ?? null;
  if (alerted === null) return { alerted, outlook: { onTrack: false, expiring: null } };
  const onTrack = !alerted.onTrack && !alerted.exhausted && runsOut(books, nowMs);
  const expiring = alerted.expiring ? null : expiringSoon(books, alerted, nowMs);
  if (!onTrack && expiring === null) return { alerted, outlook: { onTrack, expiring } };
  return {
    alerted: {
      ...alerted,
      onTrack: alerted.onTrack || onTrack,
      expiring: alerted.expiring || expiring !== null,
      expiringUntilMs: Math.max(alerted.expiringUntilMs, expiring?.untilMs ?? 0),
    },
    outlook: { onTrack, expiring: expiring && { atMs: expiring.atMs, micros: expiring.micros } },
  };
}

/** When time alone may next change the outlook: the forecast begins, or a grant comes close to its expiry. */
export function nextOutlookAtMs(books: Books, nowMs: AtMs): AtMs {
  const { alerted } = books;
  if (alerted == null) return Number.POSITIVE_INFINITY;
  const forecastAtMs = books.cycle.startsAtMs + DAY_MS;
  const times = alerted.onTrack ? [] : [forecastAtMs];
  if (!alerted.expiring && alerted.unit === "credits") {
    const next = firstExpiryAfter(books, alerted.expiringUntilMs, nowMs);
    if (next !== null) times.push(next.atMs - EXPIRES_SOON_MS);
  }
  return Math.min(Number.POSITIVE_INFINITY, ...times.filter((atMs) => atMs > nowMs));
}

function runsOut(books: Books, nowMs: AtMs): boolean {
  return !isTooEarly(books.cycle, nowMs) && currentForecast(books, nowMs).onTrackToRunOut;
}

/** The usable bonus that expires within seven days, if it was not announced yet. */
function expiringSoon(
  books: Books,
  { unit, expiringUntilMs }: Alerted,
  nowMs: AtMs,
): { atMs: AtMs; micros: Micros; untilMs: AtMs } | null {
  if (unit !== "credits") return null;
  const first = firstExpiryAfter(books, expiringUntilMs, nowMs);
  if (first === null || first.atMs - nowMs > EXPIRES_SOON_MS) return null;
  let micros = 0;
  let untilMs = first.atMs;
  for (const grant of eachUsable(books.grants, nowMs)) {
    if (grant.expiresAtMs === null || grant.expiresAtMs - nowMs > EXPIRES_SOON_MS) break;
    micros += grant.amountMicros - grant.drawnMicros - grant.expiredMicros - grant.voidedMicros;
    untilMs = grant.expiresAtMs;
  }
  return { atMs: first.atMs, micros, untilMs };
}

function firstExpiryAfter(books: Books, afterMs: AtMs, nowMs: AtMs): { atMs: AtMs } | null {
  // Grants are in the order of expiry, those without expiry last.
  for (const grant of eachUsable(books.grants, nowMs)) {
    if (grant.expiresAtMs === null) return null;
    if (grant.expiresAtMs > afterMs) return { atMs: grant.expiresAtMs };
  }
  return null;
}

/** used ÷ total in whole percent, rounded down, at most 99: at 100 nothing is left. 0 where there is no total. */
function percentDown(usedMicros: Micros, totalMicros: Micros | null): number {
  if (totalMicros === null || totalMicros === 0) return 0;
  return Math.min(99, Number((BigInt(usedMicros) * 100n) / BigInt(totalMicros)));
}
