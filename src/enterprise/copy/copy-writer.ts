/**
 * Writes batches to the copy in D1, one at a time, and compares the head of the copy with what the ledger knows. A copy
 * that was lost or replaced by an older one, or that is ahead of a restored ledger, is noticed with the next batch, and
 * a rebuild is started.
 */
import type { Batch, CopyHead } from "../../copy/batch.ts";
import { type CopyMark, isComplete } from "../../copy/checked-copy.ts";
import { timedD1 } from "../../copy/timed-d1.ts";
import { readHead, writeBatch } from "../../copy/write.ts";
import type { AtMs } from "../../ledger/time.ts";
import { loadShard } from "../books/copy-shard.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";
import type { Platform } from "../platform.ts";
import { loadSecondShard } from "./move-cursor.ts";

/** The name of the sliced job that rebuilds the copy, and its first cursor. */
export const REBUILD = "rebuild";
export const REBUILD_START = null;

/** How long the object waits for D1. A write that takes longer is repeated, which is harmless. */
const COPY_LIMIT_MS = 10_000;

export class CopyWriter {
  /** The latest write. Losing this is harmless: batches may be written twice or out of order. */
  #latest: Promise<unknown> = Promise.resolve();
  #checking: Promise<void> | null = null;
  /** When a write last failed in this instance, so that D1 may still apply it; null if none did. */
  failedAtMs: AtMs | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    /** Called when the copy is found to be wrong and a rebuild was started. */
    readonly onWrong: () => void,
  ) {}

  /** Runs `write` when all earlier writes have ended. Writes never overlap, so the head shows exactly what D1 has. */
  inTurn<T>(write: () => Promise<T>): Promise<T> {
    const next = this.#latest.then(write, write);
    this.#latest = next.catch(() => {
      this.failedAtMs = this.platform.clock.realNowMs();
    });
    return next;
  }

  /**
   * Writes a batch, and records in one transaction that the copy has it. Returns the head of the copy, or null if the
   * copy is ahead of the ledger: then the batch may not have been written, and is not recorded.
   */
  async write(batch: Batch, confirm: (head: CopyHead) => void): Promise<CopyHead | null> {
    const { ledger, platform } = this;
    const { sql } = ledger;
    const [head] = await Promise.all([writeBatch(platform.copy, batch), this.#writeSecond(batch)]);
    if (head.generation !== batch.generation || head.revision > getProgress(sql, "copy")) {
      this.#startRebuild(head);
      return null;
    }
    sql.transaction(() => {
      confirm(head);
      // Nothing that was written before can be missing from a copy that begins with this batch.
      if (batch.confirmedRevision === 0) setProgress(sql, "complete_since", batch.revision);
      setProgress(sql, "confirmed", Math.max(batch.revision, getProgress(sql, "confirmed")));
    });
    if (!isComplete(head, copyMark(sql))) this.#startRebuild(head);
    return head;
  }

  /** Compares the head of the copy with what the ledger knows. Starts a rebuild if something is missing. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = null;
    });
    return this.#checking;
  }

  async #check(): Promise<void> {
    const { ledger, platform } = this;
    if (isRebuilding(ledger.sql)) return;
    const mark = copyMark(ledger.sql);
    const head = await readHead(platform.copy, ledger.id);
    const ahead = head !== null && head.revision > getProgress(ledger.sql, "copy");
    if (ahead || !isComplete(head, mark)) this.#startRebuild(head);
  }

  /**
   * Writes a batch also to the database that the copy is moving to. A failure is no failure of the batch: the head there
   * shows that a batch is missing, and the move writes everything again.
   */
  async #writeSecond(batch: Batch): Promise<void> {
    const { ledger, platform } = this;
    const second = loadSecondShard(ledger.sql);
    if (second === null) return;
    try {
      await writeBatch(platform.database(second), batch);
    } catch (error) {
      platform.log.warn({ event: "move_write_failed", enterprise: ledger.id, shard: second, error: String(error) });
    }
  }

  #startRebuild(head: CopyHead | null): void {
    const { sql, id } = this.ledger;
    if (isRebuilding(sql)) return;
    this.ledger.startJob(REBUILD, REBUILD_START);
    this.platform.log.warn({ event: "copy_wrong", enterprise: id, found: head, expected: copyMark(sql) });
    this.onWrong();
  }
}

/** Returns the platform with a time limit for each call of D1. */
export function limitCopyCalls(platform: Platform): Platform {
  const timed = (current: () => D1Database) => timedD1(current, COPY_LIMIT_MS, platform.defer);
  return {
    ...platform,
    copy: timed(() => platform.copy),
    database: (shard) => timed(() => platform.database(shard)),
  };
}

/** Returns what the copy must have for readers to use it. */
export function copyMark(sql: Sql): CopyMark {
  return { revision: confirmedRevision(sql), sinceRevision: getProgress(sql, "complete_since"), shard: loadShard(sql) };
}

/**
 * Returns the revision of the last batch that D1 has confirmed; 0 if there was none. The last release did not store the
 * revision, but it stored which entries the copy has. Every copy has at least one.
 */
export function confirmedRevision(sql: Sql): number {
  return getProgress(sql, "confirmed") || Math.min(1, getProgress(sql, "entries"));
}

export function isRebuilding(sql: Sql): boolean {
  return owesRebuild(sql) || loadJob(sql, REBUILD)?.state === "running";
}

/** Whether a rebuild was asked for that has not begun: by the last release, or by a step of the schema. */
export function owesRebuild(sql: Sql): boolean {
  return getProgress(sql, "rebuild_asked") > getProgress(sql, "rebuilt");
}
