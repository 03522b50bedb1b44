/**
 * Writes an enterprise's batches to its copy in D1. The rows of each table are one JSON parameter, and all statements
 * of a batch run as one D1 batch. A row replaces only a row with a lower revision, so batches may be written twice,
 * late or out of order.
 */
import { showFacts } from "../wire/entry.ts";
import type { Batch, CycleTotal, TimeTotal } from "./batch.ts";
import { searchKeysOf } from "./search-keys.ts";

/**
 * Rows of one table. Each of `values` is a row in the order of `columns`. The first `keys` columns identify the row.
 */
export type TableRows = {
  table: string;
  columns: readonly string[];
  keys: number;
  values: unknown[][];
  /** Columns that never change. Updates leave them out, so that no index rows are written for them. */
  fixed?: readonly string[];
  /** Columns that rarely change. A separate statement updates them, only in rows where they differ. */
  rare?: readonly string[];
};

/** The part of a batch that consists of rows. */
export type BatchRows = Pick<Batch, "totals" | "runs" | "entries" | "names" | "revision">;

const TIME = ["unit", "starts_at_ms", "surface", "amount_micros", "revision"] as const;

const TABLES = [
  "enterprise_search",
  "usage_hourly",
  "usage_daily",
  "usage_by_dimension",
  "runs",
  "entries",
  "names",
] as const;

export async function writeBatch(db: D1Database, batch: Batch): Promise<void> {
  const { enterprise, createdAtMs, name, suspended, attention, gauge, revision } = batch;
  const head = db
    .prepare(
      `INSERT INTO enterprises (id, created_at_ms, name, suspended, attention, gauge, revision) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (id) DO UPDATE
        SET name = excluded.name, suspended = excluded.suspended, attention = excluded.attention, gauge = excluded.gauge,
          revision = excluded.revision
        WHERE excluded.revision > enterprises.revision`,
    )
    .bind(enterprise, createdAtMs, name, Number(suspended), attention, gauge, revision);
  await db.batch([head, ...searchKeys(db, batch), ...rowsOf(batch).flatMap((rows) => writesOf(db, enterprise, rows))]);
}

/**
 * Returns statements that replace the search keys, unless the stored keys were made from the same or newer settings.
 */
function searchKeys(db: D1Database, { enterprise, name, settingsRevision }: Batch): D1PreparedStatement[] {
  if (settingsRevision === null) return [];
  const older = "SELECT 1 FROM enterprises WHERE id = ?1 AND settings_revision < ?2";
  const keys = JSON.stringify(searchKeysOf(enterprise, name));
  return [
    db
      .prepare(`DELETE FROM enterprise_search WHERE enterprise = ?1 AND EXISTS (${older})`)
      .bind(enterprise, settingsRevision),
    db
      .prepare(`INSERT INTO enterprise_search SELECT ?1, value FROM json_each(?3) WHERE EXISTS (${older})`)
      .bind(enterprise, settingsRevision, keys),
    db
      .prepare("UPDATE enterprises SET settings_revision = ?2 WHERE id = ?1 AND settings_revision < ?2")
      .bind(enterprise, settingsRevision),
  ];
}

/** Reads the highest revision of the batches written for an enterprise; null if there is none. */
export async function readHead(db: D1Database, enterprise: string): Promise<number | null> {
  return db.prepare("SELECT revision FROM enterprises WHERE id = ?").bind(enterprise).first<number>("revision");
}

/**
 * Deletes an enterprise's copy if its head still has this revision. A deletion that arrives late, after the copy was
 * written again, deletes nothing.
 */
