/**
 * Formats amounts for people: on the screens and in messages. Rounding is done on integers, so that sums up to 2^53 are
 * printed exactly. Credits have one decimal below 100 and none from 100 on; USD has two decimals. An amount above zero
 * is never printed as zero.
 */
import type { Micros, Unit } from "../ledger/micros.ts";

export const MICRO_DIGITS = 6;
const WHOLE_FROM_TENTHS = 1_000n;
export const MINUS = "\u2212";

/** An amount without the word "credits": "1,240", "55.4", "$412.40", "<$0.01". */
export function formatAmount(micros: Micros, unit: Unit): string {
  return unit === "usd" ? formatDecimals(micros, 2, "$") : formatDecimals(micros, creditDecimals(micros), "");
}

/** An amount with its unit: "1,240 credits", "1.0 credits", "$412.40". */
export function formatCharge(micros: Micros, unit: Unit): string {
  return withUnit(formatAmount(micros, unit), unit);
}

/** A percentage for headlines: whole, rounded down; "<1 %" if above zero, "—" if `whole` is zero or null. */
export function formatPercent(part: Micros, whole: Micros | null): string {
  if (whole === null || whole <= 0) return "—";
  const percent = (BigInt(part) * 100n) / BigInt(whole);
  if (percent === 0n && part > 0) return `<1 %`;
  return `${formatCount(Number(percent))} %`;
}

/** A whole number with thousands separators: "1,204". */
export function formatCount(count: number): string {
  return printDigits(BigInt(count), 0, "");
}

/** "1 run", "2 runs". */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

export function creditDecimals(micros: Micros): number {
  return micros === 0 || roundTo(Math.abs(micros), 1) >= WHOLE_FROM_TENTHS ? 0 : 1;
}

export function formatDecimals(micros: Micros, decimals: number, sign: string): string {
  const rounded = roundTo(micros, decimals);
  if (rounded !== 0n || micros === 0) return printDigits(rounded, decimals, sign);
  const smallest = printDigits(1n, decimals, sign);
  return micros > 0 ? `<${smallest}` : `>${MINUS}${smallest}`;
}

/** Rounds half away from zero, to an integer of units of 10^-`decimals`. */
export function roundTo(micros: Micros, decimals: number): bigint {
  const divisor = 10n ** BigInt(MICRO_DIGITS - decimals);
  const size = BigInt(Math.abs(micros));
  const rounded = (size * 2n + divisor) / (divisor * 2n);
  return micros < 0 ? -rounded : rounded;
}

export function printDigits(scaled: bigint, decimals: number, sign: string): string {
  const negative = scaled < 0n;
  const digits = (negative ? -scaled : scaled).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = decimals === 0 ? "" : `.${digits.slice(-decimals)}`;
  return `${negative ? MINUS : ""}${sign}${whole}${fraction}`;
}

export function withUnit(text: string, unit: Unit): string {
  return unit === "usd" ? text : `${text} credits`;
}
