/**
 * Reads pages of an export from the object. An export lists all rows of a kind in the order of their keys, and then the
 * changes that were logged since it began. So a row that changes after it was listed appears again, with the same id.
 */

import type { CubeCell } from "../../copy/batch.ts";
import { CELL_KEY } from "../../copy/write-cube.ts";
import { dateOf } from "../../ledger/calendar.ts";
import { KINDS } from "../../ledger/kinds.ts";
import type { AtMs } from "../../ledger/time.ts";
import { type FactsJson, showEntry } from "../../wire/entry.ts";
import type { ExportCursor, ExportKind, ExportLine } from "../../wire/export.ts";
import { showRun } from "../../wire/run.ts";
import { formatIso } from "../../wire/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress } from "../books/progress.ts";
import { ENTRIES } from "../books/rows.ts";
import { CUBE, cellId, loadCells } from "../copy/cube.ts";
import { loadRunRows } from "../copy/run-rows.ts";
import { foldOutbox } from "../copy/totals.ts";
import { opaqueId } from "./digest.ts";
import { beginExportLog, hasChangesAfter, loadChanges, logWaiting } from "./export-log.ts";

/** A page of this many rows takes a few milliseconds. The Worker reads as many pages as a response needs. */
export const EXPORT_PAGE_ROWS = 500;

export type ExportPage = {
  lines: ExportLine[];
  next: ExportCursor;
  /** Whether nothing follows now. */
  ended: boolean;
};

type Source = {
  /** Returns up to `limit` rows after this key, in the order of their keys. */
  list(ledger: Ledger, after: ExportCursor["after"], limit: number): { key: string | number; line: ExportLine }[];
  /** Returns the rows with these ids, in any order, except those that no longer exist. */
  find(ledger: Ledger, ids: readonly string[]): ExportLine[];
  /** Whether new rows always come last in the order of their keys, so that they need no log. */
  appended: boolean;
};

const SOURCES: Record<ExportKind, Source> = {
  runs: {
    list: (ledger, after, limit) => {
      const rows = ledger.sql.all("SELECT run FROM runs WHERE run > ? ORDER BY run LIMIT ?", after ?? "", limit);
      const lines = new Map(
        findRuns(
          ledger,
          rows.map(({ run }) => run as string),
        ).map((line) => [line.id, line]),
      );
      return [...lines.keys()].sort(byBytes).map((key) => ({ key, line: lines.get(key) as ExportLine }));
    },
    find: findRuns,
    appended: false,
  },
  entries: {
    list: (ledger, after, limit) =>
      ledger.store
        .loadEntriesAfter(Number(after ?? 0), limit)
        .map((entry) => ({ key: entry.seq, line: showLine(showEntry(entry)) })),
    find: (ledger, ids) =>
      ledger.sql
        .all(
          "SELECT * FROM entries WHERE seq IN (SELECT CAST(value AS INTEGER) FROM json_each(?1))",
          JSON.stringify(ids),
        )
        .map((row) => showLine(showEntry(ENTRIES.read(row)))),
    appended: true,
  },
  usage: {
    list: (ledger, after, limit) => {
      const key = after === null ? null : (JSON.parse(String(after)) as (string | number)[]);
      const cells = loadCells(ledger.sql, key, limit);
      const lines = showCells(ledger, cells);
      return cells.map((cell, i) => ({ key: cellId(cell), line: lines[i] as ExportLine }));
    },
    find: (ledger, ids) => {
      const keys = ids.filter((id) => id.startsWith("["));
      const same = CELL_KEY.map((column, i) => `c.${column} = k.value ->> ${i}`).join(" AND ");
      const statement = `SELECT c.* FROM json_each(?1) AS k JOIN cube AS c ON ${same}`;
      return showCells(ledger, ledger.sql.all(statement, `[${keys.join(",")}]`).map(CUBE.read));
    },
    appended: false,
  },
};

/** Returns the id of a line. The log has the key of a cell, which contains a person's id; a line does not show it. */
function lineId(kind: ExportKind, id: string): string {
  return kind === "usage" && id.startsWith("[") ? opaqueId(id) : id;
}

function showCells({ store, books }: Ledger, cells: readonly CubeCell[]): ExportLine[] {
  const zones = new Map(store.loadCycleZones(cells.map(({ cycleStartsAtMs }) => cycleStartsAtMs)));
  zones.set(books.cycle.startsAtMs, books.cycle.timeZone);
  const firstZone = store.loadFirstCycleZone() ?? books.cycle.timeZone;
  return cells.map((cell) => ({
    id: opaqueId(cellId(cell)),
    // Imported days are before the first cycle, in its zone.
    day: dateOf(cell.dayStartsAtMs, zones.get(cell.cycleStartsAtMs) ?? firstZone),
    surface: cell.surface,
    workspace: cell.workspace,
    group: cell.group,
    user: cell.user,
    model: cell.model,
    tier: cell.tier,
    requests: cell.meterRequests,
    amount_micros: cell.amountMicros,
    unit: cell.unit,
    usage: Object.fromEntries(
      KINDS.flatMap(({ kind, field }) => (cell.kinds[kind] === undefined ? [] : [[field, cell.kinds[kind][0]]])),
    ),
  }));
}

/** Returns where a new export of this kind begins. Logs every change from now on. */
function beginExport(ledger: Ledger, kind: ExportKind): ExportCursor {
  const { sql } = ledger;
  sql.transaction(() => beginExportLog(sql));
  const [restores, change] = [getProgress(sql, "restores"), getProgress(sql, "export_change")];
  return { kind, restores, after: null, listed: false, change };
}

/** Returns the next page of an export; null if the cursor is too old, or from before a restore. */
export function exportPage(
  ledger: Ledger,
  kind: ExportKind,
  from: ExportCursor | null,
  maxRows: number,
): ExportPage | null {
  const { sql } = ledger;
  const cursor = from ?? beginExport(ledger, kind);
  if (cursor.restores !== getProgress(sql, "restores") || !hasChangesAfter(sql, cursor.change)) return null;
  const { list, find, appended } = SOURCES[kind];
  const more = sql.transaction(() => (kind === "usage" ? foldOutbox(sql) : logWaiting(sql)));
  const rows = cursor.listed && !appended ? [] : list(ledger, cursor.after, maxRows);
  const lines = rows.map(({ line }) => line);
  const listed = cursor.listed || rows.length < maxRows;
  const next = { ...cursor, after: rows.at(-1)?.key ?? cursor.after, listed };
  if (!listed || rows.length === maxRows) return { lines, next, ended: false };
  const changes = loadChanges(sql, kind, cursor.change, maxRows - rows.length);
  const known = new Map(
    find(
      ledger,
      changes.map(({ id }) => id),
    ).map((line) => [line.id, line]),
  );
  const ids = changes.map(({ id }) => lineId(kind, id));
  lines.push(...ids.map((id) => known.get(id) ?? { id, removed: true as const }));
  const ended = !more && changes.length < maxRows - rows.length;
  return { lines, next: { ...next, change: changes.at(-1)?.change ?? cursor.change }, ended };
}

function findRuns(ledger: Ledger, runs: readonly string[]): ExportLine[] {
  return loadRunRows(ledger, runs).map((run) => ({ id: run.run, ...showRun(run) }));
}

function showLine({ seq, atMs, by, facts }: { seq: number; atMs: AtMs; by: string; facts: FactsJson }): ExportLine {
  return { id: String(seq), seq, at: formatIso(atMs), by, ...facts };
}

/** Compares ids as SQLite does. They are ASCII. */
function byBytes(a: string, b: string): number {
  return a < b ? -1 : 1;
}
