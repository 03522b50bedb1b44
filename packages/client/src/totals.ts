/** Pure arithmetic on running totals. */
import type { Usage } from "./wire.ts";

/** A usage in which all four kinds are present. */
export type Totals = Required<Usage>;

export const KINDS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"] as const;

const MAX_TOKENS = 1_000_000_000_000;

export const ZERO_TOTALS: Totals = { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 };

/** Checks a usage as the ledger does, and sets missing kinds to 0. Throws a RangeError that names the wrong kind. */
export function totalsOf(usage: Usage): Totals {
  const totals = { ...ZERO_TOTALS };
  for (const kind of KINDS) {
    const tokens = usage[kind] ?? 0;
    if (!Number.isInteger(tokens) || tokens < 0 || tokens > MAX_TOKENS) {
      throw new RangeError(`${kind} must be an integer from 0 to 10^12, not ${String(tokens)}`);
    }
    totals[kind] = tokens;
  }
  return totals;
}

export function sumOf(all: Iterable<Totals>): Totals {
  const sum = { ...ZERO_TOTALS };
  for (const totals of all) for (const kind of KINDS) sum[kind] += totals[kind];
  return sum;
}

export function isSame(a: Totals, b: Totals): boolean {
  return KINDS.every((kind) => a[kind] === b[kind]);
}
