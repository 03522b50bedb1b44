/**
 * Payments of debt that are not yet attributed to meters, by cycle and in order. The balances already include them. They
 * are draws that no meter has: while they wait, some meters' draws still say debt.
 */
import type { Bucket, Draw } from "../../ledger/books.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql, SqlRow } from "./sql.ts";

type Payment = { number: number; draw: Draw };

/** Returns whether any payment waits. */
export function paymentsWait(sql: Sql): boolean {
  return sql.all("SELECT 1 FROM debt_payments LIMIT 1").length > 0;
}

/** Adds payments of one cycle at the end. A payment from the same bucket as the last one is added to it. */
export function addPayments(sql: Sql, payments: readonly Draw[]): void {
  const [first] = payments;
  if (first === undefined) return;
  const statement = "SELECT * FROM debt_payments WHERE cycle_starts_at_ms = ? ORDER BY number DESC LIMIT 1";
  const last = sql.all(statement, first.cycleStartsAtMs).map(paymentOfRow)[0];
  const merged = last?.draw.bucket === first.bucket && last.draw.grantId === first.grantId;
  if (last !== undefined && merged) setMicros(sql, last, last.draw.micros + first.micros);
  const rows = (merged ? payments.slice(1) : payments).map((draw, i) => [
    draw.cycleStartsAtMs,
    (last?.number ?? 0) + 1 + i,
    draw.bucket,
    draw.grantId,
    draw.micros,
  ]);
  sql.run(
    `INSERT INTO debt_payments (cycle_starts_at_ms, number, bucket, grant_id, micros)
      SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?1)`,
    JSON.stringify(rows),
  );
}

/** Loads the oldest cycle with payments that wait; null if there is none. */
export function oldestPaidCycleMs(sql: Sql): AtMs | null {
  const statement = "SELECT cycle_starts_at_ms AS at_ms FROM debt_payments ORDER BY cycle_starts_at_ms LIMIT 1";
  return (sql.all(statement)[0]?.at_ms ?? null) as AtMs | null;
}

/** Loads payments of a cycle, oldest first. */
export function loadPayments(sql: Sql, cycleStartsAtMs: AtMs, limit: number): Payment[] {
  const statement = "SELECT * FROM debt_payments WHERE cycle_starts_at_ms = ? ORDER BY number LIMIT ?";
  return sql.all(statement, cycleStartsAtMs, limit).map(paymentOfRow);
}

/** Removes what has been attributed. `left` are the loaded payments that are left; the first of them may be smaller. */
export function keepPayments(sql: Sql, loaded: readonly Payment[], left: readonly Draw[]): void {
  const used = loaded[loaded.length - left.length - 1];
  if (used !== undefined) {
    const statement = "DELETE FROM debt_payments WHERE cycle_starts_at_ms = ? AND number <= ?";
    sql.run(statement, used.draw.cycleStartsAtMs, used.number);
  }
  const [first, kept] = [left[0], loaded[loaded.length - left.length]];
  if (first !== undefined && kept !== undefined && first.micros < kept.draw.micros) setMicros(sql, kept, first.micros);
}

function setMicros(sql: Sql, { number, draw }: Payment, micros: number): void {
  const statement = "UPDATE debt_payments SET micros = ? WHERE cycle_starts_at_ms = ? AND number = ?";
  sql.run(statement, micros, draw.cycleStartsAtMs, number);
}

function paymentOfRow(row: SqlRow): Payment {
  return {
    number: row.number as number,
    draw: {
      bucket: row.bucket as Bucket,
      grantId: row.grant_id as string | null,
      cycleStartsAtMs: row.cycle_starts_at_ms as number,
      micros: row.micros as number,
      lapsedMicros: 0,
    },
  };
}
