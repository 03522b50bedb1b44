/** Pages of a table in the order of a key, so that a job can look at all rows without reading many of them at once. */
import type { Sql, SqlRow, SqlValue } from "../books/sql.ts";

/** The key of the last row of a page; null before the first page, and after the last one. */
export type StageKey = readonly SqlValue[] | null;

export function keyOf(key: readonly string[], row: SqlRow): (string | number)[] {
  return key.map((column) => row[column] as string | number);
}

/** Returns a condition for the rows of the next page, its parameters, and the key of the page's last row. */
export function pageOf(
  sql: Sql,
  table: string,
  key: readonly string[],
  after: StageKey,
  rows: number,
): { within: string; params: SqlValue[]; last: StageKey } {
  const columns = key.join(", ");
  const places = `(${key.map(() => "?").join(", ")})`;
  const beyond = after === null ? "true" : `(${columns}) > ${places}`;
  const statement = `SELECT ${columns} FROM ${table} WHERE ${beyond} ORDER BY ${columns} LIMIT 1 OFFSET ${rows - 1}`;
  const found = sql.all(statement, ...(after ?? []))[0];
  const last = found === undefined ? null : keyOf(key, found);
  const until = last === null ? "true" : `(${columns}) <= ${places}`;
  return { within: `${beyond} AND ${until}`, params: [...(after ?? []), ...(last ?? [])], last };
}
