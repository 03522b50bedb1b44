/**
 * Erases people as a sliced job: replaces the id and the name of each in every table, page by page, in the object and in
 * the copy. Audits and rebuilds wait for it, and it waits for those that run, because both compare or copy rows of the
 * same keys.
 */
import type { AtMs } from "../../ledger/time.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Sql } from "../books/sql.ts";
import type { CopyWriter } from "../copy/copy-writer.ts";
import { AUDIT_CURSOR } from "../jobs/audit.ts";
import type { Step } from "../jobs/sliced-job.ts";
import { ERASE_STAGES, type EraseDeps } from "./erase-stages.ts";
import type { StageKey } from "./table-page.ts";

/** How far the erasure has come; null before its first slice. */
export type EraseCursor = {
  /** The instance that began this pass, and when. */
  instance: string;
  begunAtMs: AtMs;
  stage: number;
  after: StageKey;
} | null;

const WAIT_MS = 200;
/** D1 gives up a statement after 30 seconds. A write whose result is unknown can arrive until then. */
const LATE_WRITE_MS = 35_000;

export class Eraser {
  /** Losing it makes the job look at every table once more, because it then does not know what was being written. */
  readonly #instance = crypto.randomUUID();

  constructor(
    readonly deps: EraseDeps,
    readonly writer: CopyWriter,
  ) {}

  /** Does one slice: one page of one table. */
  slice(cursor: EraseCursor): Promise<Step<EraseCursor>> {
    return this.writer.inTurn(() => this.#slice(cursor));
  }

  async #slice(cursor: EraseCursor): Promise<Step<EraseCursor>> {
    const { sql, store } = this.deps.ledger;
    const person = store.erasures.next();
    if (person === null) return { done: "erased" };
    if (cursor === null) {
      if (isBusy(sql)) return { next: null, detail: "waiting for an audit or a rebuild", pauseMs: WAIT_MS };
      return { next: this.#begin() };
    }
    const { stage, after } = cursor;
    const work = ERASE_STAGES[stage];
    if (work !== undefined) {
      const last = await work(this.deps, person, after);
      const next = last === null ? { ...cursor, stage: stage + 1, after: null } : { ...cursor, after: last };
      return { next, progress: stage / (ERASE_STAGES.length + 1), detail: `table ${stage + 1}` };
    }
    const pauseMs = this.#pauseMs(cursor);
    if (pauseMs > 0) return { next: cursor, detail: "waiting for late writes", pauseMs };
    // Rows that were written late may have the old id again.
    if (this.#mayHaveLateRows(cursor)) return { next: this.#begin() };
    return { next: null, commit: () => store.erasures.finish(person.replacement) };
  }

  #begin(): EraseCursor {
    return { instance: this.#instance, begunAtMs: this.deps.platform.clock.realNowMs(), stage: 0, after: null };
  }

  #mayHaveLateRows({ instance, begunAtMs }: NonNullable<EraseCursor>): boolean {
    return instance !== this.#instance || (this.writer.failedAtMs ?? 0) >= begunAtMs;
  }

  /** Returns how long a write of this pass, whose result is unknown, may still arrive. */
  #pauseMs(cursor: NonNullable<EraseCursor>): number {
    if (!this.#mayHaveLateRows(cursor)) return 0;
    const fromMs = Math.max(cursor.begunAtMs, this.writer.failedAtMs ?? 0);
    return fromMs + LATE_WRITE_MS - this.deps.platform.clock.realNowMs();
  }
}

/** Whether an audit or a rebuild has begun to read rows. */
function isBusy(sql: Sql): boolean {
  const [audit, rebuild] = [loadJob(sql, "audit"), loadJob(sql, "rebuild")];
  const auditing = audit?.state === "running" && (audit.cursor as { phase: string }).phase !== AUDIT_CURSOR.phase;
  return auditing || (rebuild?.state === "running" && rebuild.cursor !== null);
}
