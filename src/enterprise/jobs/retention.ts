/**
 * Deletes history that is past its retention (rule R10), once a day and in slices: runs that never reported, totals of
 * old hours, days and cycles, old entries, and the old part of the export's log; first in the object, then in the copy. Meters and the runs that reported
 * are deleted in pruning.ts. Deleting twice is harmless, so a slice may be repeated. No balance changes.
 */
import { type CopyKeptSince, deleteEntries, deleteOldRows, deleteRuns, RETAINED_TABLES } from "../../copy/retention.ts";
import type { Run } from "../../ledger/books.ts";
import { METER_RETENTION_MS } from "../../ledger/meter.ts";
import { isForgotten, keptSince } from "../../ledger/retention.ts";
import type { AtMs } from "../../ledger/time.ts";
import { showFacts } from "../../wire/entry.ts";
import { loadCheckpoint, removeEntries } from "../books/checkpoint.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadRunsOwed } from "../books/outbox.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { RUNS } from "../books/rows.ts";
import type { CopyWriter } from "../copy/copy-writer.ts";
import { loadSecondShard } from "../copy/move-cursor.ts";
import { deleteOldTotals, oldestKeptCycleMs } from "../copy/old-totals.ts";
import { markExportLog, pruneExportLog } from "../data/export-log.ts";
import type { Platform } from "../platform.ts";
import type { SlicedJob, Step } from "./sliced-job.ts";

const MOVING_PAUSE_MS = 1_000;

export const RETENTION = "retention";

type RetentionCursor =
  /** Looks at runs that are 35 days old, in the order of their starts. */
  | { phase: "runs"; after: { startedAtMs: AtMs; run: string } }
  /** Looks again at the runs whose hold ended later, or of which the copy lacked a change. */
  | { phase: "late_runs"; after: string }
  | { phase: "totals" }
  | { phase: "entries" }
  | { phase: "export_log" }
  | { phase: "copy"; table: number }
  | { phase: "entries_in_copy" };

type RetentionDeps = { ledger: Ledger; platform: Platform; rebuilder: { writer: CopyWriter } };

const RUN_ROWS = 500;

export const RETENTION_JOB: SlicedJob<RetentionCursor, RetentionDeps> = {
  slice: (deps, cursor) =>
    // Rows are deleted in one database only. So a copy that is moving waits.
    loadSecondShard(deps.ledger.sql) === null
      ? SLICES[cursor.phase](deps, cursor as never)
      : { next: cursor, pauseMs: MOVING_PAUSE_MS },
};

/** Returns where the job starts. Runs that an earlier one has looked at are not read again. */
export function startOfRetention(ledger: Ledger): RetentionCursor {
  return { phase: "runs", after: { startedAtMs: getProgress(ledger.sql, "runs_seen_ms"), run: "" } };
}

export function loadKeptSince(ledger: Ledger): CopyKeptSince {
  const kept = keptSince(ledger.nowMs());
  return { ...kept, cyclesMs: oldestKeptCycleMs(ledger, kept.historyMs) };
}

type Slices = {
  [P in RetentionCursor["phase"]]: (
    deps: RetentionDeps,
    cursor: Extract<RetentionCursor, { phase: P }>,
  ) => Step<RetentionCursor> | Promise<Step<RetentionCursor>>;
};

