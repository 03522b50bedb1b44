/**
 * Price books as operators put them: rates, credits per dollar, models and aliases change from version to version. Every
 * Worker uses a new book within thirty seconds, but not all at the same time.
 */
import { indexPrices, type PriceIndex } from "../../src/catalog/price-book.ts";
import type { ModelPrice } from "../../src/catalog/price-entry.ts";
import type { Dice } from "./dice.ts";

/** Names that agents use: ids, aliases that move between models, and one that some books do not have. */
export const NAMES = ["swift", "deep", "odd", "fast", "best", "vendor/rare"] as const;
/** A model so expensive that a large report cannot be charged. */
export const EXPENSIVE = "dear";
const STALE_MS = 30_000;

export class Prices {
  #books: { index: PriceIndex; atMs: number }[];

  constructor(readonly dice: Dice) {
    this.#books = [{ index: indexPrices(drawBook(dice, 1)), atMs: 0 }];
  }

  get latest(): PriceIndex {
    return (this.#books.at(-1) as { index: PriceIndex }).index;
  }

  put(nowMs: number): void {
    const index = indexPrices(drawBook(this.dice, this.latest.book.version + 1));
    this.#books = [...this.#books.slice(-1), { index, atMs: nowMs }];
  }

  /** The book that some Worker uses now. */
  ofSomeWorker(nowMs: number): PriceIndex {
    const [before, latest] = this.#books.length > 1 ? this.#books : [undefined, this.#books[0]];
    if (latest === undefined) throw new Error("there is no price book");
    const stale = before !== undefined && nowMs - latest.atMs < STALE_MS && this.dice.chance(0.5);
    return stale ? before.index : latest.index;
  }
}

function drawBook(dice: Dice, version: number) {
  const moved = dice.chance(0.4);
  const models: ModelPrice[] = [
    model(dice, "swift", [moved ? "best" : "fast"], [100_000, 900_000]),
    model(dice, "deep", [moved ? "fast" : "best"], [1_000_000, 15_000_000]),
    model(dice, "odd", [], [1, 3_000_000]),
    model(dice, EXPENSIVE, [], [9_000_000_000_000, 9_999_999_999_999]),
  ];
  if (dice.chance(0.6)) models.push(model(dice, "vendor/rare", [], [1_000, 20_000_000]));
  if (dice.chance(0.2)) models.push(model(dice, "*", [], [500_000, 2_000_000]));
  return { version, credits_per_usd: dice.pick([100, 100, 100, 1, 37, 250]), models };
}

function model(dice: Dice, id: string, aliases: string[], [from, to]: [number, number]): ModelPrice {
  const rate = () => decimals(dice.spread(from, to));
  return { id, aliases, input: rate(), output: rate(), cache_read: rate(), cache_write: rate() };
}

function decimals(rate: number): string {
  return `${Math.floor(rate / 1_000_000)}.${String(rate % 1_000_000).padStart(6, "0")}`;
}
