/**
 * Caches the current price book in this isolate. A cached book is used for at most 30 seconds. It is renewed in the
 * background before then, so a debit rarely waits. If the catalog does not respond, the cached book stays in use.
 * Requests share the cached book but not the promise of a renewal, because a request in a Worker must not await another
 * request's promise. Each request that needs a new book therefore calls the catalog itself.
 */
import { catalogOf } from "./object.ts";
import { indexPrices, type PriceBook, type PriceIndex } from "./price-book.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;
/** A renewal may be cancelled together with its request. If it has not finished after this time, another one starts. */
const RENEWAL_MS = 2_000;

let cached: { index: PriceIndex; readAtMs: number } | null = null;
let renewalStartedAtMs = 0;

/**
 * Returns the current prices. They are at most 30 seconds old unless the catalog cannot be reached.
 *
 * @param minVersion the caller knows that this version exists; throws if this version or a later one cannot be read
 */
export async function currentPrices(
  env: Env,
  ctx: { waitUntil(work: Promise<unknown>): void },
  minVersion = 0,
): Promise<PriceIndex> {
  if (cached !== null && cached.index.book.version < minVersion) {
    const renewed = await renew(env);
    if (renewed.book.version < minVersion) throw new Error(`version ${minVersion} of the price book cannot be read`);
    return renewed;
  }
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
    const book = await readBook(env, known?.index.book.version ?? null);
    // If `cached` was replaced during the call (by adoptBook(), for example), it is at least as new as this result.
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

async function readBook(env: Env, knownVersion: number | null): Promise<PriceBook | null> {
  try {
    return await catalogOf(env).bookSince(knownVersion);
  } catch (error) {
    // During a deploy the catalog may still run the first release, which lacks this method.
    if (!/does not implement/.test(String(error))) throw error;
    return await catalogOf(env).currentBook(knownVersion);
  }
}

/** Puts a new price book into this isolate's cache, so that it applies here at once. Call it after adding the book. */
export function adoptBook(book: PriceBook): void {
  cached = { index: indexPrices(book), readAtMs: Date.now() };
}
