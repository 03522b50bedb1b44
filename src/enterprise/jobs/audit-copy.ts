/**
 * Audits the copy in D1 in slices: compares it with the ledger, one range of a table at a time, in both directions.
 * Debits may arrive meanwhile. A row is compared only if no newer form of it waits in the outbox, and if D1's row is not
 * newer than the one that was read here. The audit writes to neither side.
 */
import { NO_TOTALS } from "../../copy/batch.ts";
import { type Compared, type CopyKey, compareRange, type Range } from "../../copy/compare.ts";
import { isPastRetention } from "../../copy/retention.ts";
import { searchKeysOf } from "../../copy/search-keys.ts";
import { allRowsOf, type BatchRows } from "../../copy/write.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress } from "../books/progress.ts";
import { loadCells, loadModelTotals } from "../copy/cube.ts";
import { loadNamesByKey, settingsRevision } from "../copy/projection.ts";
import { loadRunRows } from "../copy/run-rows.ts";
import { loadCycleTotals, loadTimeTotals } from "../copy/totals.ts";
import { loadKeptSince } from "./retention.ts";

export const COPY_PHASES = [
  "usage_hourly",
  "usage_daily",
  "usage_by_dimension",
  "usage_cube",
  "usage_by_model",
  "runs_in_copy",
  "run_models",
  "run_cycles",
  "entries_in_copy",
  "names",
  "head",
] as const;
export type CopyPhase = (typeof COPY_PHASES)[number];

/** How many rows a range of each phase has. Reading and comparing them takes a few milliseconds. */
const RANGE_ROWS: Record<CopyPhase, number> = {
  usage_hourly: 500,
  usage_daily: 500,
  usage_by_dimension: 500,
  usage_cube: 200,
  usage_by_model: 200,
  runs_in_copy: 100,
  run_models: 100,
  run_cycles: 100,
  entries_in_copy: 500,
  names: 500,
  head: 1,
};
const TABLES: Record<Exclude<CopyPhase, "head">, string> = {
  usage_hourly: "usage_hourly",
  usage_daily: "usage_daily",
  usage_by_dimension: "usage_by_dimension",
  usage_cube: "usage_cube",
  usage_by_model: "usage_by_model",
  runs_in_copy: "runs",
  run_models: "run_models",
  run_cycles: "run_cycles",
  entries_in_copy: "entries",
  names: "names",
};
/** Runs with many meters make their range shorter. */
const MAX_METERS = 1_000;
/** If more than this waits in the outbox, it is projected before the next comparison. */
const MAX_WAITING_CHARS = 500_000;

/** Whether so much waits in the outbox that it should be projected first. */
export function waitsTooMuch({ sql }: Ledger): boolean {
  const statement = "SELECT length(items) AS chars FROM outbox_items ORDER BY last_seq LIMIT 5000";
  let chars = 0;
  return sql.all(statement).some((row) => (chars += row.chars as number) > MAX_WAITING_CHARS);
}

/** Compares the next range of a phase. */
export async function comparePhase(
  ledger: Ledger,
  db: D1Database,
  phase: CopyPhase,
  after: CopyKey | null,
): Promise<Compared> {
  if (phase === "head") return compareHead(ledger, db);
  // Nothing may be awaited before the range is complete: all of it is read in one turn.
  return compareRange(db, ledger.id, rangeOf(ledger, phase, after));
}

