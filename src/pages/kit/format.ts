/**
 * Formats the numbers of the screens. Those that messages have too are in wire/amounts.ts. Rounding is done on integers,
 * so that sums up to 2^53 are printed exactly. USD has four decimals for a single run.
 */
import type { Micros, Unit } from "../../ledger/micros.ts";
import { parseRate } from "../../ledger/prices.ts";
import {
  countOf,
  creditDecimals,
  formatAmount,
  formatCharge,
  formatCount,
  formatDecimals,
  formatPercent,
  MICRO_DIGITS,
  MINUS,
  printDigits,
  roundTo,
  withUnit,
} from "../../wire/amounts.ts";

export { countOf, formatAmount, formatCharge, formatCount, formatPercent };

const RATE_DIGITS = 6;
const HOUR_MS = 3_600_000;

/** The cost of a single run: USD with four decimals. */
export function formatRunAmount(micros: Micros, unit: Unit): string {
  return unit === "usd" ? formatDecimals(micros, 4, "$") : formatAmount(micros, unit);
}

/** To the last micro, for receipts: "0.225 credits", "$0.00225". Has at least one decimal in credits and two in USD. */
export function formatExact(micros: Micros, unit: Unit): string {
  const minDecimals = unit === "usd" ? 2 : 1;
  const text = printDigits(BigInt(micros), MICRO_DIGITS, unit === "usd" ? "$" : "");
  return withUnit(trimZeros(text, minDecimals), unit);
}

/** `scaled` ÷ 10^`digits`, exact, without trailing zeros: 75075000n with 12 digits is "0.000075075". */
export function formatExactDecimal(scaled: bigint, digits: number, minDecimals = 0): string {
  return trimZeros(printDigits(scaled, digits, ""), minDecimals);
}

/** A rate with all its decimals, at least two: "$1.25", "$0.075". */
export function formatRateUsd(rate: string): string {
  return `$${formatExactDecimal(BigInt(parseRate(rate) ?? 0), RATE_DIGITS, 2)}`;
}

/** The label of an axis tick: short, and exact for the round numbers of an axis: "250", "$0.50", "12.5k", "3M", "2B". */
export function formatTick(micros: Micros, unit: Unit): string {
  const sign = unit === "usd" ? "$" : "";
  const size = Math.abs(micros);
  const [power, letter] = size >= 1e15 ? [15, "B"] : size >= 1e12 ? [12, "M"] : size >= 1e10 ? [9, "k"] : [6, ""];
  const minDecimals = unit === "usd" && size < 1_000_000 && size > 0 ? 2 : 0;
  return `${micros < 0 ? MINUS : ""}${sign}${formatExactDecimal(BigInt(size), power, minDecimals)}${letter}`;
}

/**
 * Formats amounts and their sum so that the printed numbers also add up, and no amount other than zero is printed as
 * zero. Uses as few decimals as that allows, without trailing zeros. Throws if `sum` is not the sum of `parts`.
 */
export function formatIdentity(parts: readonly Micros[], sum: Micros, unit: Unit): { parts: string[]; sum: string } {
  const all = [...parts, sum];
  const sign = unit === "usd" ? "$" : "";
  const minDecimals =
    unit === "usd" ? 2 : all.some((amount) => creditDecimals(amount) > 0 && roundTo(amount, 1) % 10n !== 0n) ? 1 : 0;
  for (let decimals = minDecimals; decimals <= MICRO_DIGITS; decimals++) {
    const rounded = all.map((amount) => roundTo(amount, decimals));
    const addsUp = rounded.slice(0, -1).reduce((total, part) => total + part, 0n) === rounded.at(-1);
    if (!addsUp || rounded.some((amount, i) => amount === 0n && all[i] !== 0)) continue;
    const texts = rounded.map((amount) => trimZeros(printDigits(amount, decimals, sign), unit === "usd" ? 2 : 0));
    return { parts: texts.slice(0, -1), sum: texts.at(-1) ?? "" };
  }
  throw new Error(`${parts.join(" + ")} is not ${sum}`);
}

/** A percentage for tables: one decimal, rounded half up. */
export function formatShare(part: Micros, whole: Micros): string {
  if (whole <= 0) return "—";
  const negative = part < 0;
  const tenths = (BigInt(Math.abs(part)) * 2_000n + BigInt(whole)) / (BigInt(whole) * 2n);
  if (tenths === 0n && part !== 0) return `${negative ? `>${MINUS}` : "<"}0.1 %`;
  return `${negative ? MINUS : ""}${printDigits(tenths, 1, "")} %`;
}

/** A number that is not an amount, with at most four decimals: "22.5", "1,204", "0.0417". */
export function formatDecimal(value: number): string {
  return formatExactDecimal(BigInt(Math.round(value * 10_000)), 4);
}

/** "1 day", "8 days", "1,204 days". */
export function formatDays(days: number): string {
  return countOf(days, "day");
}

/** The time left, rounded up: in days, or in hours on the last day. @param days the same time in days, rounded up */
export function timeLeft(ms: number, days: number): { count: number; noun: "day" | "hour" } {
  return days > 1 ? { count: days, noun: "day" } : { count: Math.max(1, Math.ceil(ms / HOUR_MS)), noun: "hour" };
}

/** The time left in words: "8 days", "5 hours". */
export function formatTimeLeft(ms: number, days: number): string {
  const { count, noun } = timeLeft(ms, days);
  return countOf(count, noun);
}

/** How long something will last, rounded down so as not to promise too much: "13 days", "5 hours", "1 hour". */
export function formatLasting(days: number): string {
  return days >= 1 ? formatDays(Math.floor(days)) : countOf(Math.max(1, Math.floor(days * 24)), "hour");
}

/** Days with one decimal, rounded down: "10.5 days", "30 days". */
export function formatTenths(days: number): string {
  const text = formatExactDecimal(BigInt(Math.floor(days * 10)), 1);
  return `${text} ${text === "1" ? "day" : "days"}`;
}

function trimZeros(text: string, minDecimals: number): string {
  const [whole, fraction = ""] = text.split(".");
  const kept = fraction.replace(/0+$/, "").padEnd(minDecimals, "0");
  return kept === "" ? (whole ?? "") : `${whole}.${kept}`;
}