export async function deleteCopy(db: D1Database, enterprise: string, head: number | null): Promise<void> {
  const unchanged = "(SELECT revision FROM enterprises WHERE id = ?1) IS ?2";
  await db.batch(
    [
      ...TABLES.map((table) => `DELETE FROM ${table} WHERE enterprise = ?1 AND ${unchanged}`),
      "DELETE FROM enterprises WHERE id = ?1 AND revision IS ?2",
    ].map((statement) => db.prepare(statement).bind(enterprise, head)),
  );
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
      columns: ["unit", "cycle_starts_at_ms", "dimension", "id", "requests", "amount_micros", "revision"],
      keys: 4,
      values: batch.totals.cycle.map(cycleToList),
    },
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
    {
      table: "entries",
      columns: ["seq", "at_ms", "type", "caused_by", "facts"],
      keys: 1,
      values: batch.entries.map(({ seq, atMs, by, facts }) => [
        seq,
        atMs,
        facts.type,
        by,
        JSON.stringify(showFacts(facts)),
      ]),
    },
    {
      table: "names",
      columns: ["kind", "id", "name", "group_id", "revision"],
      keys: 2,
      values: batch.names.map(({ kind, id, name, group, revision }) => [kind, id, name, group, revision]),
    },
  ];
}

function timeToList({ unit, startsAtMs, surface, amountMicros, revision }: TimeTotal): unknown[] {
  return [unit, startsAtMs, surface, amountMicros, revision];
}

function cycleToList(total: CycleTotal): unknown[] {
  const { unit, cycleStartsAtMs, dimension, id, requests, amountMicros, revision } = total;
  return [unit, cycleStartsAtMs, dimension, id, requests, amountMicros, revision];
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
    revision,
  ];
}

/** Returns the statements that write the rows of one table, in the order in which they must run. */
function writesOf(db: D1Database, enterprise: string, rows: TableRows): D1PreparedStatement[] {
  const statements = rows.rare === undefined ? [upsertOf(rows)] : [updateRareColumns(rows, rows.rare), upsertOf(rows)];
  const values = JSON.stringify(rows.values);
  return statements.map((statement) => db.prepare(statement).bind(enterprise, values));
}

function upsertOf(rows: TableRows): string {
  const { table, columns, keys, fixed = [], rare = [] } = rows;
  const changing = columns.slice(keys).filter((column) => !fixed.includes(column) && !rare.includes(column));
  const update = columns.includes("revision")
    ? `DO UPDATE SET ${listOf(changing, (column) => `${column} = excluded.${column}`)}
        WHERE excluded.revision > ${table}.revision`
    : "DO NOTHING"; // Entries are written once and never change.
  return `${insertSent(rows)} WHERE true ${onConflict(rows)} ${update}`;
}

/**
 * Returns SQL that updates existing rows whose rare columns differ. It must run before the upsert: the upsert raises
 * the row's revision, and this statement needs the old revision to recognize an older batch. UPDATE … FROM would read
 * all rows of the enterprise. The cross join makes SQLite look up only the rows that were sent.
 */
function updateRareColumns(rows: TableRows, rare: readonly string[]): string {
  const { table, columns, keys } = rows;
  const sent = (column: string) => `j.value ->> ${columns.indexOf(column)}`;
  const same = columns.slice(0, keys).map((column) => `t.${column} = ${sent(column)}`);
  const differs = rare.map((column) => `t.${column} IS NOT ${sent(column)}`);
  return `${insertSent(rows)} CROSS JOIN ${table} AS t ON t.enterprise = ?1 AND ${same.join(" AND ")}
    WHERE t.revision < ${sent("revision")} AND (${differs.join(" OR ")})
    ${onConflict(rows)} DO UPDATE SET ${listOf(rare, (column) => `${column} = excluded.${column}`)}`;
}

function insertSent({ table, columns }: TableRows): string {
  return `INSERT INTO ${table} (enterprise, ${columns.join(", ")})
    SELECT ?1, ${listOf(columns, (_, i) => `j.value ->> ${i}`)} FROM json_each(?2) AS j`;
}

function onConflict({ columns, keys }: TableRows): string {
  return `ON CONFLICT (enterprise, ${columns.slice(0, keys).join(", ")})`;
}

function listOf(columns: readonly string[], show: (column: string, i: number) => string): string {
  return columns.map(show).join(", ");
}
