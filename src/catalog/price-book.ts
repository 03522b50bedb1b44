/**
 * A price book is an immutable, numbered list of prices per model (rule R1). This file defines it and finds the price of
 * a model's name at a tier. Ids and aliases are unique in the book. If the book has an entry with the id `*`, this entry
 * prices every name that no other entry matches.
 */
import {
  ANY_MODEL,
  type BookMatch,
  type BookTerms,
  indexEntries,
  matchInBook,
  type PriceEntry,
  type PriceList,
  ratesAt,
} from "../ledger/price-list.ts";
import { NO_MULTIPLIER, type Price } from "../ledger/prices.ts";
import { STANDARD_TIER } from "../ledger/tiers.ts";
import builtIn from "./built-in-prices.json" with { type: "json" };
import { type ModelPrice, parseEntry } from "./price-entry.ts";

export type PriceBook = { version: number; credits_per_usd: number; models: ModelPrice[] };

/** The prices that come with this release. The catalog gives them a version when it first sees them. */
export const BUILT_IN = builtIn as { digest: string; credits_per_usd: number; models: ModelPrice[] };

/** What the price book says about a name. `model` is the id of the meter, and `price` is null if nothing prices it. */
type Quote = { model: string; price: Price | null; book: BookTerms };

export type PriceIndex = {
  book: PriceBook;
  list: PriceList;
  /** Finds the model and the price of a name at a tier. */
  find(name: string, tier?: string): Quote;
};

/** More distinct names than any deployment uses; names beyond it are matched each time. */
const MAX_REMEMBERED = 5_000;

/** Indexes a book by name. */
export function indexPrices(book: PriceBook): PriceIndex {
  const list = indexEntries(book.models, parseEntry);
  const known = new Map<string, BookTerms>();
  const termsOf = (name: string): BookTerms => {
    const terms = known.get(name) ?? termsAt(book, matchInBook(list, name));
    if (known.size < MAX_REMEMBERED) known.set(name, terms);
    return terms;
  };
  const prices = new Map<string, Price>();
  const priceOf = (entry: PriceEntry, tier: string): Price => {
    const key = `${entry.id} ${Object.hasOwn(entry.tiers, tier) ? tier : STANDARD_TIER}`;
    const price = prices.get(key) ?? priceAt(entry, tier, book);
    prices.set(key, price);
    return price;
  };
  const quoteOf = (name: string, tier: string): Quote => {
    const terms = termsOf(name);
    const { match } = terms;
    if (match === null || match.kind === "tie") return { model: name, price: null, book: terms };
    const model = match.kind === "fallback" ? name : match.id;
    const entry = list.entry(match.kind === "fallback" ? ANY_MODEL : match.id) as PriceEntry;
    return { model, price: priceOf(entry, tier), book: terms };
  };
  // Most reports name the standard tier, and every report needs a price.
  const standard = new Map<string, Quote>();
  const find = (name: string, tier = STANDARD_TIER): Quote => {
    if (tier !== STANDARD_TIER) return quoteOf(name, tier);
    const remembered = standard.get(name);
    if (remembered !== undefined) return remembered;
    const quote = quoteOf(name, tier);
    if (standard.size < MAX_REMEMBERED) standard.set(name, quote);
    return quote;
  };
  return { book, list, find };
}

function termsAt(book: PriceBook, match: BookMatch): BookTerms {
  return { bookVersion: book.version, creditsPerUsd: book.credits_per_usd, match };
}

function priceAt(entry: PriceEntry, tier: string, book: PriceBook): Price {
  return {
    bookVersion: book.version,
    creditsPerUsd: book.credits_per_usd,
    multiplierMillionths: NO_MULTIPLIER,
    rates: ratesAt(entry, tier),
  };
}
