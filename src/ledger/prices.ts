/**
 * Prices and the exact cost of tokens (rule R1). A rate is an integer: millionths of a US dollar per million tokens, so
 * "0.075" USD per million is 75,000. The cost of a meter is one sum over its four kinds of tokens, rounded up once. The
 * sum uses numbers as long as it stays below 2^53, and BigInt otherwise, with the same result.
 */
import { MAX_MICROS, type Micros, type Unit } from "./micros.ts";

/** Four disjoint kinds; `input` are the uncached input tokens. Integers, 0 … 10^12. */
export type Tokens = { input: number; output: number; cacheRead: number; cacheWrite: number };

/** Rates by kind, in millionths of a US dollar per million tokens. Integers. */
export type Rates = { input: number; output: number; cacheRead: number; cacheWrite: number };

/** The price that is pinned at a meter's first report. */
export type Price = { bookVersion: number; creditsPerUsd: number; rates: Rates };

export const MAX_TOKENS = 1_000_000_000_000;
export const NO_TOKENS: Tokens = { input: 0, output: 0, cacheRead: 0, cacheWrite: 0 };

const RATE_PATTERN = /^(\d{1,7})(?:\.(\d{1,6}))?$/;
const RATE_SCALE = 1_000_000;

/** Parses a rate in USD per million tokens, a decimal string with up to six decimals; null if it is malformed. */
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
 * The cost of these tokens in micros of the unit: USD ceil(Σ t·rate), credits ceil(Σ t·rate·credits_per_usd).
 * The sum is rounded up once. Null if the cost exceeds 2^53−1.
 */
export function costOf(tokens: Tokens, price: Price, unit: Unit): Micros | null {
  const { rates } = price;
  const factor = unit === "credits" ? price.creditsPerUsd : 1;
  const scaled =
    tokens.input * rates.input +
    tokens.output * rates.output +
    tokens.cacheRead * rates.cacheRead +
    tokens.cacheWrite * rates.cacheWrite;
  // A sum of non-negative integers that stays below 2^53 is exact as a float.
  if (scaled * factor <= MAX_MICROS) return divideUp(scaled * factor);
  return costOfLarge(tokens, rates, factor);
}

/** Divides and rounds up, by the remainder, because a float quotient could already be rounded. */
function divideUp(scaled: number): Micros {
  const rest = scaled % RATE_SCALE;
  return (scaled - rest) / RATE_SCALE + (rest > 0 ? 1 : 0);
}

function costOfLarge(tokens: Tokens, rates: Rates, factor: number): Micros | null {
  const sum =
    BigInt(tokens.input) * BigInt(rates.input) +
    BigInt(tokens.output) * BigInt(rates.output) +
    BigInt(tokens.cacheRead) * BigInt(rates.cacheRead) +
    BigInt(tokens.cacheWrite) * BigInt(rates.cacheWrite);
  const scale = BigInt(RATE_SCALE);
  const micros = (sum * BigInt(factor) + scale - 1n) / scale;
  return micros > BigInt(MAX_MICROS) ? null : Number(micros);
}
