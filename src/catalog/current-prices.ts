/**
 * This isolate's copy of the price book in force. It is at most 30 seconds old, and renewed in the background before
 * that, so that a debit rarely waits for it. When the catalog cannot be asked, the copy serves on.
 */
import { catalogOf } from "./object.ts";
import { indexPrices, type PriceBook, type PriceIndex } from "./price-book.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;

let copy: { index: PriceIndex; readAtMs: number } | null = null;
let renewing: Promise<PriceIndex> | null = null;

/** The prices in force, not older than 30 seconds. */
export async function currentPrices(env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<PriceIndex> {
  const ageMs = copy === null ? Number.POSITIVE_INFINITY : Date.now() - copy.readAtMs;
  if (copy !== null && ageMs < RENEW_AGE_MS) return copy.index;
  renewing ??= renew(env).finally(() => {
    renewing = null;
  });
  if (copy === null || ageMs >= MAX_AGE_MS) return renewing;
  ctx.waitUntil(renewing);
  return copy.index;
}

async function renew(env: Env): Promise<PriceIndex> {
  const known = copy;
  try {
    const book = await catalogOf(env).currentBook(known?.index.book.version ?? null);
    // A book may have been put here while the catalog was asked: it is the newer one.
    if (copy !== null && copy !== known) return copy.index;
    copy = {
      index: book === null && known !== null ? known.index : indexPrices(book as NonNullable<typeof book>),
      readAtMs: Date.now(),
    };
    return copy.index;
  } catch (error) {
    if (known === null) throw error;
    console.error(JSON.stringify({ event: "price_book_not_renewed", error: String(error) }));
    return known.index;
  }
}

/** Takes a book that this isolate has just put: in force here at once. */
export function adoptBook(book: PriceBook): void {
  copy = { index: indexPrices(book), readAtMs: Date.now() };
}
