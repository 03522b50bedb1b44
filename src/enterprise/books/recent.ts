/**
 * The runs that were lately charged, with their meters, as they are stored: a run under way reports again and again,
 * and its next debit then reads nothing. Written through after a commit, never before, so losing it, or any part of it,
 * costs a look at the tables. Runs without meters are not kept: they are asked for once.
 */
import type { Meter, Run } from "../../ledger/books.ts";

type RecentRun = { run: Run; meters: readonly Meter[] };

/** About 2 KB each: a small part of what an object may hold. */
const KEPT = 4_000;

export class Recent {
  /** Least recently written first: a map keeps the order in which its keys were set. */
  readonly #runs = new Map<string, RecentRun>();

  find(run: string): RecentRun | undefined {
    return this.#runs.get(run);
  }

  keep(recent: RecentRun): void {
    const { run } = recent.run;
    this.#runs.delete(run);
    if (recent.meters.length === 0) return;
    this.#runs.set(run, recent);
    if (this.#runs.size <= KEPT) return;
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
