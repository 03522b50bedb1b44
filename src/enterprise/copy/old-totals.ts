/**
 * Deletes totals that are past their retention from the object, in portions. The sums of the deleted hours and days are
 * kept, so that an audit can still compare all hours with all days.
 */
import type { TimeTotal } from "../../copy/batch.ts";
import { type CopyKeptSince, cubeSinceMs } from "../../copy/retention.ts";
import { UNITS } from "../../ledger/micros.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Sql } from "../books/sql.ts";

const PORTION_ROWS = 1_000;
const MAX_MONTH_MS = 31 * DAY_MS;

/** Returns the name of the sum of one surface's hours or days. */
export function timeSumName({ span, unit, surface }: Pick<TimeTotal, "span" | "unit" | "surface">): string {
  return `time ${surface} in ${unit}, ${span}`;
}

/**
 * Returns the start of the oldest cycle whose totals are kept: of the one that contains this time. Imported history has
 * calendar months as its cycles.
 */
export function oldestKeptCycleMs({ store }: Ledger, historyMs: AtMs): AtMs {
  return store.loadEndedCycleStartMs(historyMs) ?? historyMs - MAX_MONTH_MS;
}

/** Deletes a portion of the old totals, in the caller's transaction. Returns true if there may be more. */
export function deleteOldTotals(sql: Sql, kept: CopyKeptSince): boolean {
  let most = 0;
  for (const unit of UNITS) {
    for (const [span, sinceMs] of [
      ["hour", kept.hoursMs],
      ["day", kept.daysMs],
    ] as const) {
      most = Math.max(most, deleteTimeTotals(sql, span, unit, sinceMs));
    }
    const old = `SELECT unit, cycle_starts_at_ms, dimension, id FROM totals_cycle
      WHERE unit = ? AND cycle_starts_at_ms < ? LIMIT ${PORTION_ROWS}`;
    const rows = sql.all(old, unit, kept.cyclesMs);
    sql.run(
      `DELETE FROM totals_cycle WHERE (unit, cycle_starts_at_ms, dimension, id) IN
        (SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?))`,
      JSON.stringify(rows.map((row) => [row.unit, row.cycle_starts_at_ms, row.dimension, row.id])),
    );
    most = Math.max(most, rows.length, deleteModelTotals(sql, unit, kept.cyclesMs));
  }
  return Math.max(most, deleteCube(sql, cubeSinceMs(kept))) === PORTION_ROWS;
}

function deleteModelTotals(sql: Sql, unit: TimeTotal["unit"], sinceMs: AtMs): number {
  const old = "SELECT cycle_starts_at_ms, model, tier FROM totals_model WHERE unit = ?1 AND cycle_starts_at_ms < ?2";
  const statement = `DELETE FROM totals_model WHERE unit = ?1 AND (cycle_starts_at_ms, model, tier) IN
    (${old} LIMIT ${PORTION_ROWS}) RETURNING 1`;
  return sql.all(statement, unit, sinceMs).length;
}

function deleteCube(sql: Sql, sinceMs: AtMs): number {
  const key = "day_starts_at_ms, cycle_starts_at_ms, unit, workspace, group_id, user, model, tier, surface";
  const old = `SELECT ${key} FROM cube WHERE day_starts_at_ms < ? LIMIT ${PORTION_ROWS}`;
  return sql.all(`DELETE FROM cube WHERE (${key}) IN (${old}) RETURNING 1`, sinceMs).length;
}

/** Loads the sums of the deleted hours and days. */
export function loadDeletedSums(sql: Sql): { name: string; micros: bigint }[] {
  return sql
    .all("SELECT name, micros FROM deleted_sums")
    .map((row) => ({ name: row.name as string, micros: BigInt(row.micros as string) }));
}

function deleteTimeTotals(sql: Sql, span: TimeTotal["span"], unit: TimeTotal["unit"], sinceMs: AtMs): number {
  const rows = sql.all(
    `SELECT starts_at_ms, surface, amount_micros FROM totals_time WHERE span = ? AND unit = ? AND starts_at_ms < ?
      LIMIT ${PORTION_ROWS}`,
    span,
    unit,
    sinceMs,
  );
  const sums = new Map(loadDeletedSums(sql).map(({ name, micros }) => [name, micros]));
  for (const { surface, amount_micros } of rows) {
    const name = timeSumName({ span, unit, surface: surface as TimeTotal["surface"] });
    sums.set(name, (sums.get(name) ?? 0n) + BigInt(amount_micros as number));
  }
  if (rows.length === 0) return 0;
  for (const [name, micros] of sums) {
    sql.run(
      "INSERT INTO deleted_sums (name, micros) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET micros = excluded.micros",
      name,
      String(micros),
    );
  }
  sql.run(
    `DELETE FROM totals_time WHERE span = ? AND unit = ? AND (starts_at_ms, surface) IN
      (SELECT value ->> 0, value ->> 1 FROM json_each(?))`,
    span,
    unit,
    JSON.stringify(rows.map((row) => [row.starts_at_ms, row.surface])),
  );
  return rows.length;
}
