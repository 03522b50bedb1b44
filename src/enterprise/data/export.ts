/**
 * Reads pages of an export from the object. An export lists all rows of a kind in the order of their keys, and then the
 * changes that were logged since it began. So a row that changes after it was listed appears again, with the same id.
 */
import type { AtMs } from "../../ledger/time.ts";
import { type FactsJson, showEntry } from "../../wire/entry.ts";
import type { ExportCursor, ExportKind, ExportLine } from "../../wire/export.ts";
import { showRun } from "../../wire/run.ts";
import { formatIso } from "../../wire/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress } from "../books/progress.ts";
import { ENTRIES } from "../books/rows.ts";
import { loadRunRows } from "../copy/run-rows.ts";
import { beginExportLog, loadChanges, logWaiting } from "./export-log.ts";

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
};

/** Returns where a new export of this kind begins. Logs every change from now on. */
function beginExport(ledger: Ledger, kind: ExportKind): ExportCursor {
  const { sql } = ledger;
  sql.transaction(() => beginExportLog(sql));
  const [restores, change] = [getProgress(sql, "restores"), getProgress(sql, "export_change")];
  return { kind, restores, after: null, listed: false, change };
}

/** Returns the next page of an export; null if the cursor is from before a restore. */
export function exportPage(
  ledger: Ledger,
  kind: ExportKind,
  from: ExportCursor | null,
  maxRows: number,
): ExportPage | null {
  const { sql } = ledger;
  const cursor = from ?? beginExport(ledger, kind);
  if (cursor.restores !== getProgress(sql, "restores")) return null;
  const { list, find, appended } = SOURCES[kind];
  const more = sql.transaction(() => logWaiting(sql));
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
  lines.push(...changes.map(({ id }) => known.get(id) ?? { id, removed: true as const }));
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
