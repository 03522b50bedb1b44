/**
 * The export's log: the rows that changed or were removed after they could have been exported. Each has one row, with the
 * number of its last change. The log is empty until the first export, so it costs nothing for enterprises that export
 * nothing. It does not contain what changed, and a row that no longer exists was removed. A change stays in the log for 90
 * days: once a day, a mark notes the number of the last change, and the log before an old mark is deleted in portions.
 */
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import { EXPORT_KINDS, type ExportKind } from "../../wire/export.ts";
import { loadOutbox, type OutboxRow } from "../books/outbox.ts";
import { getProgress, nextRevision, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";

/** How long a change stays in the log. A cursor that is older is refused. */
const EXPORT_LOG_DAYS = 90;
/** Deleting this many changes takes a few milliseconds. */
const MAX_DELETED = 2_000;

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

/** Notes the number of the last change, in the caller's transaction. */
export function markExportLog(sql: Sql, nowMs: AtMs): void {
  if (!isLogging(sql)) return;
  sql.run("INSERT OR REPLACE INTO export_marks VALUES (?, ?)", nowMs, getProgress(sql, "export_change"));
}

/** Deletes a portion of the changes that are too old, in the caller's transaction. Returns true if there may be more. */
export function pruneExportLog(sql: Sql, nowMs: AtMs): boolean {
  const oldMs = nowMs - EXPORT_LOG_DAYS * DAY_MS;
  const [mark] = sql.all("SELECT at_ms, change FROM export_marks WHERE at_ms <= ? ORDER BY at_ms DESC LIMIT 1", oldMs);
  if (mark === undefined) return false;
  // From now on, older cursors are refused.
  setProgress(sql, "export_pruned", mark.change as number);
  for (const kind of EXPORT_KINDS) {
    const nth = "SELECT change FROM export_log WHERE kind = ? AND change <= ? ORDER BY change LIMIT 1 OFFSET ?";
    const [last] = sql.all(nth, kind, mark.change as number, MAX_DELETED);
    const statement = "DELETE FROM export_log WHERE kind = ? AND change <= ?";
    sql.run(statement, kind, (last?.change ?? mark.change) as number);
    if (last !== undefined) return true;
  }
  sql.run("DELETE FROM export_marks WHERE at_ms < ?", mark.at_ms as number);
  return false;
}

/** Whether all changes after this one are still in the log. */
export function hasChangesAfter(sql: Sql, change: number): boolean {
  return change >= getProgress(sql, "export_pruned");
}

function isLogging(sql: Sql): boolean {
  return getProgress(sql, "export_change") > 0;
}
