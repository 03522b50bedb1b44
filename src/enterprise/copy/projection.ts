/**
 * What the copy has to learn next, and what it has learned (rule R11). A batch holds absolute totals with revisions,
 * so a batch that is sent twice, late, or in another order ends in the same copy. `takeBatch` and `confirm` are
 * transactions of their own: debits go on while a batch is on its way, and only what was sent is forgotten.
 */
import type { Batch, NameRow } from "../../copy/batch.ts";
import { attentionOf } from "../../ledger/attention.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { AtMs } from "../../ledger/time.ts";
import { showGauge } from "../../wire/gauge.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadOutbox, type OutboxRow } from "../books/outbox.ts";
import { getProgress, nextRevision, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";
import { loadRunRows } from "./run-rows.ts";
import { foldAndTouch } from "./totals.ts";

const PAGE_ROWS = 20;
/** Deciding what a batch holds blocks the object: so much takes some ten milliseconds. */
const MAX_ITEMS = 5_000;
/** A table's rows go as one JSON value, of which D1 takes 2 MB. */
export const BATCH_RUNS = 2_000;
export const ENTRY_ROWS = 500;
export const NAME_ROWS = 500;

/** The next batch; null when the copy has everything. */
export function takeBatch(ledger: Ledger): Batch | null {
  const { sql, store } = ledger;
  const gauge = ledger.gauge();
  return sql.transaction(() => {
    const { rows, runs } = loadForBatch(sql);
    const entries = store.loadEntriesAfter(getProgress(sql, "entries"), ENTRY_ROWS);
    const names = loadNames(sql, getProgress(sql, "names"), NAME_ROWS);
    if (rows.length + entries.length + names.length === 0 && settingsLacking(sql) === null) return null;
    return {
      ...headOf(ledger, gauge),
      totals: foldAndTouch(sql, rows),
      runs: loadRunRows(ledger, [...runs]),
      entries,
      names,
      outboxSeq: rows.at(-1)?.lastSeq ?? 0,
    };
  });
}

/** Forgets what the copy now has. */
export function confirmBatch(ledger: Ledger, batch: Batch): void {
  const { sql } = ledger;
  sql.transaction(() => {
    sql.run("DELETE FROM outbox_items WHERE last_seq <= ?", batch.outboxSeq);
    const entrySeq = batch.entries.at(-1)?.seq;
    if (entrySeq !== undefined) setProgress(sql, "entries", Math.max(entrySeq, getProgress(sql, "entries")));
    const nameRevision = batch.names.at(-1)?.revision;
    setProgress(sql, "settings", Math.max(batch.settingsRevision ?? 0, getProgress(sql, "settings")));
    if (nameRevision !== undefined) setProgress(sql, "names", Math.max(nameRevision, getProgress(sql, "names")));
  });
}

/** The moment as of which the copy is complete: now, or the first change that it lacks. */
export function copyAsOfMs(ledger: Ledger): AtMs {
  const { sql } = ledger;
  const firstMs = sql.all("SELECT at_ms FROM outbox_items ORDER BY last_seq LIMIT 1")[0]?.at_ms ?? null;
  const nowMs = ledger.nowMs();
  return firstMs === null ? nowMs : Math.min(nowMs, firstMs as number);
}

/** True when the copy lacks something. */
export function copyIsBehind(ledger: Ledger): boolean {
  const { sql } = ledger;
  if (sql.all("SELECT 1 FROM outbox_items LIMIT 1").length > 0) return true;
  if (ledger.store.loadEntriesAfter(getProgress(sql, "entries"), 1).length > 0) return true;
  if (settingsLacking(sql) !== null) return true;
  return getProgress(sql, "names_revision") > getProgress(sql, "names");
}

/** The revision of the settings, counted from 1, where the copy has an older one or none; else null. */
function settingsLacking(sql: Sql): number | null {
  const revision = settingsRevision(sql);
  return getProgress(sql, "settings") < revision ? revision : null;
}

/** The latest revision of the settings, counted from 1. */
export function settingsRevision(sql: Sql): number {
  return 1 + getProgress(sql, "settings_revision");
}

/** What every batch says of the enterprise itself. Part of the caller's transaction: it takes the next revision. */
export function headOf(ledger: Ledger, gauge: Gauge) {
  const revision = nextRevision(ledger.sql, "copy");
  return {
    enterprise: ledger.identity.id,
    createdAtMs: ledger.identity.createdAtMs,
    name: ledger.books.settings.name,
    suspended: ledger.books.settings.suspended,
    attention: attentionOf(gauge, ledger.books.settings.suspended),
    gauge: JSON.stringify(showGauge(gauge, ledger.books.settings)),
    revision,
    settingsRevision: settingsLacking(ledger.sql),
  };
}

/** The oldest rows of the journal, at least one where there are any, and the runs that they name. */
function loadForBatch(sql: Sql): { rows: OutboxRow[]; runs: Set<string> } {
  const rows: OutboxRow[] = [];
  const runs = new Set<string>();
  for (let items = 0; ; ) {
    const page = loadOutbox(sql, rows.at(-1)?.lastSeq ?? 0, PAGE_ROWS);
    for (const row of page) {
      const named = new Set(row.items.map((item) => item.run));
      const full = items + row.items.length > MAX_ITEMS || runs.size + named.size > BATCH_RUNS;
      if (full && rows.length > 0) return { rows, runs };
      rows.push(row);
      items += row.items.length;
      for (const run of named) runs.add(run);
    }
    if (page.length < PAGE_ROWS) return { rows, runs };
  }
}

export function loadNames(sql: Sql, afterRevision: number, limit: number): NameRow[] {
  const statement = "SELECT * FROM names WHERE revision > ? ORDER BY revision LIMIT ?";
  return sql.all(statement, afterRevision, limit).map((row) => ({
    kind: row.kind as string,
    id: row.id as string,
    name: row.name as string,
    group: row.group_id as string | null,
    revision: row.revision as number,
  }));
}
