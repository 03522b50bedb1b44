/**
 * The reports of ended cycles that are still to be made. A report waits until the totals of its cycle are complete, and
 * is made in slices: jobs/report-cycle.ts reads the totals page by page. Rows are deleted once their report is queued.
 */
import type { Micros, Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql } from "./sql.ts";

type ReportFacts = {
  unit: Unit;
  startsAtMs: AtMs;
  endsAtMs: AtMs;
  usedMicros: Micros;
  /** The allowance, or the spend cap if there was one. */
  limitMicros: Micros | null;
};

export type DueReport = ReportFacts & {
  /** The totals are complete once everything up to this seq is folded into them. */
  afterSeq: number;
  /** Where the next slice starts, as that job has stored it; null at the beginning. */
  cursor: string | null;
};

/** Enough for every job that is late. The oldest is dropped, so that a failing job cannot fill the table. */
const MAX_REPORTS = 3;

export function oweReport(sql: Sql, { afterSeq, ...facts }: Omit<DueReport, "cursor">): void {
  sql.run(
    "INSERT OR REPLACE INTO reports_due (cycle_starts_at_ms, unit, after_seq, facts) VALUES (?, ?, ?, ?)",
    facts.startsAtMs,
    facts.unit,
    afterSeq,
    JSON.stringify(facts),
  );
  sql.run(
    `DELETE FROM reports_due WHERE cycle_starts_at_ms NOT IN
      (SELECT cycle_starts_at_ms FROM reports_due ORDER BY cycle_starts_at_ms DESC LIMIT ?)`,
    MAX_REPORTS,
  );
}

export function loadDueReport(sql: Sql): DueReport | null {
  const row = sql.all("SELECT * FROM reports_due ORDER BY cycle_starts_at_ms LIMIT 1")[0];
  if (row === undefined) return null;
  const facts = JSON.parse(row.facts as string) as ReportFacts;
  return { ...facts, afterSeq: row.after_seq as number, cursor: row.cursor as string | null };
}

export function putReportCursor(sql: Sql, { startsAtMs }: DueReport, cursor: string): void {
  sql.run("UPDATE reports_due SET cursor = ? WHERE cycle_starts_at_ms = ?", cursor, startsAtMs);
}

export function deleteReport(sql: Sql, { startsAtMs }: DueReport): void {
  sql.run("DELETE FROM reports_due WHERE cycle_starts_at_ms = ?", startsAtMs);
}
