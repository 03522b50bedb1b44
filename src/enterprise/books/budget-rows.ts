/**
 * The tables of budgets: what admins have set, and the highest level that was announced for each id and period. What is
 * used of a budget is not stored here: it is summed from the totals by id and from the outbox.
 */

import type { Budget, BudgetAction, BudgetKey, BudgetPeriod } from "../../ledger/budget.ts";
import type { Dimension } from "../../ledger/dimensions.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql } from "./sql.ts";
import { Table } from "./table.ts";

const BUDGETS = new Table<Budget>({
  name: "budgets",
  key: {
    dimension: (budget) => budget.dimension,
    id: (budget) => budget.id,
    period: (budget) => budget.period,
  },
  changing: {
    limit_micros: (budget) => budget.limitMicros,
    action: (budget) => budget.action,
    unit: (budget) => budget.unit,
  },
  read: (row) => ({
    dimension: row.dimension as Dimension,
    id: row.id as string,
    period: row.period as BudgetPeriod,
    limitMicros: row.limit_micros as number | null,
    action: row.action as BudgetAction,
    unit: row.unit as Unit,
  }),
});

/** The level that was announced for an id in the period that began at this time. */
export type Announced = BudgetKey & { periodStartsAtMs: AtMs; level: number };

/** One row for each id and period: a later period replaces it. `pruneAnnounced` deletes rows of past cycles. */
const ANNOUNCED = new Table<Announced>({
  name: "budget_levels",
  key: {
    dimension: (row) => row.dimension,
    id: (row) => row.id,
    period: (row) => row.period,
  },
  changing: {
    period_starts_at_ms: (row) => row.periodStartsAtMs,
    level: (row) => row.level,
  },
  read: (row) => ({
    dimension: row.dimension as Dimension,
    id: row.id as string,
    period: row.period as BudgetPeriod,
    periodStartsAtMs: row.period_starts_at_ms as number,
    level: row.level as number,
  }),
});

/** Loads all budgets, of which there are at most 5,000. */
export function loadBudgets(sql: Sql): Budget[] {
  return sql.all("SELECT * FROM budgets").map(BUDGETS.read);
}

export function putBudget(sql: Sql, budget: Budget): void {
  BUDGETS.put(sql, [budget]);
}

export function deleteBudget(sql: Sql, { dimension, id, period }: BudgetKey): void {
  sql.run("DELETE FROM budgets WHERE dimension = ? AND id = ? AND period = ?", dimension, id, period);
}

export function putAnnounced(sql: Sql, rows: readonly Announced[]): void {
  ANNOUNCED.put(sql, rows);
}

/**
 * Loads ids that have used up a budget of the current day or cycle.
 * @param startsAtMs when the current day and cycle began
 */
export function loadReached(
  sql: Sql,
  dimension: Dimension,
  startsAtMs: Record<BudgetPeriod, AtMs>,
  limit: number,
): string[] {
  const statement = `SELECT DISTINCT id FROM budget_levels WHERE dimension = ?1 AND level >= 100
    AND ((period = 'cycle' AND period_starts_at_ms = ?2) OR (period = 'day' AND period_starts_at_ms = ?3))
    ORDER BY id LIMIT ?4`;
  return sql.all(statement, dimension, startsAtMs.cycle, startsAtMs.day, limit).map((row) => row.id as string);
}

/** Deletes a portion of the levels of past cycles. */
export function pruneAnnounced(sql: Sql, cycleStartsAtMs: AtMs, limit: number): void {
  const old = "SELECT dimension, id, period FROM budget_levels WHERE period_starts_at_ms < ? LIMIT ?";
  sql.run(`DELETE FROM budget_levels WHERE (dimension, id, period) IN (${old})`, cycleStartsAtMs, limit);
}
