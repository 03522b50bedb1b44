/**
 * Divides the charge of a meter among its usage kinds, and computes what its cache reads saved (PRODUCT "kinds"). Both
 * are computed from the meter's running totals and pinned price, so they are the same however often it was reported.
 */
import { KINDS, type Kind, RATE_FACTORS } from "./kinds.ts";
import { MAX_MICROS, type Micros, type Unit } from "./micros.ts";
import { divideUp, NO_MULTIPLIER, type Price, RATE_SCALE, type Usage } from "./prices.ts";

/** Numbers by kind: quantities or amounts. Negative in a difference. A kind that is absent counts 0. */
export type ByKind = Partial<Record<Kind, number>>;

/** The kinds that are read from a cache, and the kinds that would have been charged without it. */
const CACHE_READS: readonly (readonly [Kind, Kind])[] = [
  ["cache_read", "input"],
  ["cache_audio_read", "input_audio"],
  ["cache_image_read", "input_image"],
];

type Share = { kind: Kind; whole: Micros; rest: number | bigint };

/**
 * Returns the part of each kind. The parts add up to `costOf`: each kind has its exact cost rounded down, and the micros
 * that are left go to the largest remainders. Ties are broken in the order of rule R1. `costOf` must not be null.
 */
export function splitCharge(usage: Usage, price: Price, unit: Unit): ByKind {
  const { list, total } = sharesOf(usage, price, unit);
  return distribute(list, total);
}

/**
 * Returns what cache reads saved, in micros of the unit, rounded down: each kind of cache read at its input rate, minus
 * what it cost. Negative if a cache read costs more than input. Limited to ±(2^53−1).
 */
export function cacheSavings(usage: Usage, price: Price, unit: Unit): number {
  let sum = 0;
  let exact = true;
  for (const [kind, instead] of CACHE_READS) {
    const product = (usage[kind] ?? 0) * (price.rates[instead] - price.rates[kind]);
    sum += product;
    exact &&= Math.abs(product) <= MAX_MICROS && Math.abs(sum) <= MAX_MICROS;
  }
  if (sum === 0 && exact) return 0;
  const factor = factorOf(price, unit);
  const scaled = sum * factor.credits;
  if (exact && factor.multiplier === NO_MULTIPLIER && Math.abs(scaled) <= MAX_MICROS) return floorDivide(scaled);
  let large = 0n;
  for (const [kind, instead] of CACHE_READS) {
    large += BigInt(usage[kind] ?? 0) * (BigInt(price.rates[instead]) - BigInt(price.rates[kind]));
  }
  const scale = BigInt(RATE_SCALE) * BigInt(NO_MULTIPLIER);
  const product = large * BigInt(factor.credits) * BigInt(factor.multiplier);
  const rest = ((product % scale) + scale) % scale;
  const saved = (product - rest) / scale;
  const most = BigInt(MAX_MICROS);
  return Number(saved > most ? most : saved < -most ? -most : saved);
}

/** Returns a − b by kind. Kinds without a difference are left out. */
export function subtract(a: Usage | ByKind, b: Usage | ByKind): ByKind {
  const difference: ByKind = {};
  for (const { kind } of KINDS) {
    const micros = (a[kind] ?? 0) - (b[kind] ?? 0);
    if (micros !== 0) difference[kind] = micros;
  }
  return difference;
}

/**
 * Scales parts that add up to `fromMicros` so that they add up to `toMicros`, by largest remainder. A refund that partly
 * undoes the charge of an earlier cycle counts only in part.
 */
export function scaleParts(parts: ByKind, fromMicros: number, toMicros: number): ByKind {
  if (fromMicros === toMicros) return parts;
  if (toMicros === 0) return {};
  const [from, to] = [BigInt(fromMicros), BigInt(toMicros)];
  const positive = from < 0n ? -from : from;
  const shares = KINDS.filter(({ kind }) => (parts[kind] ?? 0) !== 0).map(({ kind }): Share => {
    const product = BigInt(parts[kind] ?? 0) * to * (from < 0n ? -1n : 1n);
    const rest = ((product % positive) + positive) % positive;
    return { kind, whole: Number((product - rest) / positive), rest };
  });
  return distribute(shares, toMicros);
}

/** Gives what is left of the total to the shares with the largest remainders. Returns the shares that are not 0. */
function distribute(shares: readonly Share[], total: number): ByKind {
  let left = total - shares.reduce((sum, { whole }) => sum + whole, 0);
  // The sort is stable, so shares with the same remainder stay in the order of rule R1.
  const byRest = left > 0 ? [...shares].sort((a, b) => (a.rest === b.rest ? 0 : a.rest < b.rest ? 1 : -1)) : [];
  for (const share of byRest) if (left-- > 0) share.whole += 1;
  const parts: ByKind = {};
  for (const { kind, whole } of shares) if (whole !== 0) parts[kind] = whole;
  return parts;
}

function sharesOf(usage: Usage, price: Price, unit: Unit): { list: Share[]; total: Micros } {
  const { credits, multiplier } = factorOf(price, unit);
  const list: Share[] = [];
  let sum = 0;
  for (const { kind } of KINDS) {
    const quantity = usage[kind] ?? 0;
    if (quantity === 0) continue;
    const scaled = quantity * price.rates[kind] * RATE_FACTORS[kind] * credits;
    sum += scaled;
    const rest = scaled % RATE_SCALE;
    list.push({ kind, whole: (scaled - rest) / RATE_SCALE, rest });
  }
  // A sum of non-negative integers that stays below 2^53 is exact as a float, as in costOf.
  if (multiplier === NO_MULTIPLIER && sum <= MAX_MICROS) return { list, total: divideUp(sum) };
  return largeShares(usage, price, BigInt(credits) * BigInt(multiplier));
}

function largeShares(usage: Usage, price: Price, factor: bigint): { list: Share[]; total: Micros } {
  const scale = BigInt(RATE_SCALE) * BigInt(NO_MULTIPLIER);
  let sum = 0n;
  const list = KINDS.filter(({ kind }) => (usage[kind] ?? 0) > 0).map(({ kind }): Share => {
    const scaled = BigInt(usage[kind] ?? 0) * BigInt(price.rates[kind]) * BigInt(RATE_FACTORS[kind]) * factor;
    sum += scaled;
    return { kind, whole: Number(scaled / scale), rest: scaled % scale };
  });
  return { list, total: Number((sum + scale - 1n) / scale) };
}

function factorOf(price: Price, unit: Unit): { credits: number; multiplier: number } {
  return unit === "credits"
    ? { credits: price.creditsPerUsd, multiplier: price.multiplierMillionths }
    : { credits: 1, multiplier: NO_MULTIPLIER };
}

/** Divides by the scale of rates and rounds down, by the remainder, because a float quotient may already be rounded. */
function floorDivide(scaled: number): number {
  const rest = ((scaled % RATE_SCALE) + RATE_SCALE) % RATE_SCALE;
  return (scaled - rest) / RATE_SCALE;
}
