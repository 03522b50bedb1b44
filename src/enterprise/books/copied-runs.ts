/**
 * Remembers up to which change the copy in D1 has each run that was written last. A batch has the current row of a run,
 * so it also covers the changes that wait behind it in the outbox, and later batches need not write the run for them.
 * In memory only: what is forgotten here is written once more.
 */

/** An entry takes about 100 bytes. */
const MAX_RUNS = 20_000;

export class CopiedRuns {
  /** The seq of the last change that the copy has of each run, least recently written first. */
  readonly #seqs = new Map<string, number>();
  /** The copy that this is about. */
  #copy = "";

  /** @param copy names the generation and the databases to which batches are written; of another copy, nothing is known */
  about(copy: string): this {
    if (copy !== this.#copy) this.clear();
    this.#copy = copy;
    return this;
  }

  /** Whether the copy has this change of a run. */
  has(run: string, seq: number): boolean {
    return seq <= (this.#seqs.get(run) ?? Number.NEGATIVE_INFINITY);
  }

  /** Notes that the copy has all changes of these runs up to this one. */
  note(runs: Iterable<string>, seq: number): void {
    for (const run of runs) {
      this.#seqs.delete(run);
      this.#seqs.set(run, seq);
    }
    for (const [run] of this.#seqs) {
      if (this.#seqs.size <= MAX_RUNS) return;
      this.#seqs.delete(run);
    }
  }

  forget(run: string): void {
    this.#seqs.delete(run);
  }

  clear(): void {
    this.#seqs.clear();
  }
}
