/**
 * Caches the runs that were charged last, with their meters, as they are stored. An active run reports many times, and
 * with the cache its next debit needs no query. The cache is written only after a commit, so losing an entry only costs
 * a query. Runs without meters are not cached, because they are loaded only once.
 */
import type { Meter, Run } from "../../ledger/books.ts";
import { CopiedRuns } from "./copied-runs.ts";

type RecentRun = { run: Run; meters: readonly Meter[] };

/** A run with one meter takes about 2 KB. The full cache takes about 8 MB of the 128 MB that a Durable Object has. */
const MAX_RUNS = 4_000;
/** A meter and eight draws take about 1 KB each. */
const MAX_WEIGHT = 8_000;
const DRAWS_PER_WEIGHT = 8;

export class Recent {
  /** The runs, least recently written first. A Map keeps the order in which its keys were set. */
  readonly #runs = new Map<string, RecentRun>();
  /** What the copy has of runs. Forgotten with the runs, because what changes them otherwise may have no seq. */
  readonly copied = new CopiedRuns();
  /** The weight of all cached runs together. */
  #weight = 0;

  find(run: string): RecentRun | undefined {
    return this.#runs.get(run);
  }

  keep(recent: RecentRun): void {
    const { run } = recent.run;
    this.#forgetOne(run);
    if (recent.meters.length === 0) return;
    this.#runs.set(run, recent);
    this.#weight += weightOf(recent);
    while (this.#runs.size > MAX_RUNS || this.#weight > MAX_WEIGHT) {
      const [oldest] = this.#runs.keys();
      this.#forgetOne(oldest as string);
    }
  }

  forget(runs: Iterable<string>): void {
    for (const run of runs) {
      this.#forgetOne(run);
      this.copied.forget(run);
    }
  }

  clear(): void {
    this.#runs.clear();
    this.#weight = 0;
    this.copied.clear();
  }

  #forgetOne(run: string): void {
    const known = this.#runs.get(run);
    if (known === undefined) return;
    this.#runs.delete(run);
    this.#weight -= weightOf(known);
  }
}

function weightOf({ meters }: RecentRun): number {
  return meters.reduce((sum, { draws }) => sum + 1 + Math.floor(draws.length / DRAWS_PER_WEIGHT), 0);
}
