/**
 * Every number that people read goes through here. Micros stay integers until they are printed: rounding is done on
 * integers, so a sum as large as 2^53 prints right. Credits from 100 on are whole, below they have one decimal; USD has
 * two decimals for a span and four for a run; an amount above zero is never printed as zero.
 */
import type { Micros, Unit } from "../../ledger/micros.ts";
import { parseRate } from "../../ledger/prices.ts";

const MICRO_DIGITS = 6;
const RATE_DIGITS = 6;
const WHOLE_FROM_TENTHS = 1_000n;
const HOUR_MS = 3_600_000;
const MINUS = "\u2212";

/** An amount of a span without its unit's word: "1,240", "55.4", "$412.40", "<$0.01". */
export function formatAmount(micros: Micros, unit: Unit): string {
  return unit === "usd" ? formatDecimals(micros, 2, "$") : formatDecimals(micros, creditDecimals(micros), "");
}

/** With its unit: "1,240 credits", "1.0 credits", "$412.40". */
export function formatCharge(micros: Micros, unit: Unit): string {
  return withUnit(formatAmount(micros, unit), unit);
}

/** What one run cost: USD with four decimals. */
export function formatRunAmount(micros: Micros, unit: Unit): string {
  return unit === "usd" ? formatDecimals(micros, 4, "$") : formatAmount(micros, unit);
}

/** To the last micro, for receipts: "0.225 credits", "$0.00225". At least as many decimals as a span has. */
export function formatExact(micros: Micros, unit: Unit): string {
  const least = unit === "usd" ? 2 : 1;
  const text = printDigits(BigInt(micros), MICRO_DIGITS, unit === "usd" ? "$" : "");
  return withUnit(trimZeros(text, least), unit);
}

/** An exact decimal of `digits` decimals without its trailing zeros: 75075000n with 12 digits → "0.000075075". */
export function formatExactDecimal(scaled: bigint, digits: number, least = 0): string {
  return trimZeros(printDigits(scaled, digits, ""), least);
}

/** A rate with all of its decimals: "$1.25", "$0.075". */
export function formatRateUsd(rate: string): string {
  return `$${formatExactDecimal(BigInt(parseRate(rate) ?? 0), RATE_DIGITS, 2)}`;
}

/** A mark on an axis: short, and exact for the round numbers that axes have: "250", "$0.50", "12.5k", "3M". */
export function formatTick(micros: Micros, unit: Unit): string {
  const sign = unit === "usd" ? "$" : "";
  const size = Math.abs(micros);
  const [power, letter] = size >= 1e12 ? [12, "M"] : size >= 1e10 ? [9, "k"] : [6, ""];
  const least = unit === "usd" && size < 1_000_000 && size > 0 ? 2 : 0;
  return `${micros < 0 ? MINUS : ""}${sign}${formatExactDecimal(BigInt(size), power, least)}${letter}`;
}

/**
 * Amounts of which the last is the sum of the others, printed so that the printed numbers add up too, and none that is
 * there is printed as zero: with as many decimals as that takes, and no zeros at the end.
 */
export function formatIdentity(parts: readonly Micros[], sum: Micros, unit: Unit): { parts: string[]; sum: string } {
  const all = [...parts, sum];
  const sign = unit === "usd" ? "$" : "";
  const least =
    unit === "usd" ? 2 : all.some((amount) => creditDecimals(amount) > 0 && roundTo(amount, 1) % 10n !== 0n) ? 1 : 0;
  for (let decimals = least; decimals <= MICRO_DIGITS; decimals++) {
    const rounded = all.map((amount) => roundTo(amount, decimals));
    const addsUp = rounded.slice(0, -1).reduce((total, part) => total + part, 0n) === rounded.at(-1);
    if (!addsUp || rounded.some((amount, i) => amount === 0n && all[i] !== 0)) continue;
    const texts = rounded.map((amount) => trimZeros(printDigits(amount, decimals, sign), unit === "usd" ? 2 : 0));
    return { parts: texts.slice(0, -1), sum: texts.at(-1) ?? "" };
  }
  throw new Error(`${parts.join(" + ")} is not ${sum}`);
}

