/**
 * Amounts are integers of micros: millionths of a credit or of a US dollar. A JavaScript number holds them exactly
 * (0 … 2^53−1). Products that may be larger are computed with BigInt in prices.ts.
 */

export type Micros = number;

export const MICROS_PER_CREDIT = 1_000_000;
export const MAX_MICROS: Micros = Number.MAX_SAFE_INTEGER;

/** The units in which meters are charged and screens show amounts. */
export const UNITS = ["credits", "usd"] as const;
export type Unit = (typeof UNITS)[number];

/**
 * part ÷ whole × 100, rounded half up to two decimals; null if `whole` is 0. May be above 100, because debt counts as
 * used.
 */
export function percentOf(part: Micros, whole: Micros | null): number | null {
  if (whole === null || whole <= 0) return null;
  // In integers: 57 ÷ 800 as a float is slightly below the exact tie, and would be rounded down.
  return Number((BigInt(part) * 20_000n + BigInt(whole)) / (BigInt(whole) * 2n)) / 100;
}

/** A hundred times this is a safe integer, and so is any percentage up to 100 of it. */
const MAX_EXACT = Math.floor(MAX_MICROS / 100);

/** True if `part` is at least `percent` % of `whole`. Exact for all amounts. */
export function reaches(part: Micros, whole: Micros, percent: number): boolean {
  if (part <= MAX_EXACT && whole <= MAX_EXACT && percent <= 100) return part * 100 >= whole * percent;
  return BigInt(part) * 100n >= BigInt(whole) * BigInt(percent);
}

/** Rounds to two decimals. */
export function roundToTwo(value: number): number {
  return Math.round(value * 100) / 100;
}

/**
 * Limits a sum of many cycles or of quantities to ±(2^53−1), so that it can be stored. The sum of one cycle is never
 * larger, but refunds of several past cycles may arrive in one hour.
 */
export function limitSum(sum: number): number {
  return Math.min(MAX_MICROS, Math.max(-MAX_MICROS, sum));
}
