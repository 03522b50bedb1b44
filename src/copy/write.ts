/**
 * Writes an enterprise's batches to its copy in D1. The rows of each table are JSON parameters, and all statements of a
 * batch run as one D1 batch. A row replaces only a row of an earlier generation, or one with a lower revision, so
 * batches may be written twice, late or out of order.
 */
import type { Entry } from "../ledger/entries.ts";
import { showFacts } from "../wire/entry.ts";
import type { Batch, CopyHead, CycleTotal, TimeTotal } from "./batch.ts";
import { headStatement, parseHead } from "./checked-copy.ts";
import { magnitudeOf } from "./magnitude.ts";
import { removeCycles, runParts } from "./run-parts.ts";
import { searchKeysOf } from "./search-keys.ts";
import type { TableRows } from "./table-rows.ts";
import { cubeRows } from "./write-cube.ts";

/** The part of a batch that consists of rows. */
export type BatchRows = Pick<Batch, "totals" | "runs" | "entries" | "names" | "revision">;

const TIME = ["unit", "starts_at_ms", "surface", "amount_micros", "revision"] as const;

/** D1 accepts values of at most 2 MB. A UTF-16 code unit of a string takes at most 3 bytes. */
const MAX_PARAMETER_CHARS = 500_000;

/** Writes a batch. Returns the head of the copy as it is after that. */
export async function writeBatch(db: D1Database, batch: Batch): Promise<CopyHead> {
  const results = await db.batch<Record<string, unknown>>([
    writeHead(db, batch),
    ...searchKeys(db, batch),
    ...removeCycles(db, batch),
    ...rowsOf(batch).flatMap((rows) => writesOf(db, batch, rows)),
    headStatement(db, batch.enterprise),
  ]);
  return parseHead(results.at(-1)?.results[0]) as CopyHead;
}

/**
 * Writes the enterprise's own row. If the copy has not reached the confirmed revision, something is missing from it,
 * and the row says that the copy is complete only since this batch. So it does if the row was only a listing so far.
 */
function writeHead(db: D1Database, batch: Batch): D1PreparedStatement {
  const { enterprise, createdAtMs, name, suspended, attention, gauge, revision, generation } = batch;
  return db
    .prepare(
      `INSERT INTO enterprises (id, created_at_ms, name, suspended, attention, gauge, revision, generation,
          since_revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?7)
        ON CONFLICT (id) DO UPDATE
        SET name = excluded.name, suspended = excluded.suspended, attention = excluded.attention, gauge = excluded.gauge,
          revision = excluded.revision, generation = excluded.generation,
          since_revision = iif(enterprises.shard IS NULL AND enterprises.revision >= ?9,
            enterprises.since_revision, excluded.revision),
          shard = NULL,
          settings_revision = iif(enterprises.generation = excluded.generation, enterprises.settings_revision, 0)
        WHERE (excluded.generation, excluded.revision) > (enterprises.generation, enterprises.revision)`,
    )
    .bind(
      enterprise,
      createdAtMs,
      name,
      Number(suspended),
      attention,
      gauge,
      revision,
      generation,
      batch.confirmedRevision,
    );
}

/**
 * Returns statements that replace the search keys, unless the stored keys were made from the same or newer settings, or
 * the copy has a later generation.
 */
export function searchKeys(
  db: D1Database,
  batch: Pick<Batch, "enterprise" | "name" | "generation" | "settingsRevision">,
): D1PreparedStatement[] {
  const { enterprise, name, generation, settingsRevision } = batch;
  if (settingsRevision === null) return [];
  const older = "SELECT 1 FROM enterprises WHERE id = ?1 AND generation = ?3 AND settings_revision < ?2";
  const keys = JSON.stringify(searchKeysOf(enterprise, name));
  const deleted = `DELETE FROM enterprise_search WHERE enterprise = ?1 AND EXISTS (${older})`;
  const inserted = `INSERT INTO enterprise_search SELECT ?1, value FROM json_each(?4) WHERE EXISTS (${older})`;
  const noted =
    "UPDATE enterprises SET settings_revision = ?2 WHERE id = ?1 AND generation = ?3 AND settings_revision < ?2";
  return [
    db.prepare(deleted).bind(enterprise, settingsRevision, generation),
    db.prepare(inserted).bind(enterprise, settingsRevision, generation, keys),
    db.prepare(noted).bind(enterprise, settingsRevision, generation),
  ];
}

