/**
 * Splits a prompt, as providers that count everything together state it, into disjoint kinds. What a provider states is
 * never dropped because it does not fit: if both cached and written tokens do not fit into the prompt, they overlap, and
 * both are billed.
 */
import { type Totals, ZERO_TOTALS } from "./totals.ts";

/** The tokens read from a cache, and those written to it, with the part that lasts an hour. */
export type Cached = { read: number; written: number; written1h: number };

export type Media = { audio: number; image: number };

/**
 * Returns the input and cache kinds of a prompt.
 * @param media all audio and images of the prompt, cached or not
 * @param cachedMedia audio and images that were read from the cache; null if they are not stated
 */
export function splitPrompt(tokens: number, cached: Cached, media: Media, cachedMedia: Media | null): Totals {
  const { read, written, written1h } = cached;
  const fits = read + written <= tokens;
  const uncached = Math.max(0, fits ? tokens - read - written : tokens - Math.max(read, written));
  const fromCache = { ...(cachedMedia ?? { audio: 0, image: 0 }) };
  const fresh = {
    audio: Math.max(0, media.audio - fromCache.audio),
    image: Math.max(0, media.image - fromCache.image),
  };
  let cachedText = Math.max(0, read - fromCache.audio - fromCache.image);
  let text = uncached - fresh.audio - fresh.image;
  if (text < 0 && cachedMedia === null) {
    // There are more audio and images than uncached tokens: the rest of them came from the cache.
    for (const kind of ["audio", "image"] as const) {
      const moved = Math.min(Math.max(0, -text), cachedText, fresh[kind]);
      fresh[kind] -= moved;
      fromCache[kind] += moved;
      cachedText -= moved;
      text += moved;
    }
  }
  return {
    ...ZERO_TOTALS,
    input_tokens: Math.max(0, text),
    cache_read_tokens: cachedText,
    cache_write_tokens: Math.max(0, written - written1h),
    cache_write_1h_tokens: written1h,
    input_audio_tokens: fresh.audio,
    cache_audio_read_tokens: fromCache.audio,
    input_image_tokens: fresh.image,
    cache_image_read_tokens: fromCache.image,
  };
}
