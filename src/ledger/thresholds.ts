/**
 * Notices when usage crosses a threshold, so that people outside the screens are notified once per cycle. When new
 * credit has brought usage back below a threshold, crossing it notifies again. After a refund it does not.
 */
import type { AlertCode } from "./alerts.ts";
import { highestThreshold } from "./alerts.ts";
import { balanceOf } from "./balance.ts";
import { type Books, type Notified, unitOf } from "./books.ts";
import type { Micros, Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

type ThresholdCode = Extract<
  AlertCode,
  "usage_50" | "usage_75" | "usage_90" | "exhausted" | "cap_75" | "cap_90" | "cap_reached"
>;

const CODES: Record<Unit, Record<number, ThresholdCode>> = {
  credits: { 50: "usage_50", 75: "usage_75", 90: "usage_90", 100: "exhausted" },
  usd: { 75: "cap_75", 90: "cap_90", 100: "cap_reached" },
};

/** Updates `notified`, and returns the threshold that was crossed, if any: the highest if there are several. */
export function decideCrossing(books: Books, nowMs: AtMs): { books: Books; crossed: ThresholdCode | null } {
  const unit = unitOf(books.settings.billingModel);
  const { totalMicros, level } = levelOf(books, unit, nowMs);
  const { notified } = books;
  const same = notified.cycleStartsAtMs === books.cycle.startsAtMs && notified.unit === unit;
  // A larger total means new credit, or a cap that was raised or removed.
  const raised = (totalMicros ?? Number.POSITIVE_INFINITY) > (notified.totalMicros ?? Number.POSITIVE_INFINITY);
  const knownLevel = !same ? 0 : raised ? Math.min(notified.level, level) : notified.level;
  const next = Math.max(knownLevel, level);
  if (same && next === notified.level && totalMicros === notified.totalMicros) return { books, crossed: null };
  const crossed = level > knownLevel ? (CODES[unit][level] ?? null) : null;
  return {
    books: { ...books, notified: { cycleStartsAtMs: books.cycle.startsAtMs, unit, level: next, totalMicros } },
    crossed,
  };
}

/** No threshold crossed yet, as for a new enterprise. */
export function noneNotified(cycleStartsAtMs: AtMs, unit: Unit): Notified {
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