/** The headline's percent: whole, rounded down; "<1 %" for what is above zero. "—" where there is nothing to divide by. */
export function formatPercent(part: Micros, whole: Micros | null): string {
  if (whole === null || whole <= 0) return "—";
  const percent = (BigInt(part) * 100n) / BigInt(whole);
  if (percent === 0n && part > 0) return `<1 %`;
  return `${formatCount(Number(percent))} %`;
}

/** A table's percent: one decimal, rounded half up. */
export function formatShare(part: Micros, whole: Micros): string {
  if (whole <= 0) return "—";
  const negative = part < 0;
  const tenths = (BigInt(Math.abs(part)) * 2_000n + BigInt(whole)) / (BigInt(whole) * 2n);
  if (tenths === 0n && part !== 0) return `${negative ? `>${MINUS}` : "<"}0.1 %`;
  return `${negative ? MINUS : ""}${printDigits(tenths, 1, "")} %`;
}

/** A number that is no amount, to four decimals at most: "22.5", "1,204", "0.0417". */
export function formatDecimal(value: number): string {
  return formatExactDecimal(BigInt(Math.round(value * 10_000)), 4);
}

/** A whole number with its thousands set apart. */
export function formatCount(count: number): string {
  return printDigits(BigInt(count), 0, "");
}

/** "1 day", "8 days", "1,204 days". */
export function formatDays(days: number): string {
  return countOf(days, "day");
}

/** How long until then, rounded up: in days, on the last day in hours. */
export function timeLeft(ms: number, days: number): { count: number; noun: "day" | "hour" } {
  return days > 1 ? { count: days, noun: "day" } : { count: Math.max(1, Math.ceil(ms / HOUR_MS)), noun: "hour" };
}

/** The same in words: "8 days", "5 hours". */
export function formatTimeLeft(ms: number, days: number): string {
  const { count, noun } = timeLeft(ms, days);
  return countOf(count, noun);
}

/** How long something will last, rounded down, so that nothing is promised: "13 days", "5 hours", "1 hour". */
export function formatLasting(days: number): string {
  return days >= 1 ? formatDays(Math.floor(days)) : countOf(Math.max(1, Math.floor(days * 24)), "hour");
}

/** "1 run", "2 runs". */
export function countOf(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function creditDecimals(micros: Micros): number {
  return micros === 0 || roundTo(Math.abs(micros), 1) >= WHOLE_FROM_TENTHS ? 0 : 1;
}

function formatDecimals(micros: Micros, decimals: number, sign: string): string {
  const rounded = roundTo(micros, decimals);
  if (rounded !== 0n || micros === 0) return printDigits(rounded, decimals, sign);
  const least = printDigits(1n, decimals, sign);
  return micros > 0 ? `<${least}` : `>${MINUS}${least}`;
}

/** Half away from zero, as an integer of 10^-decimals. */
function roundTo(micros: Micros, decimals: number): bigint {
  const divisor = 10n ** BigInt(MICRO_DIGITS - decimals);
  const size = BigInt(Math.abs(micros));
  const rounded = (size * 2n + divisor) / (divisor * 2n);
  return micros < 0 ? -rounded : rounded;
}

function printDigits(scaled: bigint, decimals: number, sign: string): string {
  const negative = scaled < 0n;
  const digits = (negative ? -scaled : scaled).toString().padStart(decimals + 1, "0");
  const whole = digits.slice(0, digits.length - decimals).replace(/\B(?=(\d{3})+$)/g, ",");
  const fraction = decimals === 0 ? "" : `.${digits.slice(-decimals)}`;
  return `${negative ? MINUS : ""}${sign}${whole}${fraction}`;
}

function trimZeros(text: string, least: number): string {
  const [whole, fraction = ""] = text.split(".");
  const kept = fraction.replace(/0+$/, "").padEnd(least, "0");
  return kept === "" ? (whole ?? "") : `${whole}.${kept}`;
}

function withUnit(text: string, unit: Unit): string {
  return unit === "usd" ? text : `${text} credits`;
}
