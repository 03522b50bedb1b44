/**
 * Builds the batches of changes that the copy in D1 does not have yet (rule R11). A batch holds absolute totals with
 * revisions, so the copy ends up the same if batches arrive twice, late or out of order. Taking a batch and confirming
 * it are two transactions. Debits may commit between them, so confirming deletes only the sent rows from the outbox.
 */
import { type Batch, type NameRow, NO_TOTALS } from "../../copy/batch.ts";
import { attentionOf } from "../../ledger/attention.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { AtMs } from "../../ledger/time.ts";
import { showGauge } from "../../wire/gauge.ts";
import type { CopiedRuns } from "../books/copied-runs.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, nextRevision, setProgress } from "../books/progress.ts";
import type { Sql, SqlRow } from "../books/sql.ts";
import { confirmedRevision } from "./copy-writer.ts";
import { loadSecondShard } from "./move-cursor.ts";
import { Portion, type PortionLimits } from "./portion.ts";
import { loadRunRows } from "./run-rows.ts";

/** Most rows that D1 writes are of runs. Writing this many runs blocks D1 for a few milliseconds. Each call of D1
 * has its cost, too: with half as many, a backlog takes more time in all. */
export const MAX_RUNS = 100;
const ENTRY_ROWS = 500;
const NAME_ROWS = 500;

/** Begins to gather the next portion of the outbox. */
export function nextPortion(ledger: Ledger, limits: PortionLimits): Portion {
  return new Portion(ledger, copiedRuns(ledger), limits);
}

/**
 * Returns the next batch for a portion; null if there is nothing to send, or if the portion must be gathered again. If the
 * portion has more runs than a batch may have, the batch has only runs. The last batch has the totals, all at once, and
 * its confirmation deletes the portion from the outbox.
 */
export function takeBatch(ledger: Ledger, portion: Portion, maxRuns = MAX_RUNS): Batch | null {
  const { sql, store } = ledger;
  const gauge = ledger.gauge();
  return sql.transaction(() => {
    portion.addFolded();
    const entries = store.loadEntriesAfter(getProgress(sql, "entries"), Math.min(ENTRY_ROWS, portion.limits.items));
    const names = loadNewNames(sql, Math.min(NAME_ROWS, portion.limits.items));
    if (portion.lastSeq + entries.length + names.length === 0 && missingSettingsRevision(sql) === null) return null;
    const isLast = portion.runs.size <= maxRuns;
    const totals = isLast && portion.lastSeq > 0 ? portion.fold(sql) : NO_TOTALS;
    if (totals === null) return null;
    return {
      ...headOf(ledger, gauge),
      rebuild: false,
      totals,
      runs: loadRunRows(ledger, portion.nextRuns(maxRuns)),
      entries,
      names,
      outboxSeq: isLast ? portion.lastSeq : 0,
      runsSeq: ledger.books.seq,
    };
  });
}

/** Records that the copy has the batch, and deletes the batch's rows from the outbox. */
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
  const runs = batch.runs.map(({ run }) => run);
  if (batch.generation === getProgress(sql, "generation")) copiedRuns(ledger).note(runs, batch.runsSeq);
}

/** Returns what the copy has of runs. A rebuild begins a new copy, and so does a move, which writes to two databases. */
function copiedRuns({ recent, sql }: Ledger): CopiedRuns {
  return recent.copied.about(`${getProgress(sql, "generation")} ${loadSecondShard(sql)}`);
}

/** Returns the time up to which the copy has every debit: the time of the oldest in the outbox, or now if there is none. */
export function copyAsOfMs(ledger: Ledger): AtMs {
  const { sql } = ledger;
  // Imported history is of long ago, and says nothing about the changes that wait behind it.
  const statement = "SELECT at_ms FROM outbox_items WHERE at_ms >= ? ORDER BY last_seq LIMIT 1";
  const firstMs = sql.all(statement, getProgress(sql, "imported_before_ms"))[0]?.at_ms ?? null;
  const nowMs = ledger.nowMs();
  return firstMs === null ? nowMs : Math.min(nowMs, firstMs as number);
}

/** Returns whether there are changes that the copy does not have yet. */
export function copyIsBehind(ledger: Ledger): boolean {
  const { sql } = ledger;
  if (sql.all("SELECT 1 FROM outbox_items LIMIT 1").length > 0) return true;
  if (ledger.store.loadEntriesAfter(getProgress(sql, "entries"), 1).length > 0) return true;
  if (missingSettingsRevision(sql) !== null) return true;
  // A restore keeps the latest revision, and may undo the names that had it.
  return loadNewNames(sql, 1).length > 0;
}

/** Returns the latest revision of the settings, or null if the copy already has it. */
function missingSettingsRevision(sql: Sql): number | null {
  const revision = settingsRevision(sql);
  return getProgress(sql, "settings") < revision ? revision : null;
}

/** Returns the latest revision of the settings, counted from 1. */
export function settingsRevision(sql: Sql): number {
  return 1 + getProgress(sql, "settings_revision");
}

/** Returns the enterprise's own part of a batch. Uses up the next revision, in the caller's transaction. */
export function headOf(ledger: Ledger, gauge: Gauge) {
  const revision = nextRevision(ledger.sql, "copy");
  return {
    enterprise: ledger.identity.id,
    createdAtMs: ledger.identity.createdAtMs,
    name: ledger.books.settings.name,
    suspended: ledger.books.settings.suspended,
    attention: attentionOf(gauge, ledger.books.settings.suspended),
    gauge: JSON.stringify(showGauge(gauge, ledger.links())),
    revision,
    generation: getProgress(ledger.sql, "generation"),
    confirmedRevision: confirmedRevision(ledger.sql),
    settingsRevision: missingSettingsRevision(ledger.sql),
  };
}

/** Loads the names after a key of kind and id, in the order of that key. */
export function loadNamesByKey(sql: Sql, after: readonly (string | number)[] | null, limit: number): NameRow[] {
  const beyond = after === null ? "" : "WHERE (kind, id) > (?, ?)";
  return sql.all(`SELECT * FROM names ${beyond} ORDER BY kind, id LIMIT ?`, ...(after ?? []), limit).map(readName);
}

/** Loads the names that the copy lacks, oldest change first. */
function loadNewNames(sql: Sql, limit: number): NameRow[] {
  const known = getProgress(sql, "names");
  if (known === getProgress(sql, "names_revision")) return [];
  return sql.all("SELECT * FROM names WHERE revision > ? ORDER BY revision LIMIT ?", known, limit).map(readName);
}

export function readName(row: SqlRow): NameRow {
  return {
    kind: row.kind as string,
    id: row.id as string,
    name: row.name as string,
    group: row.group_id as string | null,
    revision: row.revision as number,
  };
}
