/**
 * Prices and the exact cost of usage (rule R1). A rate is an integer: millionths of a US dollar per million tokens or per
 * thousand searches, so "0.075" USD is 75,000. The cost of a meter is one sum over its kinds of usage, rounded up once.
 * The sum uses numbers as long as it stays below 2^53, and BigInt otherwise, with the same result.
 */
import { byKind, KINDS, type Kind, RATE_FACTORS } from "./kinds.ts";
import { MAX_MICROS, type Micros, type Unit } from "./micros.ts";

/** Quantities by kind. Integers, 0 … 10^12. A kind that is absent was not used. */
export type Usage = Readonly<Partial<Record<Kind, number>>>;

/** A rate for every kind, in millionths of a US dollar per million tokens or per thousand searches. Integers. */
export type Rates = Readonly<Record<Kind, number>>;

/** The rates that a price-book entry or one of its tiers lists, in the same unit. */
export type ListedRates = Readonly<Partial<Record<Kind, number>>>;

/** The price that is pinned when a meter is first priced. */
export type Price = {
  bookVersion: number;
  creditsPerUsd: number;
  /** Marks credits up or down, in millionths: 1,000,000 changes nothing. Does not apply to USD. */
  multiplierMillionths: number;
  rates: Rates;
};

export const MAX_QUANTITY = 1_000_000_000_000;
/** A multiplier of 1, which changes nothing. */
export const NO_MULTIPLIER = 1_000_000;

const RATE_PATTERN = /^(\d{1,7})(?:\.(\d{1,6}))?$/;
/** A rate is an integer of this many parts of a US dollar. */
export const RATE_SCALE = 1_000_000;

/** Parses a rate, a decimal string in USD with up to six decimals; null if it is malformed. */
export function parseRate(text: string): number | null {
  const match = RATE_PATTERN.exec(text);
  if (match === null) return null;
  return Number(match[1]) * RATE_SCALE + Number((match[2] ?? "").padEnd(6, "0"));
}

/** Formats a rate as the shortest decimal string: 75000 → "0.075". */
export function formatRate(rate: number): string {
  const whole = Math.floor(rate / RATE_SCALE);
  const decimals = String(rate % RATE_SCALE)
    .padStart(6, "0")
    .replace(/0+$/, "");
  return decimals === "" ? String(whole) : `${whole}.${decimals}`;
}

/**
 * Returns the rate of every kind at one tier: the tier's own rate, else the entry's, else the tier's rate of the kind
 * that this kind falls back to. A kind without any of these costs nothing.
 *
 * @param tier the rates that the tier lists; leave it out for the tier `standard`
 */
export function resolveRates(entry: ListedRates, tier: ListedRates = {}): Rates {
  // A kind falls back only to kinds before it in the table, so one pass resolves all of them.
  const rates = byKind(() => 0);
  for (const { kind, fallback } of KINDS) {
    rates[kind] = tier[kind] ?? entry[kind] ?? (fallback === null ? 0 : rates[fallback]);
  }
  return rates;
}

/**
 * Returns the cost of this usage in micros of the unit: USD ceil(sum), credits ceil(sum · credits_per_usd · multiplier).
 * The sum is Σ tokens · rate + Σ searches · rate · 1000, and is rounded up once. Null if the cost exceeds 2^53−1.
 */
export function costOf(usage: Usage, price: Price, unit: Unit): Micros | null {
  const { rates } = price;
  const factor = unit === "credits" ? price.creditsPerUsd : 1;
  const multiplier = unit === "credits" ? price.multiplierMillionths : NO_MULTIPLIER;
  let scaled = 0;
  for (const kind in usage) {
    scaled += (usage[kind as Kind] as number) * rates[kind as Kind] * RATE_FACTORS[kind as Kind];
  }
  // A sum of non-negative integers that stays below 2^53 is exact as a float.
  if (multiplier === NO_MULTIPLIER && scaled * factor <= MAX_MICROS) return divideUp(scaled * factor);
  return costOfLarge(usage, rates, BigInt(factor) * BigInt(multiplier));
}

/** Divides by the scale of rates and rounds up, by the remainder, because a float quotient could already be rounded. */
export function divideUp(scaled: number): Micros {
  const rest = scaled % RATE_SCALE;
  return (scaled - rest) / RATE_SCALE + (rest > 0 ? 1 : 0);
}

function costOfLarge(usage: Usage, rates: Rates, factorMillionths: bigint): Micros | null {
  let sum = 0n;
  for (const { kind } of KINDS) {
    sum += BigInt(usage[kind] ?? 0) * BigInt(rates[kind]) * BigInt(RATE_FACTORS[kind]);
  }
  const scale = BigInt(RATE_SCALE) * BigInt(NO_MULTIPLIER);
  const micros = (sum * factorMillionths + scale - 1n) / scale;
  return micros > BigInt(MAX_MICROS) ? null : Number(micros);
}