const SLICES: Slices = {
  runs: async (deps, { after }) => {
    const { ledger } = deps;
    const { sql } = ledger;
    const nowMs = ledger.nowMs();
    const rows = sql.all(
      `SELECT * FROM runs WHERE (started_at_ms, run) > (?, ?) AND started_at_ms < ?
        ORDER BY started_at_ms, run LIMIT ?`,
      after.startedAtMs,
      after.run,
      nowMs - METER_RETENTION_MS,
      RUN_ROWS,
    );
    const silent = rows.map(RUNS.read).filter((run) => !run.reported);
    const isEnded = endedRuns(ledger, nowMs);
    const [forgotten, late] = [true, false].map((isOld) =>
      silent.filter((run) => isEnded(run) === isOld).map(({ run }) => run),
    ) as [string[], string[]];
    await forget(deps, forgotten);
    const last = rows.at(-1);
    const next: RetentionCursor =
      rows.length < RUN_ROWS || last === undefined
        ? { phase: "late_runs", after: "" }
        : { phase: "runs", after: { startedAtMs: last.started_at_ms as number, run: last.run as string } };
    return {
      next,
      commit: () => {
        const statement = "INSERT OR IGNORE INTO late_runs (run) SELECT value FROM json_each(?)";
        if (late.length > 0) sql.run(statement, JSON.stringify(late));
        // The next job starts with this instant, because further runs may have started in it.
        if (last !== undefined) setProgress(sql, "runs_seen_ms", (last.started_at_ms as number) - 1);
      },
    };
  },

  late_runs: async (deps, { after }) => {
    const { ledger } = deps;
    const { sql } = ledger;
    const nowMs = ledger.nowMs();
    const listed = sql
      .all("SELECT run FROM late_runs WHERE run > ? ORDER BY run LIMIT ?", after, RUN_ROWS)
      .map((row) => row.run as string);
    const known = new Map(ledger.store.loadRuns(listed).map((run) => [run.run, run]));
    const isEnded = endedRuns(ledger, nowMs);
    const forgotten = listed.filter((name) => {
      const run = known.get(name);
      return run !== undefined && isEnded(run);
    });
    await forget(deps, forgotten);
    const settled = listed.filter((name) => known.get(name)?.reported !== false || forgotten.includes(name));
    const last = listed.at(-1);
    return {
      next: listed.length < RUN_ROWS || last === undefined ? { phase: "totals" } : { phase: "late_runs", after: last },
      commit: () =>
        sql.run("DELETE FROM late_runs WHERE run IN (SELECT value FROM json_each(?))", JSON.stringify(settled)),
    };
  },

  totals: ({ ledger }) => {
    const more = ledger.sql.transaction(() => deleteOldTotals(ledger.sql, loadKeptSince(ledger)));
    return { next: more ? { phase: "totals" } : { phase: "entries" } };
  },

  entries: ({ ledger }) => {
    const { sql, store } = ledger;
    const next: RetentionCursor = { phase: "export_log" };
    // An audit reads the entries page by page, and the copy must have an entry before it is removed.
    if (loadJob(sql, "audit")?.state === "running") return { next };
    const { historyMs } = loadKeptSince(ledger);
    const more = sql.transaction(() => removeEntries(store, historyMs, getProgress(sql, "entries")));
    return { next: more ? { phase: "entries" } : next };
  },

  export_log: ({ ledger }) => {
    const { sql } = ledger;
    if (sql.transaction(() => pruneExportLog(sql, ledger.nowMs()))) return { next: { phase: "export_log" } };
    return { next: { phase: "copy", table: 0 }, commit: () => markExportLog(sql, ledger.nowMs()) };
  },

  copy: async ({ ledger, platform }, { table }) => {
    const name = RETAINED_TABLES[table];
    if (name === undefined) return { next: { phase: "entries_in_copy" } };
    const more = await deleteOldRows(platform.copy, ledger.id, name, loadKeptSince(ledger));
    return { next: { phase: "copy", table: more ? table : table + 1 } };
  },

  entries_in_copy: async ({ ledger, platform, rebuilder }) => {
    // A rebuild must not write an entry that was removed from the object while it waited for D1.
    const more = await rebuilder.writer.inTurn(async () => {
      const checkpoint = loadCheckpoint(ledger.store);
      if (checkpoint === null) return false;
      const { seq, atMs, by, facts } = checkpoint;
      const text = JSON.stringify(showFacts(facts));
      return deleteEntries(platform.copy, ledger.id, { seq, atMs, by, type: facts.type, facts: text });
    });
    return more ? { next: { phase: "entries_in_copy" } } : { done: "deleted what is past its retention" };
  },
};

/**
 * Deletes those of these runs that are forgotten but still have their rows. Returns which these were. A run stays if the
 * copy lacks a change of it even after a projection.
 */
export async function forgetRuns(
  deps: RetentionDeps,
  names: readonly string[],
  project: () => Promise<void>,
): Promise<string[]> {
  const { ledger } = deps;
  const runs = ledger.store.loadRuns(names).filter((run) => isForgotten(run, ledger.nowMs()));
  // Most refusals are right. They must not cost a look through the outbox.
  if (runs.length === 0) return [];
  let isOwed = loadRunsOwed(ledger.sql);
  if (runs.some(({ run }) => isOwed(run))) {
    await project();
    isOwed = loadRunsOwed(ledger.sql);
  }
  const forgotten = runs.map(({ run }) => run).filter((run) => !isOwed(run));
  await forget(deps, forgotten);
  return forgotten;
}

/**
 * Returns whether a run is forgotten and may be deleted. While the copy lacks a change of the run, D1 may still apply a
 * batch that has it, up to half a minute after the call that sent the batch has ended.
 */
function endedRuns({ sql }: Ledger, nowMs: AtMs): (run: Run) => boolean {
  const isOwed = loadRunsOwed(sql);
  return (run) => isForgotten(run, nowMs) && !isOwed(run.run);
}

/**
 * Deletes runs that never reported, first from the copy. A run that was started again meanwhile stays, and is projected
 * again because of that.
 */
async function forget({ ledger, platform, rebuilder }: RetentionDeps, runs: readonly string[]): Promise<void> {
  if (runs.length === 0) return;
  await rebuilder.writer.inTurn(async () => {
    // The job waits while the copy is moving, but a start does not. A row that stayed would keep its old attribution.
    const second = loadSecondShard(ledger.sql);
    const startedBeforeMs = ledger.nowMs() - METER_RETENTION_MS;
    if (second !== null) await deleteRuns(platform.database(second), ledger.id, runs, startedBeforeMs);
    await deleteRuns(platform.copy, ledger.id, runs, startedBeforeMs);
    ledger.recent.forget(runs);
    ledger.sql.run(
      `DELETE FROM runs WHERE run IN (SELECT value FROM json_each(?1)) AND reported = 0 AND hold_unit IS NULL
        AND max(started_at_ms, coalesce(hold_ended_at_ms, 0)) < ?2`,
      JSON.stringify(runs),
      ledger.nowMs() - METER_RETENTION_MS,
    );
  });
}
