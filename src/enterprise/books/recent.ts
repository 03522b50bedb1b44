/**
 * Caches the runs that were charged last, with their meters, as they are stored. An active run reports many times, and
 * with the cache its next debit needs no query. The cache is written only after a commit, so losing an entry only costs
 * a query. Runs without meters are not cached, because they are loaded only once.
 */
import type { Meter, Run } from "../../ledger/books.ts";

type RecentRun = { run: Run; meters: readonly Meter[] };

/** A run takes about 2 KB. The full cache takes about 8 MB of the 128 MB that a Durable Object has. */
const MAX_RUNS = 4_000;

export class Recent {
  /** The runs, least recently written first. A Map keeps the order in which its keys were set. */
  readonly #runs = new Map<string, RecentRun>();

  find(run: string): RecentRun | undefined {
    return this.#runs.get(run);
  }

  keep(recent: RecentRun): void {
    const { run } = recent.run;
    this.#runs.delete(run);
    if (recent.meters.length === 0) return;
    this.#runs.set(run, recent);
    if (this.#runs.size <= MAX_RUNS) return;
    const [oldest] = this.#runs.keys();
    this.#runs.delete(oldest as string);
  }

  forget(runs: Iterable<string>): void {
    for (const run of runs) this.#runs.delete(run);
  }

  clear(): void {
    this.#runs.clear();
  }
}
