/**
 * The meters of the reference model: how totals join, what they cost, and some arithmetic in BigInt.
 */
import type { Kinds, ListPrice, ReportEvent, Unit } from "./story.ts";

const KINDS = ["input", "output", "cache_read", "cache_write"] as const;

export type Draw = {
  bucket: "monthly" | "grant" | "debt" | "spend";
  grant: string | null;
  cycle: number;
  micros: bigint;
  lapsed: bigint;
};
export type Meter = {
  run: string;
  model: string;
  names: string[];
  unit: Unit;
  price: ListPrice;
  tokens: Kinds;
  final: boolean;
  firstMs: number;
  lastMs: number;
  draws: Draw[];
};

/** The larger count of each kind. A final report closes with exactly its totals; then only another final counts. */
export function join(meter: Meter, { tokens, final }: ReportEvent): void {
  if (meter.final && !final) return;
  const exactly = final && !meter.final;
  meter.tokens = { ...meter.tokens };
  for (const kind of KINDS) meter.tokens[kind] = exactly ? tokens[kind] : Math.max(meter.tokens[kind], tokens[kind]);
  meter.final ||= final;
}

export function joins(meter: Meter, event: ReportEvent): boolean {
  const copy = { ...meter };
  join(copy, event);
  return copy.final !== meter.final || KINDS.some((kind) => copy.tokens[kind] !== meter.tokens[kind]);
}

/** ceil(Σ tokens × rate), in credits × credits_per_usd; rates are millionths of a USD per million tokens. */
export function costOf({ tokens, price, unit }: Pick<Meter, "tokens" | "price" | "unit">): bigint {
  const scaled = KINDS.reduce((total, kind) => total + BigInt(tokens[kind]) * BigInt(price.rates[kind]), 0n);
  const exact = unit === "credits" ? scaled * BigInt(price.creditsPerUsd) : scaled;
  return (exact + 999_999n) / 1_000_000n;
}

/** Two decimals, half up. */
export function percentOf(part: bigint, whole: bigint | null): number | null {
  return whole === null || whole === 0n ? null : Number((part * 20_000n + whole) / (whole * 2n)) / 100;
}

export const numberOrNull = (value: bigint | null) => (value === null ? null : Number(value));
export const sum = (draws: readonly Draw[]) => draws.reduce((total, draw) => total + draw.micros, 0n);
export const smaller = (a: bigint, b: bigint) => (a < b ? a : b);
export const atLeastZero = (value: bigint) => (value < 0n ? 0n : value);