/** Reads the head of an enterprise's copy; null if nothing was written. */
export async function readHead(db: D1Database, enterprise: string): Promise<CopyHead | null> {
  const { results } = await headStatement(db, enterprise).all();
  return parseHead(results[0]);
}

/** Returns the rows of a batch by table, except the enterprise's own row. Tables without rows are left out. */
function rowsOf(batch: BatchRows): TableRows[] {
  return allRowsOf(batch).filter((rows) => rows.values.length > 0);
}

export function allRowsOf(batch: BatchRows): TableRows[] {
  const time = (span: TimeTotal["span"]) => batch.totals.time.filter((total) => total.span === span).map(timeToList);
  return [
    { table: "usage_hourly", columns: TIME, keys: 3, values: time("hour") },
    { table: "usage_daily", columns: TIME, keys: 3, values: time("day") },
    {
      table: "usage_by_dimension",
      columns: CYCLE_COLUMNS,
      keys: 4,
      values: batch.totals.cycle.map(cycleToList),
      rare: ["magnitude"],
    },
    ...cubeRows(batch.totals),
    {
      table: "runs",
      columns: RUN_COLUMNS,
      keys: 1,
      values: batch.runs.map((run) => runToList(run, batch.revision)),
      fixed: ["surface", "workspace", "user", "started_at_ms"],
      // The group can change only with the run's first report. The cycle changes only if the run continues in a new
      // one.
      rare: ["group_id", "cycle_starts_at_ms"],
    },
    ...runParts(batch),
    {
      table: "entries",
      columns: ["seq", "at_ms", "type", "caused_by", "facts"],
      keys: 1,
      values: batch.entries
        .filter(isCopied)
        .map(({ seq, atMs, by, facts }) => [seq, atMs, facts.type, by, JSON.stringify(showFacts(facts))]),
    },
    {
      table: "names",
      columns: ["kind", "id", "name", "group_id", "revision"],
      keys: 2,
      values: batch.names.map(({ kind, id, name, group, revision }) => [kind, id, name, group, revision]),
    },
  ];
}

/** Whether an entry is copied. Closed runs are most of the entries, and no reader of the copy asks for them. */
function isCopied({ facts }: Entry): boolean {
  return facts.type !== "run_closed";
}

function timeToList({ unit, startsAtMs, surface, amountMicros, revision }: TimeTotal): unknown[] {
  return [unit, startsAtMs, surface, amountMicros, revision];
}

const CYCLE_COLUMNS = [
  "unit",
  "cycle_starts_at_ms",
  "dimension",
  "id",
  "requests",
  "amount_micros",
  "revision",
  "magnitude",
  "magnitude_revision",
] as const;

function cycleToList(total: CycleTotal): unknown[] {
  const { unit, cycleStartsAtMs, dimension, id, requests, amountMicros, revision } = total;
  return [unit, cycleStartsAtMs, dimension, id, requests, amountMicros, revision, magnitudeOf(amountMicros), revision];
}

const RUN_COLUMNS = [
  "run",
  "surface",
  "workspace",
  "group_id",
  "user",
  "started_at_ms",
  "last_report_at_ms",
  "models",
  "unit",
  "charged_micros",
  "cycle_starts_at_ms",
  "cycle_micros",
  "final",
  "usage",
  "price_book_versions",
  "revision",
] as const;

function runToList(run: Batch["runs"][number], revision: number): unknown[] {
  return [
    run.run,
    run.surface,
    run.workspace,
    run.group,
    run.user,
    run.startedAtMs,
    run.lastReportAtMs,
    JSON.stringify(run.models),
    run.unit,
    run.chargedMicros,
    run.cycleStartsAtMs,
    run.cycleMicros,
    Number(run.final),
    run.usage === null ? null : JSON.stringify(run.usage),
    run.priceBookVersions === null ? null : JSON.stringify(run.priceBookVersions),
    revision,
  ];
}

