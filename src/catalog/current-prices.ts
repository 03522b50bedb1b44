/**
 * This isolate's cache of the current price book. It is at most 30 seconds old and renewed in the background before that,
 * so that a debit rarely waits. While the catalog does not answer, the cached book stays in use. Requests share the book
 * but never a promise of it: in a Worker a request must not await another request's promise, so each asks the catalog.
 */
import { catalogOf } from "./object.ts";
import { indexPrices, type PriceBook, type PriceIndex } from "./price-book.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;
/** A background renewal may end with its request; when none has finished after this time, another one starts. */
const RENEWAL_MS = 2_000;

let cached: { index: PriceIndex; readAtMs: number } | null = null;
let renewalStartedAtMs = 0;

/** The current prices, at most 30 seconds old. */
export async function currentPrices(env: Env, ctx: { waitUntil(work: Promise<unknown>): void }): Promise<PriceIndex> {
  const nowMs = Date.now();
  const ageMs = cached === null ? Number.POSITIVE_INFINITY : nowMs - cached.readAtMs;
  if (cached === null || ageMs >= MAX_AGE_MS) return renew(env);
  if (ageMs >= RENEW_AGE_MS && nowMs - renewalStartedAtMs >= RENEWAL_MS) {
    renewalStartedAtMs = nowMs;
    ctx.waitUntil(renew(env));
  }
  return cached.index;
}

async function renew(env: Env): Promise<PriceIndex> {
  const known = cached;
  try {
    const book = await catalogOf(env).currentBook(known?.index.book.version ?? null);
    // A book that adoptBook() has set meanwhile is newer than the answer.
    if (cached !== null && cached !== known) return cached.index;
    cached = {
      index: book === null && known !== null ? known.index : indexPrices(book as NonNullable<typeof book>),
      readAtMs: Date.now(),
    };
    return cached.index;
  } catch (error) {
    if (known === null) throw error;
    console.error(JSON.stringify({ event: "price_book_not_renewed", error: String(error) }));
    return known.index;
  }
}

/** Uses a book that this isolate has just added to the catalog at once. */
export function adoptBook(book: PriceBook): void {
  cached = { index: indexPrices(book), readAtMs: Date.now() };
}
