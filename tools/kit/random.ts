// Repeatable randomness: equal seeds give equal numbers, so every random choice of a tool can be repeated from its seed.
// xmur3 hashes the seed and sfc32 makes the numbers. Both are small public-domain algorithms, and neither is suited to
// secrets.

/** Returns the next number of a fixed sequence, in [0, 1). */
export type Random = () => number;

/** Creates the generator of a seed. Equal seeds give equal sequences on every machine. */
export function seededRandom(seed: string | number): Random {
  const hash = xmur3(String(seed));
  let [a, b, c, counter] = [hash(), hash(), hash(), 1];
  const next = (): number => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    c |= 0;
    return (sum >>> 0) / 0x1_0000_0000;
  };
  for (let i = 0; i < 12; i += 1) next();
  return next;
}

/** A whole number between `from` and `to`, both included. */
export function wholeBetween(random: Random, from: number, to: number): number {
  return from + Math.floor(random() * (to - from + 1));
}

/** Picks an item with a probability in proportion to its weight. The list must not be empty. */
export function pickWeighted<T>(random: Random, items: readonly T[], weightOf: (item: T, index: number) => number): T {
  const weights = items.map(weightOf);
  let rest = random() * weights.reduce((sum, weight) => sum + weight, 0);
  const index = weights.findIndex((weight) => (rest -= weight) < 0);
  return items[index < 0 ? items.length - 1 : index] as T;
}

/** Picks an item with the weights 1, 1/2, 1/3 …: the first few are picked most, as usage in real teams. */
export function pickEarly<T>(random: Random, items: readonly T[]): T {
  return pickWeighted(random, items, (_item, index) => 1 / (index + 1));
}

/** A positive number with this median. With `spreadRatio` 2, about two thirds lie between half and twice the median. */
export function aroundMedian(random: Random, median: number, spreadRatio: number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return median * spreadRatio ** normal;
}

/** A copy of the list in random order (Fisher–Yates). */
export function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i -= 1) {
    const j = wholeBetween(random, 0, i);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

/** Makes a sequence of well-mixed 32-bit numbers from a text. */
function xmur3(text: string): () => number {
  let hash = 1779033703 ^ text.length;
  for (let i = 0; i < text.length; i += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 3432918353);
    hash = (hash << 13) | (hash >>> 19);
  }
  return () => {
    hash = Math.imul(hash ^ (hash >>> 16), 2246822507);
    hash = Math.imul(hash ^ (hash >>> 13), 3266489909);
    return (hash ^= hash >>> 16);
  };
}