/** Returns the statements that write the rows of one table, in the order in which they must run. */
function writesOf(db: D1Database, { enterprise, generation, rebuild }: Batch, rows: TableRows): D1PreparedStatement[] {
  const { fixed = [], rare = [] } = rows;
  const corrected = rebuild ? [...fixed, ...rare] : rare;
  const statements =
    corrected.length === 0 ? [upsertOf(rows)] : [updateWhereDifferent(rows, corrected), upsertOf(rows)];
  return portionsOf(rows.values).flatMap((values) =>
    statements.map((statement) => db.prepare(statement).bind(enterprise, values, generation)),
  );
}

/** Splits rows into JSON lists that fit into one parameter each. */
function portionsOf(values: readonly unknown[][]): string[] {
  const portions: string[][] = [[]];
  let chars = 0;
  for (const value of values) {
    const row = JSON.stringify(value);
    chars += row.length;
    if (chars > MAX_PARAMETER_CHARS && portions.at(-1)?.length !== 0) {
      portions.push([]);
      chars = row.length;
    }
    portions.at(-1)?.push(row);
  }
  return portions.map((rows) => `[${rows.join(",")}]`);
}

function upsertOf(rows: TableRows): string {
  const { table, columns, quiet = false } = rows;
  const changing = changingOf(rows);
  const set = listOf([...changing, "generation"], (column) => `${column} = excluded.${column}`);
  // Within a generation, an entry never changes.
  const newer = columns.includes("revision")
    ? `(excluded.generation, excluded.revision) > (${table}.generation, ${table}.revision)`
    : `excluded.generation > ${table}.generation`;
  const changes = changing.filter((column) => column !== "revision");
  const differs = ["generation", ...changes].map((column) => `${table}.${column} IS NOT excluded.${column}`);
  const when = quiet ? `${newer} AND (${differs.join(" OR ")})` : newer;
  return `${insertSent(rows)} WHERE ${OF_THIS_GENERATION} ${onConflict(rows)} DO UPDATE SET ${set} WHERE ${when}`;
}

/**
 * Returns SQL that updates the existing rows in which one of these columns differs, all of their columns at once. It must
 * run before the upsert, which then finds these rows to be written. UPDATE … FROM would read all rows of the enterprise.
 * The cross join makes SQLite look up only the rows that were sent.
 */
function updateWhereDifferent(rows: TableRows, corrected: readonly string[]): string {
  const { table, columns, keys } = rows;
  const sent = (column: string) => `j.value ->> ${columns.indexOf(column)}`;
  const same = columns.slice(0, keys).map((column) => `t.${column} = ${sent(column)}`);
  const differs = corrected.map((column) => `t.${column} IS NOT ${sent(column)}`);
  const set = [...corrected, ...changingOf(rows), "generation"];
  return `${insertSent(rows)} CROSS JOIN ${table} AS t ON t.enterprise = ?1 AND ${same.join(" AND ")}
    WHERE ${OF_THIS_GENERATION} AND (t.generation, t.revision) < (?3, ${sent("revision")}) AND (${differs.join(" OR ")})
    ${onConflict(rows)} DO UPDATE SET ${listOf(set, (column) => `${column} = excluded.${column}`)}`;
}

/** The columns that every update of a row sets. */
function changingOf({ columns, keys, fixed = [], rare = [] }: TableRows): string[] {
  return columns.slice(keys).filter((column) => !fixed.includes(column) && !rare.includes(column));
}

/** The head is written first, so its generation is at least that of the batch. */
const OF_THIS_GENERATION = "(SELECT generation FROM enterprises WHERE id = ?1) = ?3";

function insertSent({ table, columns }: TableRows): string {
  return `INSERT INTO ${table} (enterprise, ${columns.join(", ")}, generation)
    SELECT ?1, ${listOf(columns, (_, i) => `j.value ->> ${i}`)}, ?3 FROM json_each(?2) AS j`;
}

function onConflict({ columns, keys }: TableRows): string {
  return `ON CONFLICT (enterprise, ${columns.slice(0, keys).join(", ")})`;
}

function listOf(columns: readonly string[], show: (column: string, i: number) => string): string {
  return columns.map(show).join(", ");
}
