/**
 * Lists of prices: the price book and the overrides of one enterprise (rule R1). A list finds the entry of a model's name
 * and the rates of a tier. `choosePrice` decides between both lists. This file does not know the JSON form of an entry.
 */
import { matchName, type NameMatch, preferOverride } from "./model-names.ts";
import { type ListedRates, type Rates, resolveRates } from "./prices.ts";

/** The entry that prices every name that no other entry prices. */
export const ANY_MODEL = "*";

export type PriceEntry = {
  id: string;
  rates: ListedRates;
  tiers: Readonly<Record<string, { aboveInputTokens: number | null; rates: ListedRates }>>;
};

/** A list of prices, indexed by name. */
export type PriceList = {
  /** Finds the model that a name means. The entry `*` is not considered. */
  match(name: string): NameMatch | null;
  /** Returns the entry with this id, which may be `*`; null if there is none. */
  entry(id: string): PriceEntry | null;
};

/** What the price book says about a name: the match, if there is one, and otherwise whether `*` prices it. */
export type BookMatch = NameMatch | { kind: "fallback" } | null;

/**
 * Indexes entries by their ids and aliases.
 *
 * @param parse converts an entry when it is first needed, because most entries of a book are never used
 */
export function indexEntries<E extends { id: string; aliases: readonly string[] }>(
  entries: readonly E[],
  parse: (entry: E) => PriceEntry,
): PriceList {
  const ids = new Map<string, string>();
  const byId = new Map<string, E>();
  for (const entry of entries) {
    byId.set(entry.id, entry);
    if (entry.id === ANY_MODEL) continue;
    for (const name of [entry.id, ...entry.aliases]) ids.set(name, entry.id);
  }
  const parsed = new Map<string, PriceEntry>();
  return {
    match: (name) => matchName(name, (spelling) => ids.get(spelling) ?? null),
    entry: (id) => {
      const known = parsed.get(id);
      if (known !== undefined) return known;
      const entry = byId.get(id);
      if (entry === undefined) return null;
      const result = parse(entry);
      parsed.set(id, result);
      return result;
    },
  };
}

/** What a report carries from the price book in addition to its price, so that overrides can be applied to it. */
export type BookTerms = { bookVersion: number; creditsPerUsd: number; match: BookMatch };

/** What a list without an override says about a name. */
export function matchInBook(book: PriceList, name: string): BookMatch {
  return book.match(name) ?? (book.entry(ANY_MODEL) === null ? null : { kind: "fallback" });
}

/** Which entry prices a name: one of the overrides, one of the book's, or none. `id` is the id that the meter gets. */
type Chosen = { source: "override" | "book" | "fallback"; id: string; entry: PriceEntry | null };

/**
 * Chooses the entry that prices a name; null if nothing prices it, or if its name means several models. The overrides
 * are asked first at each step of removing parts of the name. An override with the id of the book's entry replaces that
 * entry, whatever the model was called. `*` comes last.
 *
 * The entry is null if the book prices the name: who asks may know the book's match without having the book.
 */
export function chooseEntry(name: string, book: BookMatch, overrides: PriceList | null): Chosen | null {
  const inBook = book?.kind === "fallback" ? null : book;
  const match = preferOverride(overrides?.match(name) ?? null, inBook);
  if (match?.kind === "tie") return null;
  if (match !== null) {
    const entry = overrides?.entry(match.id) ?? null;
    return { source: entry === null ? "book" : "override", id: match.id, entry };
  }
  const any = overrides?.entry(ANY_MODEL) ?? null;
  if (any === null && book === null) return null;
  return { source: "fallback", id: name, entry: any };
}

/** Returns the complete rates of an entry at a tier. A tier that the entry lacks is priced like the standard tier. */
export function ratesAt(entry: PriceEntry, tier: string): Rates {
  return resolveRates(entry.rates, Object.hasOwn(entry.tiers, tier) ? entry.tiers[tier]?.rates : undefined);
}