function rangeOf(ledger: Ledger, phase: Exclude<CopyPhase, "head">, after: CopyKey | null): Range {
  const { sql } = ledger;
  const limit = RANGE_ROWS[phase];
  const { rows, complete, last: end } = READ[phase](ledger, after, limit);
  const shown = allRowsOf({ ...NO_ROWS, ...rows }).find(({ table }) => table === TABLES[phase]);
  if (shown === undefined) throw new Error(`no rows for ${phase}`);
  const last = complete
    ? null
    : (end ?? ((shown.values.at(-1) as unknown[]).slice(0, shown.keys) as unknown as CopyKey));
  const { seq } = ledger.books;
  const issued = getProgress(sql, "copy");
  const namesRevision = getProgress(sql, "names_revision");
  const firstWaiting = (sql.all("SELECT min(last_seq) AS seq FROM outbox_items")[0]?.seq ?? null) as number | null;
  const kept = loadKeptSince(ledger);
  const isOld = (row: Record<string, unknown>) => isPastRetention(TABLES[phase], row, kept);
  const range = { rows: shown, after, last, isOld };
  const newerThan = (revision: number) => (row: { revision?: unknown }) => (row.revision as number) > revision;
  switch (phase) {
    case "run_models":
    case "run_cycles":
    case "runs_in_copy": {
      const waiting = waitingRuns(ledger);
      const isForgotten = phase === "runs_in_copy" ? isOld : isForgottenPart(kept.historyMs);
      return {
        ...range,
        isOld: isForgotten,
        isWaiting: ([run]) => waiting.has(run as string),
        isNewer: newerThan(issued),
      };
    }
    case "entries_in_copy": {
      const confirmed = getProgress(sql, "entries");
      return {
        ...range,
        isWaiting: ([entry]) => (entry as number) > confirmed,
        isNewer: (row) => (row.seq as number) > seq,
        // Earlier releases also copied closed runs. These rows are deleted by the next rebuild, or when they are old.
        isOld: (row) => row.type === "run_closed" || isOld(row),
      };
    }
    case "names": {
      const confirmed = getProgress(sql, "names");
      return {
        ...range,
        isWaiting: (_, revision) => (revision ?? 0) > confirmed,
        isNewer: newerThan(namesRevision),
      };
    }
    default:
      // The revision of a total is the seq up to which it is complete.
      return {
        ...range,
        isWaiting: (_, revision) => firstWaiting !== null && (revision ?? 0) >= firstWaiting,
        isNewer: newerThan(seq),
      };
  }
}

/**
 * Whether a row that belongs to a run may be missing on either side: because the run is old, or because the ledger has
 * forgotten a name under which its usage once waited.
 */
function isForgottenPart(historyMs: AtMs): Range["isOld"] {
  return (row) => (row.started_at_ms as number) < historyMs || row.used === 0;
}

type Read = {
  rows: Partial<BatchRows>;
  complete: boolean;
  /** The key with which the range ends, if it is not that of its last row. */
  last?: CopyKey;
};
const NO_ROWS: BatchRows = { totals: NO_TOTALS, runs: [], entries: [], names: [], revision: 0 };

const READ: Record<Exclude<CopyPhase, "head">, (ledger: Ledger, after: CopyKey | null, limit: number) => Read> = {
  usage_hourly: ({ sql }, after, limit) => readTimes(loadTimeTotals(sql, "hour", after, limit), limit),
  usage_daily: ({ sql }, after, limit) => readTimes(loadTimeTotals(sql, "day", after, limit), limit),
  usage_by_dimension: ({ sql }, after, limit) => {
    const cycle = loadCycleTotals(sql, after, limit);
    return { rows: { totals: { ...NO_TOTALS, cycle } }, complete: cycle.length < limit };
  },
  usage_cube: ({ sql }, after, limit) => {
    const cells = loadCells(sql, after, limit);
    return { rows: { totals: { ...NO_TOTALS, cells } }, complete: cells.length < limit };
  },
  usage_by_model: ({ sql }, after, limit) => {
    const models = loadModelTotals(sql, after, limit);
    return { rows: { totals: { ...NO_TOTALS, models } }, complete: models.length < limit };
  },
  runs_in_copy: readRuns,
  run_models: (ledger, after, limit) => ofWholeRuns(readRuns(ledger, after, limit), [LAST_TEXT]),
  run_cycles: (ledger, after, limit) => ofWholeRuns(readRuns(ledger, after, limit), [LAST_TEXT, MAX_MICROS]),
  entries_in_copy: ({ store }, after, limit) => {
    const entries = store.loadEntriesAfter((after?.[0] ?? 0) as number, limit);
    // The last entries of the range may be of closed runs, which are not copied.
    return { rows: { entries }, complete: entries.length < limit, last: [entries.at(-1)?.seq ?? 0] };
  },
  names: ({ sql }, after, limit) => {
    const names = loadNamesByKey(sql, after, limit);
    return { rows: { names }, complete: names.length < limit };
  },
};

