/**
 * Price books as operators put them: rates, credits per dollar, models and aliases change from version to version. Every
 * Worker uses a new book within thirty seconds, but not all at the same time.
 */
import { indexPrices, type PriceIndex } from "../../src/catalog/price-book.ts";
import type { ModelPrice, RateTexts } from "../../src/catalog/price-entry.ts";
import { KINDS, type Kind } from "../../src/ledger/kinds.ts";
import type { Price } from "../../src/ledger/prices.ts";
import type { Dice } from "./dice.ts";

/** Names that agents use: ids, aliases that move between models, and one that some books do not have. */
export const NAMES = ["swift", "deep", "odd", "fast", "best", "vendor/rare"] as const;
/** A model so expensive that a large report cannot be charged. */
export const EXPENSIVE = "dear";
const STALE_MS = 30_000;

type Book = { version: number; credits_per_usd: number; models: ModelPrice[] };

export class Prices {
  #books: { index: PriceIndex; atMs: number }[];
  /** Every book, by its version. */
  readonly #put = new Map<number, Book>();

  constructor(readonly dice: Dice) {
    this.#books = [{ index: this.#index(1), atMs: 0 }];
  }

  get latest(): PriceIndex {
    return (this.#books.at(-1) as { index: PriceIndex }).index;
  }

  /** The rates of a model at a tier, by rule R1 and from the book as it was put. */
  ratesOf({ model: id, price }: { model: string; price: Price | null }, tier: string): Record<string, number> {
    const { models } = this.#put.get(price?.bookVersion ?? 0) as Book;
    const entry = models.find((known) => known.id === id) ?? (models.find((known) => known.id === "*") as ModelPrice);
    const own: RateTexts = entry.tiers?.[tier] ?? {};
    const rateOf = (kind: Kind): number => {
      const text = own[kind] ?? entry[kind];
      if (text !== undefined) return Math.round(Number(text) * 1_000_000);
      const fallback = FALLBACKS[kind];
      return fallback === undefined ? 0 : rateOf(fallback);
    };
    return Object.fromEntries(KINDS.map(({ kind }) => [kind, rateOf(kind)]));
  }

  put(nowMs: number): void {
    const index = this.#index(this.latest.book.version + 1);
    this.#books = [...this.#books.slice(-1), { index, atMs: nowMs }];
  }

  #index(version: number): PriceIndex {
    const book = drawBook(this.dice, version);
    this.#put.set(version, book);
    return indexPrices(book);
  }

  /** The book that some Worker uses now. */
  ofSomeWorker(nowMs: number): PriceIndex {
    const [before, latest] = this.#books.length > 1 ? this.#books : [undefined, this.#books[0]];
    if (latest === undefined) throw new Error("there is no price book");
    const stale = before !== undefined && nowMs - latest.atMs < STALE_MS && this.dice.chance(0.5);
    return stale ? before.index : latest.index;
  }
}

function drawBook(dice: Dice, version: number): Book {
  const moved = dice.chance(0.4);
  const models: ModelPrice[] = [
    { ...model(dice, "swift", [moved ? "best" : "fast"], [100_000, 900_000]), input_audio: "3", web_searches: "10" },
    withBatch(model(dice, "deep", [moved ? "fast" : "best"], [1_000_000, 15_000_000])),
    model(dice, "odd", [], [1, 3_000_000]),
    model(dice, EXPENSIVE, [], [9_000_000_000_000, 9_999_999_999_999]),
  ];
  if (dice.chance(0.6)) models.push(model(dice, "vendor/rare", [], [1_000, 20_000_000]));
  if (dice.chance(0.2)) models.push(model(dice, "*", [], [500_000, 2_000_000]));
  return { version, credits_per_usd: dice.pick([100, 100, 100, 1, 37, 250]), models };
}

/** In a batch, only what the tier lists is cheaper. */
function withBatch(price: ModelPrice): ModelPrice {
  return { ...price, cache_write_1h: "7.5", tiers: { batch: { input: "0.5", cache_read: "0.05" } } };
}

function model(dice: Dice, id: string, aliases: string[], [from, to]: [number, number]): ModelPrice {
  const rate = () => decimals(dice.spread(from, to));
  return { id, aliases, input: rate(), output: rate(), cache_read: rate(), cache_write: rate() };
}

/** To which kind's rate each kind falls back, by the table of rule R1. */
const FALLBACKS: { [kind in Kind]?: Kind } = {
  ...({ cache_read: "input", cache_write: "input", cache_write_1h: "cache_write" } as const),
  ...({ input_audio: "input", cache_audio_read: "cache_read", output_audio: "output" } as const),
  ...({ input_image: "input", cache_image_read: "cache_read", output_image: "output" } as const),
};

function decimals(rate: number): string {
  return `${Math.floor(rate / 1_000_000)}.${String(rate % 1_000_000).padStart(6, "0")}`;
}
