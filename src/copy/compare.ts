/**
 * Compares an enterprise's copy in D1, row by row, with what a rebuild would write. It reads both sides in batches and
 * lists the rows that differ. Debits that arrive during the comparison can also cause differences, which are not
 * faults.
 */
import type { AtMs } from "../ledger/time.ts";
import type { Batch } from "./batch.ts";
import { searchKeysOf } from "./search-keys.ts";
import { rowsOf, type TableRows } from "./write.ts";

type Comparison = { rows: number; faults: string[] };

const TABLES = ["usage_hourly", "usage_daily", "usage_by_dimension", "runs", "entries", "names"];

/** @param runsSinceMs runs that started earlier may be in the copy only, because the ledger forgets old runs */
export async function compareCopy(
  db: D1Database,
  enterprise: string,
  batches: Iterable<Batch>,
  runsSinceMs: AtMs,
): Promise<Comparison> {
  const comparison: Comparison = { rows: 0, faults: [] };
  const counts = new Map(TABLES.map((table) => [table, 0]));
  let head: Batch | null = null;
  for (const batch of batches) {
    head = batch;
    for (const rows of rowsOf(batch)) {
      await compareTable(db, enterprise, rows, comparison);
      counts.set(rows.table, (counts.get(rows.table) ?? 0) + countOf(rows, runsSinceMs));
    }
  }
  for (const [table, expected] of counts) {
    const since = table === "runs" ? "AND started_at_ms >= ?2" : "AND ?2 IS NOT NULL";
    const statement = `SELECT count(*) AS n FROM ${table} WHERE enterprise = ?1 ${since}`;
    const found = (await db.prepare(statement).bind(enterprise, runsSinceMs).first<number>("n")) ?? 0;
    if (found > expected) comparison.faults.push(`${table}: ${found} rows, the ledger has ${expected}`);
  }
  if (head !== null) await compareHead(db, head, comparison);
  return comparison;
}

/** Compares the enterprise's row and its search keys, but not its gauge, which changes with every debit. */
async function compareHead(db: D1Database, { enterprise, name, suspended }: Batch, into: Comparison): Promise<void> {
  const expected: Record<string, unknown> = { name, suspended: Number(suspended) };
  const columns = Object.keys(expected);
  const statement = db.prepare("SELECT name, suspended FROM enterprises WHERE id = ?").bind(enterprise);
  const row = (await statement.all()).results[0];
  into.rows += 1;
  const difference = row === undefined ? "missing" : firstDifference(columns, row, Object.values(expected));
  if (difference !== null) into.faults.push(`enterprises: ${difference}`);
  const found = await db
    .prepare("SELECT key FROM enterprise_search WHERE enterprise = ? ORDER BY key")
    .bind(enterprise)
    .all();
  const [keys, expectedKeys] = [found.results.map(({ key }) => key), searchKeysOf(enterprise, name)];
  into.rows += expectedKeys.length;
  const extra = keys.find((key) => !expectedKeys.includes(key as string));
  const missing = expectedKeys.find((key) => !keys.includes(key));
  if (missing !== undefined) into.faults.push(`enterprise_search "${missing}": missing`);
  if (extra !== undefined) into.faults.push(`enterprise_search "${extra}": of an older name`);
}

function countOf({ table, columns, values }: TableRows, runsSinceMs: AtMs): number {
  if (table !== "runs") return values.length;
  const startedAt = columns.indexOf("started_at_ms");
  return values.filter((value) => (value[startedAt] as AtMs) >= runsSinceMs).length;
}

async function compareTable(db: D1Database, enterprise: string, rows: TableRows, into: Comparison): Promise<void> {
  const { table, columns, keys, values } = rows;
  const compared = columns.filter((column) => column !== "revision");
  const join = columns.slice(0, keys).map((column, i) => `t.${column} = k.value ->> ${i}`);
  const statement = `SELECT ${compared.map((column) => `t.${column}`).join(", ")} FROM json_each(?2) AS k
    CROSS JOIN ${table} AS t ON t.enterprise = ?1 AND ${join.join(" AND ")}`;
  const keyLists = values.map((value) => value.slice(0, keys));
  const { results } = await db.prepare(statement).bind(enterprise, JSON.stringify(keyLists)).all();
  const found = new Map(results.map((row) => [JSON.stringify(compared.slice(0, keys).map((c) => row[c])), row]));
  for (const value of values) {
    into.rows += 1;
    const key = JSON.stringify(value.slice(0, keys));
    const row = found.get(key);
    const expected = compared.map((column) => value[columns.indexOf(column)]);
    const difference = row === undefined ? "missing" : firstDifference(compared, row, expected);
    if (difference !== null) into.faults.push(`${table} ${key}: ${difference}`);
  }
}

function firstDifference(columns: readonly string[], row: Record<string, unknown>, expected: unknown[]): string | null {
  // A run without reports has no unit yet. Its row has the enterprise's unit at the time of writing.
  const unitless = row.last_report_at_ms === null;
  const at = columns.findIndex((column, i) => row[column] !== expected[i] && !(unitless && column === "unit"));
  const column = columns[at];
  return column === undefined ? null : `${column} is ${row[column]}, the ledger says ${expected[at]}`;
}
