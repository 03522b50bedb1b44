/**
 * Compares one range of a table in D1 with the rows that the ledger has in that range, in both directions. It reads only
 * that range. Debits may arrive meanwhile, so the caller says which differences are allowed: rows that wait to be
 * written, and rows that were written after the ledger's rows were read.
 */
import type { TableRows } from "./table-rows.ts";

export type CopyKey = readonly (string | number)[];

export type Range = {
  /** The ledger's rows of the range, in the order of their key. */
  rows: TableRows;
  /** The key after which the range starts; null if it starts with the first row. */
  after: CopyKey | null;
  /** The key with which the range ends; null if it includes all further rows. */
  last: CopyKey | null;
  /** Whether the ledger has a newer form of this row, or has it no more, and that is not written yet. */
  isWaiting(key: CopyKey, revision: number | null): boolean;
  /** Whether D1 may have this row, or this form of it, because it was written after the ledger's rows were read. */
  isNewer(row: CopyRow): boolean;
  /** Whether a row is past its retention, so that D1 or the ledger may lack it. */
  isOld(row: CopyRow): boolean;
};

type CopyRow = Record<string, string | number | null>;

export type Compared = {
  /** How many rows were compared. */
  rows: number;
  faults: string[];
  /** The key after which the next range starts; null if there is none. */
  next: CopyKey | null;
};

/** D1 may have this many more rows in the range than the ledger. If it has even more, the range ends there. */
const MAX_MORE_ROWS = 200;

export async function compareRange(db: D1Database, enterprise: string, range: Range): Promise<Compared> {
  const { table, columns, keys: keyCount, values } = range.rows;
  const keys = columns.slice(0, keyCount);
  const limit = values.length + MAX_MORE_ROWS;
  const found = await readRange(db, enterprise, range, limit);
  const keyOfRow = (row: CopyRow) => keys.map((column) => row[column]) as unknown as CopyKey;
  const next = found.length === limit ? keyOfRow(found.at(-1) as CopyRow) : range.last;
  const inCopy = new Map(found.map((row) => [JSON.stringify(keyOfRow(row)), row]));
  const compared: Compared = { rows: 0, faults: [], next };
  const revisionAt = columns.indexOf("revision");
  for (const value of values) {
    const key = value.slice(0, keyCount) as unknown as CopyKey;
    if (next !== null && isAfter(key, next)) break;
    compared.rows += 1;
    const place = JSON.stringify(key);
    const row = inCopy.get(place);
    inCopy.delete(place);
    const revision = revisionAt === -1 ? null : (value[revisionAt] as number);
    const difference = row === undefined ? "missing" : firstDifference(columns, row, value);
    if (difference === null || (row !== undefined && range.isNewer(row)) || range.isWaiting(key, revision)) continue;
    if (range.isOld(rowOf(columns, value))) continue;
    compared.faults.push(`${table} ${place}: ${difference}`);
  }
  for (const [place, row] of inCopy) {
    // What waits may also remove a row: a refund can leave a run without a charge in a cycle.
    if (range.isNewer(row) || range.isOld(row) || range.isWaiting(keyOfRow(row), null)) continue;
    compared.faults.push(`${table} ${place}: the ledger has no such row`);
  }
  return compared;
}

async function readRange(db: D1Database, enterprise: string, range: Range, limit: number): Promise<CopyRow[]> {
  const { rows, after, last } = range;
  const { table, columns, keys } = rows;
  const key = columns.slice(0, keys);
  const params: (string | number)[] = [enterprise];
  const bound = (sign: string, to: CopyKey | null) => {
    if (to === null) return "";
    params.push(...to);
    return ` AND (${key.join(", ")}) ${sign} (${key.map(() => "?").join(", ")})`;
  };
  const where = `enterprise = ?${bound(">", after)}${bound("<=", last)}`;
  const order = key.join(", ");
  const statement = `SELECT ${columns.join(", ")} FROM ${table} WHERE ${where} ORDER BY ${order} LIMIT ${limit}`;
  const { results } = await db
    .prepare(statement)
    .bind(...params)
    .all<CopyRow>();
  return results;
}

function rowOf(columns: readonly string[], values: readonly unknown[]): CopyRow {
  return Object.fromEntries(columns.map((column, i) => [column, values[i] as CopyRow[string]]));
}

function isAfter(a: CopyKey, b: CopyKey): boolean {
  const at = a.findIndex((part, i) => part !== b[i]);
  return at !== -1 && (a[at] as string) > (b[at] as string);
}

function firstDifference(columns: readonly string[], row: CopyRow, expected: readonly unknown[]): string | null {
  // A run without reports has no unit yet. Its row has the enterprise's unit at the time of writing.
  const unitless = row.last_report_at_ms === null;
  // An earlier release does not write magnitudes. It leaves the old one and its revision.
  const unranked = row.magnitude_revision !== row.revision;
  const at = columns.findIndex((column, i) => {
    if (column === "revision" || column === "magnitude_revision" || row[column] === expected[i]) return false;
    if (unranked && column === "magnitude") return false;
    return !(unitless && column === "unit");
  });
  const column = columns[at];
  return column === undefined ? null : `${column} is ${row[column]}, the ledger says ${expected[at]}`;
}
