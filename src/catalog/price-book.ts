/**
 * A price book: an immutable, numbered list of prices per model (rule R1), and how a model's name is looked up in it.
 * Names are ids and aliases together, each unique; an entry with id `*`, where there is one, prices any other name.
 */
import { type Price, parseRate } from "../ledger/prices.ts";
import builtIn from "./built-in-prices.json" with { type: "json" };

/** Rates in USD per million tokens, decimal strings of up to six decimals. */
export type ModelPrice = {
  id: string;
  aliases: string[];
  input: string;
  output: string;
  cache_read: string;
  cache_write: string;
};

export type PriceBook = { version: number; credits_per_usd: number; models: ModelPrice[] };

export const BUILT_IN: PriceBook = {
  version: builtIn.version,
  credits_per_usd: builtIn.credits_per_usd,
  models: builtIn.models,
};

export const ANY_MODEL = "*";

/** A book made ready for lookups: each name leads to its model's id and price. */
export type PriceIndex = { book: PriceBook; find(name: string): { model: string; price: Price } | null };

export function indexPrices(book: PriceBook): PriceIndex {
  const byName = new Map<string, { model: string; price: Price }>();
  for (const entry of book.models) {
    const found = { model: entry.id, price: priceOf(entry, book) };
    for (const name of [entry.id, ...entry.aliases]) byName.set(name, found);
  }
  const any = byName.get(ANY_MODEL) ?? null;
  return {
    book,
    find: (name) => byName.get(name) ?? (any === null ? null : { model: name, price: any.price }),
  };
}

function priceOf(entry: ModelPrice, book: PriceBook): Price {
  return {
    bookVersion: book.version,
    creditsPerUsd: book.credits_per_usd,
    rates: {
      input: exactRate(entry.input),
      output: exactRate(entry.output),
      cacheRead: exactRate(entry.cache_read),
      cacheWrite: exactRate(entry.cache_write),
    },
  };
}

function exactRate(text: string): number {
  const rate = parseRate(text);
  if (rate === null) throw new Error(`a price book holds "${text}", which is no rate`);
  return rate;
}
