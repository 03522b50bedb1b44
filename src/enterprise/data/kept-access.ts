/**
 * What must survive when an object goes back to an earlier moment: keys, sign-outs, used sign-in links and erasures. The
 * catalog keeps these rows while the object's file is replaced. All rows are kept, not only the latest, so nothing depends
 * on comparing clocks.
 */
import type { KeptPlace, KeptRows, KeptTable } from "../../catalog/restore-steps.ts";
import { UNKNOWN_PERSON } from "../books/erasures.ts";
import type { Sql, SqlRow } from "../books/sql.ts";

/** The tables, and the columns of their keys. */
const KEPT: readonly { table: KeptTable; key: readonly string[] }[] = [
  { table: "keys", key: ["id"] },
  { table: "sign_outs", key: ["kind", "id"] },
  { table: "links_used", key: ["id"] },
  { table: "erasures", key: ["replacement"] },
];

const PAGE_ROWS = 500;

/** Returns a page of the rows to keep, and where the next page starts; null if there is none. */
export function loadKept(sql: Sql, { table: number, after }: KeptPlace): { kept: KeptRows; next: KeptPlace | null } {
  const { table, key } = KEPT[number] as (typeof KEPT)[number];
  const columns = key.join(", ");
  const beyond = after === null ? "true" : `(${columns}) > (${key.map(() => "?").join(", ")})`;
  const statement = `SELECT * FROM ${table} WHERE ${beyond} ORDER BY ${columns} LIMIT ${PAGE_ROWS}`;
  const rows = sql.all(statement, ...(after ?? []));
  const last = rows.length === PAGE_ROWS ? rows.at(-1) : undefined;
  if (last !== undefined) {
    return { kept: { table, rows }, next: { table: number, after: key.map((column) => last[column] as string) } };
  }
  return { kept: { table, rows }, next: number + 1 < KEPT.length ? { table: number + 1, after: null } : null };
}

/** Puts kept rows into an earlier file, in the caller's transaction. Returns the replacements of erasures that it lacked. */
export function putKept(sql: Sql, { table, rows }: KeptRows): string[] {
  if (table !== "erasures") {
    for (const row of rows) put(sql, "REPLACE", table, row);
    return [];
  }
  const known = new Set(sql.all("SELECT replacement FROM erasures").map(({ replacement }) => replacement));
  // An erasure that the earlier file knows continues there as it was.
  const missing = rows.filter(({ replacement }) => !known.has(replacement ?? ""));
  for (const row of missing) put(sql, "IGNORE", table, { ...row, user: row.user ?? UNKNOWN_PERSON });
  return missing.map(({ replacement }) => replacement as string);
}

function put(sql: Sql, conflict: "REPLACE" | "IGNORE", table: string, row: SqlRow): void {
  const columns = Object.keys(row);
  const places = columns.map(() => "?").join(", ");
  sql.run(`INSERT OR ${conflict} INTO ${table} (${columns.join(", ")}) VALUES (${places})`, ...Object.values(row));
}
