/**
 * Deletes meters and runs that are past their retention (rule R10). A run's meters are deleted 35 days after its last
 * report. The run itself is deleted 400 days after its start. In between, the run keeps a summary, from which the copy
 * in D1 can be rebuilt. Pruning changes no balance. Before it deletes draws on a grant, it adds them to a sum in the
 * grant's row, so the audit still adds up. It works in portions.
 */
import type { Draw } from "../../ledger/books.ts";
import { METER_RETENTION_MS } from "../../ledger/meter.ts";
import { keptSince } from "../../ledger/retention.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Key } from "../books/as-of.ts";
import { pruneAnnounced } from "../books/budget-rows.ts";
import type { Ledger } from "../books/ledger.ts";
import { drawsOf } from "../books/older-draws.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";
import { pruneDayTotals } from "../copy/day-totals.ts";
import { loadRunRows, writePruned } from "../copy/run-rows.ts";

const PRUNE_EVERY_MS = 3_600_000;
const RUNS_AT_ONCE = 500;
/** Looking at this many meters takes a few milliseconds. */
const METERS_AT_ONCE = 2_000;
/** After a look at all old meters, the next one waits for this long. */
const PASS_PAUSE_MS = 60_000;
const TOTALS_AT_ONCE = 5_000;
const PAGES_AT_ONCE = 40;
/** A portion ends before it has more meters, or more characters of draws, than this; it has at least one run. */
const MAX_METERS = 1_000;
const MAX_DRAWS_CHARS = 500_000;

/** Prunes one portion. Returns true if there may be more to prune. */
export function prune(ledger: Ledger): boolean {
  // A payment that waits belongs to a meter, which must not be deleted before.
  if (ledger.paymentsWait) return true;
  const { sql } = ledger;
  const nowMs = ledger.nowMs();
  const { runs: found, more } = findOldRuns(ledger, nowMs - METER_RETENTION_MS, nowMs);
  const runs = fitIntoPortion(ledger, found);
  if (prunePages(ledger, runs)) return true;
  ledger.recent.forget(runs);
  if (runs.length === 0 && nowMs - getProgress(sql, "pruned_at") < PRUNE_EVERY_MS) return more;
  sql.transaction(() => {
    for (const row of loadRunRows(ledger, runs)) {
      sql.run("UPDATE runs SET pruned = ? WHERE run = ?", writePruned(row), row.run);
    }
    const draws = ledger.store.loadMeters(runs).flatMap((meter) => meter.draws);
    recordPrunedDraws(sql, draws);
    for (const table of ["meters", "older_draws"]) {
      sql.run(`DELETE FROM ${table} WHERE run IN (SELECT value FROM json_each(?1))`, JSON.stringify(runs));
    }
    sql.run(
      "DELETE FROM runs WHERE run IN (SELECT run FROM runs WHERE started_at_ms < ? AND pruned IS NOT NULL LIMIT ?)",
      keptSince(nowMs).historyMs,
      RUNS_AT_ONCE,
    );
    pruneDayTotals(sql, nowMs, TOTALS_AT_ONCE);
    pruneAnnounced(sql, ledger.books.cycle.startsAtMs, TOTALS_AT_ONCE);
    setProgress(sql, "pruned_at", nowMs);
  });
  return more || runs.length < found.length;
}

/**
 * Looks at the next old meters in the order of their first reports. Returns which of their runs have a start and a last
 * report that are both older than the retention of meters, and whether there may be more. Meters of runs that go on for
 * very long are only passed, a page at a time.
 */
function findOldRuns({ sql, store }: Ledger, keptSinceMs: AtMs, nowMs: AtMs): { runs: string[]; more: boolean } {
  const { pruning } = store;
  if (pruning.after === null && nowMs < pruning.notBeforeMs) return { runs: [], more: false };
  const page = `SELECT first_report_at_ms, run, model FROM meters
    WHERE first_report_at_ms < ? AND (first_report_at_ms, run, model) > (?, ?, ?)
    ORDER BY first_report_at_ms, run, model LIMIT ?`;
  const meters = sql.all(page, keptSinceMs, ...(pruning.after ?? [Number.MIN_SAFE_INTEGER, "", ""]), METERS_AT_ONCE);
  const statement = `SELECT r.run FROM runs AS r WHERE r.run IN (SELECT value FROM json_each(?1)) AND r.started_at_ms < ?2
      AND NOT EXISTS (SELECT 1 FROM meters AS o WHERE o.run = r.run
        AND (o.last_report_at_ms >= ?2 OR o.priced_at_ms >= ?2 OR o.book_version = 0))
    LIMIT ?3`;
  const named = JSON.stringify([...new Set(meters.map(({ run }) => run))]);
  const runs = sql.all(statement, named, keptSinceMs, RUNS_AT_ONCE).map((row) => row.run as string);
  const more = meters.length === METERS_AT_ONCE;
  // If runs were found, their meters will be gone. The next call looks at the rest of this page again.
  if (runs.length === 0) {
    const last = meters.at(-1);
    pruning.after = more && last !== undefined ? ([last.first_report_at_ms, last.run, last.model] as Key) : null;
    pruning.notBeforeMs = nowMs + PASS_PAUSE_MS;
  }
  return { runs, more };
}

/** Returns the first of these runs that fit into one portion. */
function fitIntoPortion({ sql }: Ledger, runs: readonly string[]): string[] {
  const statement = `SELECT run, count(*) AS meters, sum(length(draws)) AS chars FROM meters
    WHERE run IN (SELECT value FROM json_each(?1)) GROUP BY run ORDER BY run`;
  let meters = 0;
  let chars = 0;
  const fitting = sql.all(statement, JSON.stringify(runs)).filter((row, i) => {
    meters += row.meters as number;
    chars += row.chars as number;
    return i === 0 || (meters <= MAX_METERS && chars <= MAX_DRAWS_CHARS);
  });
  return fitting.map((row) => row.run as string);
}

/**
 * Prunes a portion of the pages of older draws that these runs have. The sums of a page stay until its meter is deleted,
 * so that the books add up meanwhile. Returns false if no page is left to prune.
 */
function prunePages({ sql }: Ledger, runs: readonly string[]): boolean {
  if (runs.length === 0) return false;
  const statement = `SELECT rowid AS number, draws, sums FROM older_draws
    WHERE run IN (SELECT value FROM json_each(?1)) AND draws IS NOT NULL LIMIT ?2`;
  const pages = sql.all(statement, JSON.stringify(runs), PAGES_AT_ONCE);
  if (pages.length === 0) return false;
  sql.transaction(() => {
    recordPrunedDraws(sql, pages.flatMap(drawsOf));
    const numbers = JSON.stringify(pages.map(({ number }) => number));
    sql.run("UPDATE older_draws SET draws = NULL WHERE rowid IN (SELECT value FROM json_each(?1))", numbers);
  });
  return true;
}

/** Adds draws that are about to be deleted to the pruned amount of each grant. */
function recordPrunedDraws(sql: Sql, draws: readonly Draw[]): void {
  const byGrant = new Map<string, number>();
  for (const draw of draws) {
    if (draw.grantId === null) continue;
    byGrant.set(draw.grantId, (byGrant.get(draw.grantId) ?? 0) + draw.micros + draw.lapsedMicros);
  }
  for (const [id, micros] of byGrant) {
    const known = Number(sql.all("SELECT pruned_micros FROM grants WHERE id = ?", id)[0]?.pruned_micros ?? 0);
    sql.run("UPDATE grants SET pruned_micros = ? WHERE id = ?", known + micros, id);
  }
}
