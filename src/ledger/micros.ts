/**
 * Amounts. Everything Fuelgauge counts is an integer of micros: a millionth of a credit or of a US dollar.
 * An amount fits a JavaScript number exactly (0 … 2^53−1); a product that may not goes through BigInt in prices.ts.
 * Nothing here knows what an amount is for.
 */

export type Micros = number;

export const MICROS_PER_CREDIT = 1_000_000;
export const MAX_MICROS: Micros = Number.MAX_SAFE_INTEGER;

/** What meters are charged in, and what an enterprise's screens show. */
export const UNITS = ["credits", "usd"] as const;
export type Unit = (typeof UNITS)[number];

/**
 * part ÷ whole × 100, rounded half up to two decimals; null where there is nothing to divide by.
 * May pass 100: debt counts as used.
 */
export function percentOf(part: Micros, whole: Micros | null): number | null {
  if (whole === null || whole <= 0) return null;
  // In whole numbers: a float quotient of 57 ÷ 800 lies below the tie that it is.
  return Number((BigInt(part) * 20_000n + BigInt(whole)) / (BigInt(whole) * 2n)) / 100;
}

/** True when part is at least `percent` per cent of whole; exact at any size. */
export function reaches(part: Micros, whole: Micros, percent: number): boolean {
  return BigInt(part) * 100n >= BigInt(whole) * BigInt(percent);
}

export function roundToTwo(value: number): number {
  return Math.round(value * 100) / 100;
}
