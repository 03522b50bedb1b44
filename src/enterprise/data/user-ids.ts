/**
 * Finds every user id that an object's tables contain, page by page. After a restore, the ids of people who were erased
 * are known only by their hash, so each id has to be compared with it.
 */

import { CELL_KEY } from "../../copy/write-cube.ts";
import { loadOutbox } from "../books/outbox.ts";
import type { Sql } from "../books/sql.ts";
import { pageOf, type StageKey } from "./table-page.ts";

/** The number of the source, and the key of the last row that was looked at. */
export type FindPlace = { source: number; after: StageKey };
export const FIND_START: FindPlace = { source: 0, after: null };

/** Hashing this many ids takes a few milliseconds. */
const PAGE_ROWS = 400;
const OUTBOX_ROWS = 5;
const BY_USER = "user:";

/** Where a user id may be. `id` is an expression for it, which is null in rows without one. */
const SOURCES = [
  {
    table: "totals_cycle",
    key: ["unit", "cycle_starts_at_ms", "dimension", "id"],
    id: "iif(dimension = 'user', id, NULL)",
  },
  {
    table: "totals_day",
    key: ["day_starts_at_ms", "dimension", "id", "unit"],
    id: "iif(dimension = 'user', id, NULL)",
  },
  { table: "runs", key: ["run"], id: "user" },
  { table: "cube", key: CELL_KEY, id: "user" },
  { table: "names", key: ["kind", "id"], id: "iif(kind = 'user', id, NULL)" },
  { table: "entries", key: ["seq"], id: "iif(caused_by LIKE 'user:%', caused_by, NULL)" },
  {
    table: "entries",
    key: ["seq"],
    id: "iif(json_extract(facts, '$.dimension') = 'user', json_extract(facts, '$.id'), NULL)",
  },
  { table: "budgets", key: ["dimension", "id", "period"], id: "iif(dimension = 'user', id, NULL)" },
  { table: "grants", key: ["id"], id: "note" },
  { table: "channels", key: ["id"], id: "target" },
  { table: "channels", key: ["id"], id: "created_by" },
] as const;

/** Returns the ids of a page, and where the next page starts; null if it was the last one. */
export function findUsers(sql: Sql, { source, after }: FindPlace): { ids: string[]; next: FindPlace | null } {
  const found = SOURCES[source];
  if (found === undefined) return findInOutbox(sql, source, after);
  const { table, key, id } = found;
  const page = pageOf(sql, table, key, after, PAGE_ROWS);
  const rows = sql.all(
    `SELECT DISTINCT ${id} AS id FROM ${table} WHERE ${id} IS NOT NULL AND ${page.within}`,
    ...page.params,
  );
  const ids = rows.map(({ id: text }) => idOf(text as string));
  return { ids, next: page.last === null ? { source: source + 1, after: null } : { source, after: page.last } };
}

/** Imported days are in the outbox before any table has their users. */
function findInOutbox(sql: Sql, source: number, after: StageKey): { ids: string[]; next: FindPlace | null } {
  const rows = loadOutbox(sql, Number(after?.[0] ?? 0), OUTBOX_ROWS);
  const users = rows.flatMap(({ items }) => items.flatMap(({ debit }) => (debit === null ? [] : [debit.user])));
  const next = rows.length < OUTBOX_ROWS ? null : { source, after: [rows.at(-1)?.lastSeq as number] };
  return { ids: [...new Set(users)], next };
}

function idOf(text: string): string {
  return text.startsWith(BY_USER) ? text.slice(BY_USER.length) : text;
}
