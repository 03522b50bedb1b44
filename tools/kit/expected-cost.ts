// What a run must cost, computed a second time from the price book alone: the replay's side of the comparison.
// It deliberately shares no line with src/ledger: a common mistake would cancel out.
// Rates are USD per million tokens with up to six decimals; times tokens this is micro-USD, so scaled by 10^6 the
// whole sum is one BigInt, rounded up once (PRODUCT R1).
import type { TokenTotals } from "../replay/trace.ts";

/** One model of the price book, as GET /v1/price-book gives it. */
export interface PriceBookModel {
  id: string;
  aliases: string[];
  input: string;
  output: string;
  cache_read: string;
  cache_write: string;
}

/** The price book in force. */
export interface PriceBook {
  version: number;
  credits_per_usd: number;
  models: PriceBookModel[];
}

const RATE_SCALE_DIGITS = 6;
const RATE_SCALE = 10n ** BigInt(RATE_SCALE_DIGITS);

/** The entry that prices a model: its id, an alias, or the entry `*`; undefined when the book has none of these. */
export function resolveModel(book: PriceBook, model: string): PriceBookModel | undefined {
  return (
    book.models.find(({ id }) => id === model) ??
    book.models.find(({ aliases }) => aliases.includes(model)) ??
    book.models.find(({ id }) => id === "*")
  );
}

/** The first of the wished models that the book names, else its first one. */
export function preferredModel(book: PriceBook, wishes: readonly string[]): string {
  const named = wishes.find((wish) => book.models.some(({ id, aliases }) => id === wish || aliases.includes(wish)));
  const first = book.models.find(({ id }) => id !== "*");
  if (!named && !first) throw new Error("the price book has no model; name one with --model");
  return named ?? first!.id;
}

/** The charge of one meter, in micro-credits (unit `credits`) or micro-USD (unit `usd`). */
export function expectedChargeMicros(totals: TokenTotals, price: PriceBookModel, unit: Unit, book: PriceBook): bigint {
  const scaled =
    BigInt(totals.input_tokens) * scaledRate(price.input) +
    BigInt(totals.output_tokens) * scaledRate(price.output) +
    BigInt(totals.cache_read_tokens) * scaledRate(price.cache_read) +
    BigInt(totals.cache_write_tokens) * scaledRate(price.cache_write);
  const perUsd = unit === "credits" ? BigInt(book.credits_per_usd) : 1n;
  return (scaled * perUsd + RATE_SCALE - 1n) / RATE_SCALE;
}

/** What the answers to debits count in. */
export type Unit = "credits" | "usd";

/** "0.075" → 75000n. */
function scaledRate(rate: string): bigint {
  const match = /^(\d+)(?:\.(\d{1,6}))?$/.exec(rate);
  if (!match) throw new Error(`the price book has the rate "${rate}", expected a decimal with up to six places`);
  return BigInt(match[1]!) * RATE_SCALE + BigInt((match[2] ?? "").padEnd(RATE_SCALE_DIGITS, "0"));
}
