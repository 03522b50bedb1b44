/**
 * Totals by workspace, group and user for each local day, folded from the outbox like the totals of cycles. A budget
 * counts them, and they are never copied to D1. A refund counts on the day whose charge it undoes, so a day's total
 * changes only while the day is the current one.
 */

import { makeCalendar } from "../../ledger/calendar.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import type { Unit } from "../../ledger/micros.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import type { OutboxDebit, OutboxRow } from "../books/outbox.ts";
import type { Sql } from "../books/sql.ts";
import { Table } from "../books/table.ts";

type DayTotal = { dayStartsAtMs: AtMs; dimension: Dimension; id: string; unit: Unit; amountMicros: number };

/** Only the current day is read. A few days are kept, because a clock may be set back. */
const KEPT_MS = 3 * DAY_MS;

const DAY_TOTALS = new Table<DayTotal>({
  name: "totals_day",
  key: {
    day_starts_at_ms: (total) => total.dayStartsAtMs,
    dimension: (total) => total.dimension,
    id: (total) => total.id,
    unit: (total) => total.unit,
  },
  changing: { amount_micros: (total) => total.amountMicros },
  read: (row) => ({
    dayStartsAtMs: row.day_starts_at_ms as number,
    dimension: row.dimension as Dimension,
    id: row.id as string,
    unit: row.unit as Unit,
    amountMicros: row.amount_micros as number,
  }),
});

/** Adds these outbox rows to the totals, as part of the caller's transaction. */
export function foldDays(sql: Sql, rows: readonly OutboxRow[]): void {
  const totals = new Map<string, DayTotal>();
  const calendars = new Map<string, ReturnType<typeof makeCalendar>>();
  for (const row of rows) {
    const calendar = calendars.get(row.timeZone) ?? makeCalendar(row.timeZone);
    calendars.set(row.timeZone, calendar);
    const localDayMs = calendar.dayStart(row.atMs);
    for (const { debit } of row.items) {
      if (debit === null) continue;
      const dayStartsAtMs = Math.max(debit.cycleMs, localDayMs);
      for (const dimension of DIMENSIONS) {
        const key = { dayStartsAtMs, dimension, id: debit[dimension], unit: debit.unit };
        const place = placeOf(key);
        const total = totals.get(place) ?? { ...key, amountMicros: 0 };
        total.amountMicros += dayMicrosOf(debit);
        totals.set(place, total);
      }
    }
  }
  if (totals.size === 0) return;
  const touched = [...totals.values()];
  for (const stored of DAY_TOTALS.loadSame(sql, touched)) {
    const total = totals.get(placeOf(stored));
    if (total !== undefined) total.amountMicros += stored.amountMicros;
  }
  DAY_TOTALS.put(sql, touched);
}

/** The part of a debit that counts on its day. */
export function dayMicrosOf({ micros, dayMicros }: OutboxDebit): number {
  return dayMicros ?? micros;
}

/** Deletes a portion of the totals of past days. */
export function pruneDayTotals(sql: Sql, nowMs: AtMs, limit: number): void {
  const old = "SELECT day_starts_at_ms, dimension, id, unit FROM totals_day WHERE day_starts_at_ms < ? LIMIT ?";
  sql.run(`DELETE FROM totals_day WHERE (day_starts_at_ms, dimension, id, unit) IN (${old})`, nowMs - KEPT_MS, limit);
}

function placeOf({ dayStartsAtMs, dimension, id, unit }: Omit<DayTotal, "amountMicros">): string {
  return `${dayStartsAtMs} ${dimension} ${unit} ${id}`;
}
