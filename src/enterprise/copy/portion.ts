/**
 * A portion of the outbox for the copy: the oldest changes, as many as touch a bounded number of totals and runs. The
 * changes are summed slice by slice, and calls that arrive meanwhile go first. So a long backlog changes each total and
 * each run once, and no turn is long. Nothing is stored until the portion is sent.
 */
import type { Totals } from "../../copy/batch.ts";
import type { CopiedRuns } from "../books/copied-runs.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadOutbox, loadOutboxPortion, type OutboxRow } from "../books/outbox.ts";
import { getProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";
import { logOutbox } from "../data/export-log.ts";
import { Sums } from "./totals.ts";

const MAX_PAGE_ROWS = 100;
/** Adding this much at once takes a few milliseconds. */
const MAX_FURTHER_ROWS = 1_000;
const MAX_FURTHER_CHARS = 200_000;

/** How much a portion may have. A single outbox row with more is a separate portion. */
export type PortionLimits = {
  /** Its changes. */
  items: number;
  /** Runs whose rows it writes. */
  runs: number;
  /** Rows of the totals and of the usage cube that it changes, before the last row of the outbox is added. */
  totals: number;
};

export class Portion {
  /** The runs whose rows the copy lacks. */
  readonly runs = new Set<string>();
  /** The last change of the portion; 0 if it has none. */
  lastSeq = 0;
  items = 0;
  /** What its rows add to the totals, and the sums of the rows that are in the stored totals already. */
  readonly #fresh = new Sums();
  readonly #folded = new Sums();
  /** As they were when the portion began. */
  readonly #foldedSeq: number;
  readonly #rewrites: number;

  constructor(
    readonly ledger: Ledger,
    readonly copied: CopiedRuns,
    readonly limits: PortionLimits,
  ) {
    this.#foldedSeq = getProgress(ledger.sql, "folded");
    this.#rewrites = ledger.store.erasures.outboxRewrites;
  }

  /**
   * Adds the next rows of the outbox, about `sliceItems` changes or one row with more. Returns whether there may be more
   * that fit. A row of many debits takes long to parse, so each page has about as many rows as may still fit.
   */
  gather(sliceItems: number): boolean {
    const { sql } = this.ledger;
    const endItems = this.items + sliceItems;
    let rows = 0;
    for (let limit = 1; this.items < endItems; ) {
      const page = loadOutbox(sql, this.lastSeq, limit);
      const fitting = page.findIndex((row) => !this.#add(row));
      const added = fitting === -1 ? page : page.slice(0, fitting);
      sql.transaction(() => logOutbox(sql, added));
      rows += added.length;
      if (page.length < limit || added.length < page.length) return false;
      const used = Math.max(this.#used(), 1 - (endItems - this.items) / sliceItems);
      limit = Math.min(MAX_PAGE_ROWS, 1 + Math.floor((rows * Math.max(0, 1 - used)) / used));
    }
    return true;
  }

  /**
   * Adds what other calls have folded since the portion was gathered, as far as it fits. The stored totals have it, so
   * without it the portion would send some totals that include a change, and not the others. Call this in a transaction.
   */
  addFolded(): void {
    const { sql } = this.ledger;
    const foldedSeq = getProgress(sql, "folded");
    if (this.lastSeq === 0 || foldedSeq <= this.lastSeq) return;
    const page = loadOutboxPortion(sql, this.lastSeq, MAX_FURTHER_ROWS, MAX_FURTHER_CHARS);
    const end = page.findIndex((row) => row.lastSeq > foldedSeq || !this.#add(row));
    logOutbox(sql, end === -1 ? page : page.slice(0, end));
  }

  /**
   * Folds the portion into the stored totals, in the caller's transaction. Returns all totals that it affects, as now
   * stored; null if another call has folded a part of it, or an erasure has changed it: then it must be gathered again.
   */
  fold(sql: Sql): Totals | null {
    const foldedSeq = getProgress(sql, "folded");
    if (this.#rewrites !== this.ledger.store.erasures.outboxRewrites) return null;
    if (foldedSeq >= this.lastSeq) return joinTotals(this.#folded.load(sql), this.#fresh.load(sql));
    if (foldedSeq !== this.#foldedSeq) return null;
    const totals = this.#fresh.store(sql);
    return this.#folded.size === 0 ? totals : joinTotals(this.#folded.load(sql), totals);
  }

  /** Returns the first runs that are not sent yet. */
  nextRuns(maxRuns: number): string[] {
    return [...this.runs].slice(0, maxRuns);
  }

  /** Adds a row, unless the portion is full. */
  #add(row: OutboxRow): boolean {
    const { limits, runs, copied } = this;
    const added = new Set(row.items.flatMap(({ run, n }) => (runs.has(run) || copied.has(run, n) ? [] : run)));
    const isFull =
      this.items + row.items.length > limits.items ||
      runs.size + added.size > limits.runs ||
      this.#totals() >= limits.totals;
    if (isFull && this.lastSeq > 0) return false;
    for (const run of added) runs.add(run);
    (row.lastSeq > this.#foldedSeq ? this.#fresh : this.#folded).add(row);
    this.items += row.items.length;
    this.lastSeq = row.lastSeq;
    return true;
  }

  /** Which part of its limits is used. */
  #used(): number {
    const { limits, items, runs } = this;
    return Math.max(items / limits.items, runs.size / limits.runs, this.#totals() / limits.totals);
  }

  #totals(): number {
    return this.#fresh.size + this.#folded.size;
  }
}

/** A total that is in both is the same in both, because both are as stored, so D1 ignores the second. */
function joinTotals(a: Totals, b: Totals): Totals {
  return {
    time: [...a.time, ...b.time],
    cycle: [...a.cycle, ...b.cycle],
    cells: [...a.cells, ...b.cells],
    models: [...a.models, ...b.models],
  };
}
