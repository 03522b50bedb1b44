/**
 * What was charged on the current local day, by workspace, group and user. It is stored in the rows of the cycle's
 * totals, which every charge changes anyway, so it costs a debit no row. Only budgets read it, and it is never copied to
 * D1. A refund counts on the day whose charge it undoes, so a day's total changes only while the day is the current one.
 */
import type { CycleTotal } from "../../copy/batch.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import type { OutboxDebit } from "../books/outbox.ts";
import type { Sql } from "../books/sql.ts";

/** A cycle's total, with what was charged on the last day that changed it. */
export type StoredTotal = CycleTotal & { dayStartsAtMs: AtMs; dayMicros: number };

/** A clock may be set back, so the rows of the last release are kept for a few days. */
const KEPT_MS = 3 * DAY_MS;

/** Adds to the last day of a total. A later day starts at zero; what is of an earlier day than the last is not needed. */
export function addDay(total: StoredTotal, { dayStartsAtMs, dayMicros }: Omit<StoredTotal, keyof CycleTotal>): void {
  if (dayStartsAtMs < total.dayStartsAtMs) return;
  total.dayMicros = dayMicros + (dayStartsAtMs === total.dayStartsAtMs ? total.dayMicros : 0);
  total.dayStartsAtMs = dayStartsAtMs;
}

/** The part of a debit that counts on its day. */
export function dayMicrosOf({ micros, dayMicros }: OutboxDebit): number {
  return dayMicros ?? micros;
}

/** Deletes a portion of the rows in which the last release stored the totals of days. */
export function pruneDayTotals(sql: Sql, nowMs: AtMs, limit: number): void {
  const old = "SELECT day_starts_at_ms, dimension, id, unit FROM totals_day WHERE day_starts_at_ms < ? LIMIT ?";
  sql.run(`DELETE FROM totals_day WHERE (day_starts_at_ms, dimension, id, unit) IN (${old})`, nowMs - KEPT_MS, limit);
}
