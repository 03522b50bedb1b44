/**
 * All randomness of a simulated world: one generator with one seed, so that a seed always replays the same world.
 * Nothing else in this folder may use random numbers or the time of day.
 */
import { type Random, seededRandom } from "../../tools/kit/random.ts";

export class Dice {
  readonly #random: Random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  /** A whole number from `from` to `to`, both included. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.#random() * (to - from + 1));
  }

  /** A whole number between two positive ones; all orders of magnitude are equally likely. */
  spread(from: number, to: number): number {
    return Math.round(from * (to / from) ** this.#random());
  }

  pick<T>(items: readonly T[]): T {
    return items[this.whole(0, items.length - 1)] as T;
  }

  /** One of the keys, with probabilities in proportion to their weights. */
  weighted<K extends string>(weights: Readonly<Record<K, number>>): K {
    const entries = Object.entries(weights) as [K, number][];
    let rest = this.#random() * entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [key, weight] of entries) if ((rest -= weight) < 0) return key;
    return (entries.at(-1) as [K, number])[0];
  }
}
