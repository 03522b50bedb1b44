/**
 * A price book is an immutable, numbered list of prices per model (rule R1). This file defines it and looks up a
 * model's price by name. A model's name is its id or one of its aliases. Each name is unique in the book. If the book
 * has an entry with the id `*`, this entry prices every other name.
 */
import { NO_MULTIPLIER, type Price, parseRate, resolveRates } from "../ledger/prices.ts";
import builtIn from "./built-in-prices.json" with { type: "json" };

/** Rates are USD per million tokens, as decimal strings with up to six decimals. */
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

/**
 * A price book indexed by name. `find` returns the model's id and price, or null if the book does not price the name.
 */
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
    multiplierMillionths: NO_MULTIPLIER,
    rates: resolveRates({
      input: exactRate(entry.input),
      output: exactRate(entry.output),
      cache_read: exactRate(entry.cache_read),
      cache_write: exactRate(entry.cache_write),
    }),
  };
}

function exactRate(text: string): number {
  const rate = parseRate(text);
  if (rate === null) throw new Error(`a price book holds "${text}", which is not a valid rate`);
  return rate;
}
