/**
 * The export's log: the rows that changed or were removed after they could have been exported. Each has one row, with the
 * number of its last change. The log is empty until the first export, so it costs nothing for enterprises that export
 * nothing. It does not contain what changed, and a row that no longer exists was removed.
 */
import type { ExportKind } from "../../wire/export.ts";
import { loadOutbox, type OutboxRow } from "../books/outbox.ts";
import { getProgress, nextRevision, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";

/** Logging this many rows of the outbox takes a few milliseconds. */
const OUTBOX_ROWS = 20;

type LoggedChange = { id: string; change: number };

/** Begins the log with the first export. From then on, every change is logged. */
export function beginExportLog(sql: Sql): void {
  if (!isLogging(sql)) nextRevision(sql, "export_change");
}

/** Logs changed rows, in the caller's transaction. Does nothing before the first export. */
export function logChanges(sql: Sql, kind: ExportKind, ids: readonly string[]): void {
  if (ids.length === 0 || !isLogging(sql)) return;
  const change = getProgress(sql, "export_change");
  sql.run(
    `INSERT OR REPLACE INTO export_log (kind, id, change)
      SELECT ?1, value, ?2 + row_number() OVER (ORDER BY key) FROM json_each(?3)`,
    kind,
    change,
    JSON.stringify(ids),
  );
  setProgress(sql, "export_change", change + ids.length);
}

/** Logs the runs of these outbox rows, except those of rows that are logged already. */
export function logOutbox(sql: Sql, rows: readonly OutboxRow[]): void {
  const last = rows.at(-1);
  if (last === undefined || !isLogging(sql)) return;
  const logged = getProgress(sql, "export_logged");
  const fresh = rows.filter(({ lastSeq }) => lastSeq > logged);
  if (fresh.length === 0) return;
  logChanges(
    sql,
    "runs",
    [...new Set(fresh.flatMap(({ items }) => items.map(({ run }) => run)))].filter((run) => run !== ""),
  );
  setProgress(sql, "export_logged", last.lastSeq);
}

/** Logs the oldest rows of the outbox that are not in the log yet. Returns true if there may be more. */
export function logWaiting(sql: Sql): boolean {
  const rows = loadOutbox(sql, getProgress(sql, "export_logged"), OUTBOX_ROWS);
  logOutbox(sql, rows);
  return rows.length === OUTBOX_ROWS;
}

/** Loads the changes of one kind after this one, in the order in which they happened. */
export function loadChanges(sql: Sql, kind: ExportKind, after: number, limit: number): LoggedChange[] {
  const statement = "SELECT id, change FROM export_log WHERE kind = ? AND change > ? ORDER BY change LIMIT ?";
  return sql.all(statement, kind, after, limit) as LoggedChange[];
}

function isLogging(sql: Sql): boolean {
  return getProgress(sql, "export_change") > 0;
}
