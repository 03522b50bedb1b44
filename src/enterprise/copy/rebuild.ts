/**
 * Writes this enterprise's copy in D1 again, under a new generation, and then deletes the rows of earlier generations.
 * Readers keep seeing the old rows until new ones replace them. If the copy was lost, they see nothing until all pages
 * are written. It is a sliced job, so a rebuild that fails or is cut off continues where it was.
 */
import { SWEEP_START, SWEPT, type SweepPlace, sweepPage } from "../../copy/sweep.ts";
import { readHead } from "../../copy/write.ts";
import { isErasing } from "../books/erasures.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import type { Step } from "../jobs/sliced-job.ts";
import type { Platform } from "../platform.ts";
import { type CopyWriter, isRebuilding, REBUILD_START } from "./copy-writer.ts";
import { SNAPSHOT_PARTS, SNAPSHOT_START, type SnapshotPlace, takePage } from "./snapshot.ts";

/** How far a rebuild has come; null before its first slice. */
export type RebuildCursor = {
  generation: number;
  /** The revision of its first page that D1 has confirmed; null before. */
  sinceRevision: number | null;
  /** How many pages were written. */
  batches: number;
  place: { write: SnapshotPlace } | { sweep: SweepPlace };
} | null;

/** A rebuild begins when no erasure is replacing rows. */
const ERASE_PAUSE_MS = 200;

/** What a finished rebuild leaves in its job. */
export type RebuildResult = { batches: number };

export class Rebuilder {
  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    readonly writer: CopyWriter,
  ) {}

  /** Whether a rebuild is running, so that the copy may still lack rows or have rows too many. Read from storage. */
  get owed(): boolean {
    return isRebuilding(this.ledger.sql);
  }

  /** Does one slice: begins a generation, writes one page, or looks for older rows in one page. */
  slice(cursor: RebuildCursor): Promise<Step<RebuildCursor>> {
    const { writer } = this;
    if (cursor === null) return writer.inTurn(() => this.#begin());
    const { place } = cursor;
    if ("write" in place) return writer.inTurn(() => this.#writePage(cursor, place.write));
    return this.#sweepPage(cursor, place.sweep);
  }

  /**
   * Begins a new generation, above all that the copy has. If the ledger was restored to an earlier time, the copy may be
   * ahead of it.
   */
  async #begin(): Promise<Step<RebuildCursor>> {
    const { ledger, platform } = this;
    const { sql } = ledger;
    if (isErasing(sql)) return { next: REBUILD_START, pauseMs: ERASE_PAUSE_MS };
    const head = await readHead(platform.copy, ledger.id);
    const generation = Math.max(head?.generation ?? 0, getProgress(sql, "generation")) + 1;
    return {
      next: { generation, sinceRevision: null, batches: 0, place: { write: SNAPSHOT_START } },
      commit: () => {
        setProgress(sql, "generation", Math.max(generation, getProgress(sql, "generation")));
        setProgress(sql, "copy", Math.max(head?.revision ?? 0, getProgress(sql, "copy")));
      },
    };
  }

  async #writePage(cursor: NonNullable<RebuildCursor>, place: SnapshotPlace): Promise<Step<RebuildCursor>> {
    const { sql } = this.ledger;
    const { batch, next } = takePage(this.ledger, place);
    const sinceRevision = cursor.sinceRevision ?? batch.revision;
    const head = await this.writer.write(batch, () => {});
    // The copy is ahead of this ledger, which was restored meanwhile, or was lost again with the pages written so far.
    if (head === null || head.generation !== cursor.generation || head.sinceRevision > sinceRevision) {
      return { next: REBUILD_START, progress: 0 };
    }
    const done = (place.part + 1) / (SNAPSHOT_PARTS + SWEPT.length);
    const written = { ...cursor, sinceRevision, batches: cursor.batches + 1 };
    const detail = `wrote ${written.batches} batches`;
    if (next !== null) return { next: { ...written, place: { write: next } }, progress: done, detail };
    return {
      next: { ...written, place: { sweep: SWEEP_START } },
      progress: done,
      detail,
      commit: () => setProgress(sql, "complete_since", Math.max(sinceRevision, getProgress(sql, "complete_since"))),
    };
  }

  async #sweepPage(cursor: NonNullable<RebuildCursor>, place: SweepPlace): Promise<Step<RebuildCursor>> {
    const { generation, batches } = cursor;
    const next = await sweepPage(this.platform.copy, this.ledger.id, generation, place);
    const progress = (SNAPSHOT_PARTS + place.table) / (SNAPSHOT_PARTS + SWEPT.length);
    if (next !== null) return { next: { ...cursor, place: { sweep: next } }, progress };
    return { done: `wrote ${batches} batches`, result: { batches } satisfies RebuildResult };
  }
}
