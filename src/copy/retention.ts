/**
 * Deletes rows that are past their retention (rule R10) from an enterprise's copy in D1, in pages. The ledger's own rows
 * of that age may be gone already, or still be there. An audit therefore does not compare rows past their retention.
 */
import type { KeptSince } from "../ledger/retention.ts";
import { type AtMs, DAY_MS } from "../ledger/time.ts";
import { SWEPT } from "./sweep.ts";

/** From when each kind of row is kept, with the start of the oldest cycle whose totals are kept. */
export type CopyKeptSince = KeptSince & { cyclesMs: AtMs };

/** A day may start this long before its cycle, because the time zone may change at a turn. */
const DAY_BEFORE_CYCLE_MS = 2 * DAY_MS;

/** From when rows of the usage cube are kept. Those of a cycle are kept as long as its other totals. */
export function cubeSinceMs({ daysMs, cyclesMs }: Pick<CopyKeptSince, "daysMs" | "cyclesMs">): AtMs {
  return Math.min(daysMs, cyclesMs - DAY_BEFORE_CYCLE_MS);
}

type Row = Readonly<Record<string, unknown>>;

type Retained = {
  /** SQL that finds the old rows by an index, with parameters from ?2 on. */
  old: string;
  since(kept: CopyKeptSince): AtMs[];
  /** The same condition for a row that was read. */
  isOld(row: Row, kept: CopyKeptSince): boolean;
};

const UNITS = "unit IN ('credits', 'usd')";
const SURFACES = "surface IN ('web', 'cli')";
const before = (row: Row, column: string, sinceMs: AtMs) => (row[column] as AtMs) < sinceMs;

/** The tables whose rows are deleted by age. The old entries are deleted behind a checkpoint; see deleteEntries. */
const RETAINED = {
  usage_hourly: {
    old: `${UNITS} AND starts_at_ms < ?2`,
    since: ({ hoursMs }) => [hoursMs],
    isOld: (row, { hoursMs }) => before(row, "starts_at_ms", hoursMs),
  },
  usage_daily: {
    old: `${UNITS} AND starts_at_ms < ?2`,
    since: ({ daysMs }) => [daysMs],
    isOld: (row, { daysMs }) => before(row, "starts_at_ms", daysMs),
  },
  usage_by_dimension: {
    old: `${UNITS} AND cycle_starts_at_ms < ?2`,
    since: ({ cyclesMs }) => [cyclesMs],
    isOld: (row, { cyclesMs }) => before(row, "cycle_starts_at_ms", cyclesMs),
  },
  usage_cube: {
    old: "day_starts_at_ms < ?2",
    since: (kept) => [cubeSinceMs(kept)],
    isOld: (row, kept) => before(row, "day_starts_at_ms", cubeSinceMs(kept)),
  },
  usage_by_model: {
    old: `${UNITS} AND cycle_starts_at_ms < ?2`,
    since: ({ cyclesMs }) => [cyclesMs],
    isOld: (row, { cyclesMs }) => before(row, "cycle_starts_at_ms", cyclesMs),
  },
  runs: {
    old: `${SURFACES} AND started_at_ms < ?2 AND last_report_at_ms < ?3`,
    since: ({ historyMs, metersMs }) => [historyMs, metersMs],
    isOld: (row, { historyMs, metersMs }) =>
      row.last_report_at_ms === null
        ? before(row, "started_at_ms", metersMs)
        : before(row, "started_at_ms", historyMs) && before(row, "last_report_at_ms", metersMs),
  },
} as const satisfies Record<string, Retained>;

type RetainedTable = keyof typeof RETAINED;
export const RETAINED_TABLES = Object.keys(RETAINED) as RetainedTable[];

/** A statement deletes this many rows. A row of a run has six index rows. */
const PAGE_ROWS = 1_000;

/** Deletes a page of a table's old rows. Returns true if there may be more. */
export async function deleteOldRows(
  db: D1Database,
  enterprise: string,
  table: RetainedTable,
  kept: CopyKeptSince,
): Promise<boolean> {
  const { old, since }: Retained = RETAINED[table];
  const columns = SWEPT.find((swept) => swept.table === table)?.key.join(", ");
  const page = `SELECT ${columns} FROM ${table} WHERE enterprise = ?1 AND ${old} LIMIT ${PAGE_ROWS}`;
  // What belongs to a run is deleted with it, in the same batch and by the same page.
  const tables = table === "runs" ? ["run_models", "run_cycles", table] : [table];
  const deletions = tables.map((name) =>
    db
      .prepare(
        `DELETE FROM ${name} WHERE enterprise = ?1 AND (${columns}) IN (${page})${name === table ? " RETURNING 1" : ""}`,
      )
      .bind(enterprise, ...since(kept)),
  );
  const deleted = (await db.batch(deletions)).at(-1);
  return (deleted?.results.length ?? 0) >= PAGE_ROWS;
}

/**
 * Deletes those of these runs that started before an instant, with the rows that belong to them. D1 may apply a deletion
 * late that has timed out. By then an id may name a new run, which must stay.
 */
export async function deleteRuns(
  db: D1Database,
  enterprise: string,
  runs: readonly string[],
  startedBeforeMs: AtMs,
): Promise<void> {
  const old = `SELECT run FROM runs WHERE enterprise = ?1 AND +started_at_ms < ?3
    AND run IN (SELECT value FROM json_each(?2))`;
  const deletions = ["run_models", "run_cycles", "runs"].map((table) =>
    db
      .prepare(`DELETE FROM ${table} WHERE enterprise = ?1 AND run IN (${old})`)
      .bind(enterprise, JSON.stringify(runs), startedBeforeMs),
  );
  await db.batch(deletions);
}

/**
 * Writes the checkpoint in place of its entry, which may not have been copied, and deletes a page of the entries before
 * it. Returns true if there may be more.
 */
export async function deleteEntries(
  db: D1Database,
  enterprise: string,
  checkpoint: { seq: number; atMs: AtMs; type: string; by: string; facts: string },
): Promise<boolean> {
  const { seq, atMs, type, by, facts } = checkpoint;
  const page = `SELECT seq FROM entries WHERE enterprise = ?1 AND seq < ?2 LIMIT ${PAGE_ROWS}`;
  const [, deleted] = await db.batch([
    db
      .prepare(
        `INSERT INTO entries (enterprise, seq, at_ms, type, caused_by, facts, generation)
          SELECT ?1, ?2, ?3, ?4, ?5, ?6, generation FROM enterprises WHERE id = ?1
          ON CONFLICT (enterprise, seq) DO UPDATE SET at_ms = excluded.at_ms, type = excluded.type,
            caused_by = excluded.caused_by, facts = excluded.facts`,
      )
      .bind(enterprise, seq, atMs, type, by, facts),
    db.prepare(`DELETE FROM entries WHERE enterprise = ?1 AND seq IN (${page}) RETURNING 1`).bind(enterprise, seq),
  ]);
  return (deleted?.results.length ?? 0) >= PAGE_ROWS;
}

/** Whether a row of the copy, or of the ledger for the copy, is past its retention, so that either may lack it. */
export function isPastRetention(table: string, row: Row, kept: CopyKeptSince): boolean {
  if (table === "entries") return before(row, "at_ms", kept.historyMs);
  return table in RETAINED && RETAINED[table as RetainedTable].isOld(row, kept);
}
