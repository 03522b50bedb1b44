/**
 * A price-book entry as JSON: in the book, in overrides and over HTTP. This file converts it to the ledger's form and
 * back. Rates are decimal strings. An entry lists only the rates that it has; `listedRates` of a model without tiers
 * that equal the rate they fall back to say nothing, so adding or leaving them out does not change an entry.
 */
import { KINDS, type Kind } from "../ledger/kinds.ts";
import type { PriceEntry } from "../ledger/price-list.ts";
import { formatRate, type ListedRates, parseRate, type Rates, resolveRates } from "../ledger/prices.ts";

/** Rates in USD per million tokens or per thousand searches, with up to six decimals. */
export type RateTexts = { [kind in Kind]?: string | undefined };

export type TierPrice = { above_input_tokens?: number | undefined } & RateTexts;

export type ModelPrice = { id: string; aliases: string[]; input: string; output: string } & RateTexts & {
    tiers?: Record<string, TierPrice> | undefined;
  };

/** An entry in which every rate is filled in, also those of its tiers. */
type FilledPrice = { id: string; aliases: string[] } & Record<Kind, string> & {
    tiers: Record<string, { above_input_tokens?: number } & Record<Kind, string>>;
  };

/** Converts an entry to the ledger's form. */
export function parseEntry(entry: ModelPrice): PriceEntry {
  const tiers = Object.entries(entry.tiers ?? {}).map(([name, tier]) => {
    return [name, { aboveInputTokens: tier.above_input_tokens ?? null, rates: parseRates(tier) }] as const;
  });
  return { id: entry.id, rates: parseRates(entry), tiers: Object.fromEntries(tiers) };
}

/** Fills in every rate of an entry and of its tiers. */
export function fillEntry(entry: ModelPrice): FilledPrice {
  const { rates, tiers } = parseEntry(entry);
  const filledTiers = Object.entries(tiers).map(([name, tier]) => {
    const above = tier.aboveInputTokens === null ? {} : { above_input_tokens: tier.aboveInputTokens };
    return [name, { ...above, ...formatRates(resolveRates(rates, tier.rates)) }] as const;
  });
  return {
    id: entry.id,
    aliases: entry.aliases,
    ...formatRates(resolveRates(rates)),
    tiers: Object.fromEntries(filledTiers),
  };
}

/**
 * Returns an entry as callers of the first release know it: `cache_read` and `cache_write` are always there. In an entry
 * with tiers a rate that was not listed stays out, because it would then apply to the tiers as well.
 */
export function showCacheRates(entry: ModelPrice): ModelPrice {
  if (hasTiers(entry)) return entry;
  const { id, aliases, input, output, cache_read = input, cache_write = input, ...others } = entry;
  return { id, aliases, input, output, cache_read, cache_write, ...others };
}

/** Returns an entry with the four rates of the first release, which know no other kinds and no tiers. */
export function toFourRates(entry: ModelPrice) {
  const { id, aliases, input, output, cache_read = input, cache_write = input } = entry;
  return { id, aliases, input, output, cache_read, cache_write };
}

/** Returns an entry as it is stored: without what `showCacheRates` adds, and with its members in one order. */
export function canonicalEntry(entry: ModelPrice): ModelPrice {
  const { id, aliases, tiers } = entry;
  const rates = orderedRates(entry);
  if (!hasTiers(entry)) {
    for (const kind of ["cache_read", "cache_write"] as const) {
      if (rates[kind] !== undefined && parseRate(rates[kind]) === parseRate(entry.input)) delete rates[kind];
    }
    return { id, aliases, ...rates } as ModelPrice;
  }
  const ordered = Object.entries(tiers ?? {}).map(([name, { above_input_tokens, ...tier }]) => {
    const above = above_input_tokens === undefined ? {} : { above_input_tokens };
    return [name, { ...above, ...orderedRates(tier) }] as const;
  });
  return { id, aliases, ...rates, tiers: Object.fromEntries(ordered) } as ModelPrice;
}

function hasTiers({ tiers }: ModelPrice): boolean {
  return tiers !== undefined && Object.keys(tiers).length > 0;
}

function orderedRates(texts: RateTexts): RateTexts {
  return Object.fromEntries(
    KINDS.flatMap(({ kind }) => (texts[kind] === undefined ? [] : [[kind, texts[kind]] as const])),
  );
}

function parseRates(texts: RateTexts): ListedRates {
  return Object.fromEntries(
    KINDS.flatMap(({ kind }) => (texts[kind] === undefined ? [] : [[kind, exactRate(texts[kind])] as const])),
  );
}

function formatRates(rates: Rates): Record<Kind, string> {
  return Object.fromEntries(KINDS.map(({ kind }) => [kind, formatRate(rates[kind])])) as Record<Kind, string>;
}

function exactRate(text: string): number {
  const rate = parseRate(text);
  if (rate === null) throw new Error(`a price book holds "${text}", which is not a valid rate`);
  return rate;
}