function readTimes(time: BatchRows["totals"]["time"], limit: number): Read {
  return { rows: { totals: { ...NO_TOTALS, time } }, complete: time.length < limit };
}

function readRuns(ledger: Ledger, after: CopyKey | null, limit: number): Read {
  const { ids, complete } = loadRunIds(ledger, (after?.[0] ?? "") as string, limit);
  const runs = loadRunRows(ledger, ids).sort((a, b) => (a.run < b.run ? -1 : 1));
  for (const { otherCycles } of runs) {
    otherCycles.sort((a, b) => (a.unit < b.unit ? -1 : a.unit > b.unit ? 1 : a.cycleStartsAtMs - b.cycleStartsAtMs));
  }
  return { rows: { runs }, complete };
}

/** After every model and unit. */
const LAST_TEXT = "~";

/** Ends the range after all rows of its last run, of which there may be none. */
function ofWholeRuns({ rows, complete }: Read, end: CopyKey): Read {
  return { rows, complete, last: [rows.runs?.at(-1)?.run ?? "", ...end] };
}

/** Loads the ids of the next runs. Stops early if the runs have many meters. */
function loadRunIds({ sql }: Ledger, after: string, limit: number): { ids: string[]; complete: boolean } {
  const rows = sql.all(
    `SELECT run, (SELECT count(*) FROM meters WHERE meters.run = runs.run) AS meters FROM runs WHERE run > ?
      ORDER BY run LIMIT ?`,
    after,
    limit,
  );
  let meters = 0;
  const fitting = rows.filter((row, i) => (meters += row.meters as number) <= MAX_METERS || i === 0);
  return {
    ids: fitting.map((row) => row.run as string),
    complete: rows.length < limit && fitting.length === rows.length,
  };
}

/** Returns the runs with an item in the outbox. waitsTooMuch() bounds how many these are. */
function waitingRuns({ sql }: Ledger): Set<string> {
  const statement =
    "SELECT DISTINCT item.value ->> 'run' AS run FROM outbox_items, json_each(outbox_items.items) AS item";
  return new Set(sql.all(statement).map((row) => row.run as string));
}

/** Compares the enterprise's row and its search keys, but not its gauge, which changes with every debit. */
async function compareHead(ledger: Ledger, db: D1Database): Promise<Compared> {
  const { sql, id, books } = ledger;
  const { name, suspended } = books.settings;
  const revision = settingsRevision(sql);
  const faults: string[] = [];
  const columns = "SELECT name, suspended, revision FROM enterprises WHERE id = ?";
  const row = (await db.prepare(columns).bind(id).all()).results[0] as Record<string, unknown> | undefined;
  const keys = (
    await db.prepare("SELECT key FROM enterprise_search WHERE enterprise = ? ORDER BY key").bind(id).all()
  ).results.map((found) => (found as { key: string }).key);
  const expected = searchKeysOf(id, name);
  const compared = { rows: 1 + expected.length, faults, next: null };
  if (row !== undefined && (row.revision as number) > getProgress(sql, "copy")) {
    faults.push(
      `enterprises: the copy has revision ${row.revision}, the ledger has issued ${getProgress(sql, "copy")}`,
    );
  }
  if (settingsRevision(sql) !== revision || getProgress(sql, "settings") < revision) return compared;
  if (row === undefined) faults.push("enterprises: missing");
  else if (row.name !== name) faults.push(`enterprises: name is ${row.name}, the ledger says ${name}`);
  else if (row.suspended !== Number(suspended)) {
    faults.push(`enterprises: suspended is ${row.suspended}, the ledger says ${Number(suspended)}`);
  }
  const missing = expected.find((key) => !keys.includes(key));
  const extra = keys.find((key) => !expected.includes(key));
  if (missing !== undefined) faults.push(`enterprise_search "${missing}": missing`);
  if (extra !== undefined) faults.push(`enterprise_search "${extra}": of an older name`);
  return compared;
}
