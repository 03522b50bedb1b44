// Computes what a run must cost from the price book alone, for comparison with what the ledger charged.
// It shares only types with src, on purpose: a bug in shared code would go unnoticed.
// Rates are USD per million tokens with up to six decimals, so tokens times rate is micro-USD. Scaled by 10^6, the whole
// sum is one BigInt, which is rounded up once.
import type { PriceBook } from "../../src/catalog/price-book.ts";
import type { ModelPrice } from "../../src/catalog/price-entry.ts";

/** The running or final totals of a meter. */
export interface TokenTotals {
  input_tokens: number;
  output_tokens: number;
  cache_read_tokens: number;
  cache_write_tokens: number;
}

const RATE_SCALE_DIGITS = 6;
const RATE_SCALE = 10n ** BigInt(RATE_SCALE_DIGITS);

/** The entry that prices a model, by its id, an alias, or `*`; undefined if there is none. */
export function resolveModel(book: PriceBook, model: string): ModelPrice | undefined {
  return (
    book.models.find(({ id }) => id === model) ??
    book.models.find(({ aliases }) => aliases.includes(model)) ??
    book.models.find(({ id }) => id === "*")
  );
}

/** The first of these models that the book has, or else the book's first model. */
export function preferredModel(book: PriceBook, models: readonly string[]): string {
  const known = models.find((model) => book.models.some(({ id, aliases }) => id === model || aliases.includes(model)));
  const first = book.models.find(({ id }) => id !== "*");
  if (!known && !first) throw new Error("the price book has no model; name one with --model");
  return known ?? first!.id;
}

/** The charge of one meter, in micro-credits (unit `credits`) or micro-USD (unit `usd`). */
export function expectedChargeMicros(totals: TokenTotals, price: ModelPrice, unit: Unit, book: PriceBook): bigint {
  const scaled =
    BigInt(totals.input_tokens) * scaledRate(price.input) +
    BigInt(totals.output_tokens) * scaledRate(price.output) +
    BigInt(totals.cache_read_tokens) * scaledRate(price.cache_read ?? price.input) +
    BigInt(totals.cache_write_tokens) * scaledRate(price.cache_write ?? price.input);
  const perUsd = unit === "credits" ? BigInt(book.credits_per_usd) : 1n;
  return (scaled * perUsd + RATE_SCALE - 1n) / RATE_SCALE;
}

/** The unit of the amounts in answers to debits. */
export type Unit = "credits" | "usd";

/** "0.075" → 75000n. */
function scaledRate(rate: string): bigint {
  const match = /^(\d+)(?:\.(\d{1,6}))?$/.exec(rate);
  if (!match) throw new Error(`the price book has the rate "${rate}", expected a decimal with up to six places`);
  return BigInt(match[1]!) * RATE_SCALE + BigInt((match[2] ?? "").padEnd(RATE_SCALE_DIGITS, "0"));
}
