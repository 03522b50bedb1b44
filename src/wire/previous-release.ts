/**
 * The form of a report in calls between the Worker and an object of the previous release. During a deployment, old
 * Workers call new objects and new Workers call old objects. The previous release knew four usage kinds, named in
 * camelCase. Delete this file in the release after the next.
 */
import type { Report } from "../ledger/debit.ts";
import { NO_MULTIPLIER, type Price, resolveRates } from "../ledger/prices.ts";

type PreviousTokens = { input: number; output: number; cacheRead: number; cacheWrite: number };
type PreviousReport = Omit<Report, "usage" | "price"> & {
  tokens: PreviousTokens;
  price: { bookVersion: number; creditsPerUsd: number; rates: PreviousTokens } | null;
};

/** Converts a report of a Worker of the previous release. Returns any other report unchanged. */
export function fromPreviousWorker(report: Report | PreviousReport): Report {
  if ("usage" in report) return report;
  const { tokens, price, ...rest } = report;
  return {
    ...rest,
    usage: kindsOf(tokens),
    price: price && { ...price, multiplierMillionths: NO_MULTIPLIER, rates: resolveRates(kindsOf(price.rates)) },
  };
}

/** Adds the fields that an object of the previous release reads. */
export function forPreviousObject(report: Report): Report & { tokens: PreviousTokens } {
  const { usage, price } = report;
  const oldPrice = price && ({ ...price, rates: { ...price.rates, ...previousKindsOf(price.rates) } } as Price);
  return { ...report, price: oldPrice, tokens: previousKindsOf(usage) };
}

function kindsOf({ input, output, cacheRead, cacheWrite }: PreviousTokens) {
  return { input, output, cache_read: cacheRead, cache_write: cacheWrite };
}

function previousKindsOf(kinds: Report["usage"]): PreviousTokens {
  const { input = 0, output = 0, cache_read = 0, cache_write = 0 } = kinds;
  return { input, output, cacheRead: cache_read, cacheWrite: cache_write };
}
