/**
 * This isolate's copy of the price book in force. It is at most 30 seconds old, and renewed in the background before
 * that, so that a debit rarely waits for it. When the catalog cannot be asked, the copy serves on. Requests share the
 * copy, but never a promise: what one request waits for is not another's to await in a Worker, so each asks itself.
 */
import { catalogOf } from "./object.ts";
import { indexPrices, type PriceBook, type PriceIndex } from "./price-book.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;
/** A renewal in the background that has not come back by then may have ended with its request: another one begins. */
const RENEWAL_MS = 2_000;

let copy: { index: PriceIndex; readAtMs: number } | null = null;
let renewalBeganMs = 0;

/** The prices in force, not older than 30 seconds. */
export async function currentPrices(env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<PriceIndex> {
  const nowMs = Date.now();
  const ageMs = copy === null ? Number.POSITIVE_INFINITY : nowMs - copy.readAtMs;
  if (copy === null || ageMs >= MAX_AGE_MS) return renew(env);
  if (ageMs >= RENEW_AGE_MS && nowMs - renewalBeganMs >= RENEWAL_MS) {
    renewalBeganMs = nowMs;
    ctx.waitUntil(renew(env));
  }
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
