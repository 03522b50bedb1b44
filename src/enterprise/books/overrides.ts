/**
 * The price overrides of one enterprise: entries that replace or add to those of the price book. They are stored as one
 * row per entry and kept in memory, because every debit asks them. Losing the memory costs one query.
 */
import { type ModelPrice, parseEntry } from "../../catalog/price-entry.ts";
import type { Report } from "../../ledger/debit.ts";
import {
  type BookTerms,
  chooseEntry,
  indexEntries,
  type PriceEntry,
  type PriceList,
  ratesAt,
} from "../../ledger/price-list.ts";
import { NO_MULTIPLIER, type Price } from "../../ledger/prices.ts";
import { STANDARD_TIER } from "../../ledger/tiers.ts";
import type { Sql } from "./sql.ts";

const MAX_PRICES = 2_000;

type Quoted = Pick<Report, "model" | "reportedAs" | "price" | "book"> & { tier?: string };

export class Overrides {
  #list: PriceList | null | undefined;
  /** The prices of overrides that were asked for. All of a debit's reports at one price share its object. */
  readonly #prices = new Map<string, Price>();

  constructor(readonly sql: Sql) {}

  load(): ModelPrice[] {
    return this.sql
      .all("SELECT entry FROM price_overrides ORDER BY place")
      .map(({ entry }) => JSON.parse(entry as string) as ModelPrice);
  }

  /** Replaces the whole list. Call `forget` once the transaction has ended. */
  put(models: readonly ModelPrice[]): void {
    this.sql.run("DELETE FROM price_overrides");
    this.sql.run(
      "INSERT INTO price_overrides SELECT key, value FROM json_each(?)",
      JSON.stringify(models.map((model) => JSON.stringify(model))),
    );
  }

  forget(): void {
    this.#list = undefined;
    this.#prices.clear();
  }

  /** Returns the report with the model and the price that the overrides and the multiplier make of the book's. */
  apply<R extends Quoted>(report: R, multiplierMillionths = NO_MULTIPLIER): R {
    if (this.#list === undefined) this.#list = this.#index();
    const terms = this.#list === null ? null : termsOf(report);
    if (this.#list !== null && terms !== null) {
      const chosen = chooseEntry(report.reportedAs, terms.match, this.#list);
      if (chosen === null) return { ...report, model: report.reportedAs, price: null };
      if (chosen.entry !== null) {
        const price = this.#priceOf(chosen.entry, report.tier ?? STANDARD_TIER, terms, multiplierMillionths);
        return { ...report, model: chosen.id, price };
      }
    }
    if (report.price === null || multiplierMillionths === NO_MULTIPLIER) return report;
    return { ...report, price: { ...report.price, multiplierMillionths } };
  }

  #priceOf(entry: PriceEntry, tier: string, { bookVersion, creditsPerUsd }: BookTerms, multiplier: number): Price {
    const knownTier = Object.hasOwn(entry.tiers, tier) ? tier : STANDARD_TIER;
    const key = `${entry.id} ${knownTier} ${bookVersion} ${creditsPerUsd} ${multiplier}`;
    const known = this.#prices.get(key);
    if (known !== undefined) return known;
    const price = { bookVersion, creditsPerUsd, multiplierMillionths: multiplier, rates: ratesAt(entry, knownTier) };
    if (this.#prices.size >= MAX_PRICES) this.#prices.clear();
    this.#prices.set(key, price);
    return price;
  }

  #index(): PriceList | null {
    const models = this.load();
    return models.length === 0 ? null : indexEntries(models, parseEntry);
  }
}

/** Workers of the last release send no terms. They price exact ids and aliases; without a price nothing is known. */
function termsOf({ book, model, price }: Quoted): BookTerms | null {
  if (book !== undefined) return book;
  if (price === null) return null;
  const { bookVersion, creditsPerUsd } = price;
  return { bookVersion, creditsPerUsd, match: { kind: "model", id: model, step: 0 } };
}
