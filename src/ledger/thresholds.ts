/**
 * Crossing a threshold is told once per cycle (the alerts that reach people outside the screens). What was told stands
 * in the books; new credit that lifts the enterprise back above a threshold arms it again, a refund does not.
 */
import type { AlertCode } from "./alerts.ts";
import { highestThreshold } from "./alerts.ts";
import { balanceOf } from "./balance.ts";
import { type Books, unitOf } from "./books.ts";
import type { Micros, Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export type ThresholdCode = Extract<
  AlertCode,
  "usage_50" | "usage_75" | "usage_90" | "exhausted" | "cap_75" | "cap_90" | "cap_reached"
>;

/** The highest level, in per cent, that was told in this cycle and unit, and the total that it was measured against. */
export type Told = { cycleStartsAtMs: AtMs; unit: Unit; level: number; totalMicros: Micros | null };

const CODES: Record<Unit, Record<number, ThresholdCode>> = {
  credits: { 50: "usage_50", 75: "usage_75", 90: "usage_90", 100: "exhausted" },
  usd: { 75: "cap_75", 90: "cap_90", 100: "cap_reached" },
};

/** The books with what is told now, and the threshold that this crossed, if any; of several at once the highest. */
export function decideCrossing(books: Books, nowMs: AtMs): { books: Books; crossed: ThresholdCode | null } {
  const unit = unitOf(books.settings.billingModel);
  const { totalMicros, level } = levelOf(books, unit, nowMs);
  const { told } = books;
  const same = told.cycleStartsAtMs === books.cycle.startsAtMs && told.unit === unit;
  // More to measure against is new credit, or a cap that was raised or removed.
  const lifted = (totalMicros ?? Number.POSITIVE_INFINITY) > (told.totalMicros ?? Number.POSITIVE_INFINITY);
  const toldLevel = !same ? 0 : lifted ? Math.min(told.level, level) : told.level;
  const next = Math.max(toldLevel, level);
  if (same && next === told.level && totalMicros === told.totalMicros) return { books, crossed: null };
  const crossed = level > toldLevel ? (CODES[unit][level] ?? null) : null;
  return {
    books: { ...books, told: { cycleStartsAtMs: books.cycle.startsAtMs, unit, level: next, totalMicros } },
    crossed,
  };
}

/** Nothing told yet, as for a new enterprise. */
export function nothingTold(cycleStartsAtMs: AtMs, unit: Unit): Told {
  return { cycleStartsAtMs, unit, level: 0, totalMicros: null };
}

function levelOf(books: Books, unit: Unit, nowMs: AtMs): { totalMicros: Micros | null; level: number } {
  const balance = balanceOf(books, unit, nowMs);
  const { totalMicros } = balance;
  if (totalMicros === null) return { totalMicros, level: 0 };
  const thresholds = Object.keys(CODES[unit])
    .map(Number)
    .filter((percent) => percent < 100);
  const level = balance.remainingMicros === 0 ? 100 : (highestThreshold(balance, thresholds) ?? 0);
  return { totalMicros, level };
}
