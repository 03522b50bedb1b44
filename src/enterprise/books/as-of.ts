/**
 * Reads whole tables page by page, all as they were at one moment, while the tables change. From that moment on,
 * triggers store the old form of each row before its first change, or that the row did not exist. A page then consists
 * of the current rows, corrected by what the triggers stored. Only rows that change meanwhile cost something. This file
 * knows the tables and their keys, but not what the rows mean.
 */
import { CELL_KEY } from "../../copy/write-cube.ts";
import { addFurtherRates } from "./further-kinds.ts";
import { GRANTS, METERS } from "./rows.ts";
import type { Sql, SqlRow, SqlValue } from "./sql.ts";

export type Key = readonly SqlValue[];

type Described = {
  key: readonly string[];
  columns: readonly string[];
  /** SQL conditions under which a change, or a new row, matters; absent if all do. */
  matters?: { update: string; insert: string };
  /** The column that may be long. A page ends once this column has enough characters. */
  long?: string;
  /** Adds to the rows what another table stores for them. That table only grows, so it needs no moment. */
  complete?: (sql: Sql, rows: SqlRow[]) => SqlRow[];
};

const TABLES = {
  totals_time: { key: ["span", "unit", "starts_at_ms", "surface"], columns: ["amount_micros"] },
  totals_cycle: { key: ["unit", "cycle_starts_at_ms", "dimension", "id"], columns: ["requests", "amount_micros"] },
  cube: {
    key: CELL_KEY,
    columns: ["amount_micros", "cycle_micros", "requests", "model_requests", "savings_micros", "kinds"],
  },
  totals_model: {
    key: ["unit", "cycle_starts_at_ms", "model", "tier"],
    columns: ["cycle_micros", "model_requests", "savings_micros"],
  },
  meters: { key: ["run", "model"], columns: METERS.columns.slice(2), long: "draws", complete: addFurtherRates },
  older_draws: { key: ["run", "model", "page"], columns: ["micros", "sums", "draws"], long: "draws" },
  waiting_meters: { key: ["run", "model"], columns: ["model"] },
  debt_payments: { key: ["cycle_starts_at_ms", "number"], columns: ["bucket", "grant_id", "micros"] },
  grants: { key: ["id"], columns: [...GRANTS.columns.slice(1), "pruned_micros"] },
  held_sums: { key: ["dimension", "id"], columns: ["credits", "usd"] },
  runs: {
    key: ["run"],
    columns: ["hold_unit", "hold_micros", "workspace", "group_id", "user"],
    matters: {
      update: `OLD.hold_micros IS NOT NEW.hold_micros OR OLD.hold_unit IS NOT NEW.hold_unit
        OR (OLD.hold_micros IS NOT NULL AND (OLD.group_id IS NOT NEW.group_id OR OLD.user IS NOT NEW.user))`,
      insert: "NEW.hold_micros IS NOT NULL",
    },
  },
} as const satisfies Record<string, Described>;

export type AsOfTable = keyof typeof TABLES;
const NAMES = Object.keys(TABLES) as AsOfTable[];
const EVENTS = ["update", "delete", "insert"] as const;
const MAX_PAGE_CHARS = 200_000;

export type Page = {
  /** The rows of the page, with key and columns, in the order of the key. */
  rows: SqlRow[];
  /** The key after which the next page starts; null if this is the last page. */
  last: Key | null;
};

/** Starts storing old rows, as part of the caller's transaction. This is the moment as of which pages are read. */
export function beginAsOf(sql: Sql): void {
  endAsOf(sql);
  for (const name of NAMES) {
    const { key, columns, matters }: Described = TABLES[name];
    const keys = key.join(", ");
    sql.run(`CREATE TABLE before_${name} (${keys}, row, PRIMARY KEY (${keys})) WITHOUT ROWID`);
    const store = (which: "OLD" | "NEW", row: string) => {
      const places = key.map((column) => `${which}.${column}`).join(", ");
      const same = key.map((column) => `${column} = ${which}.${column}`).join(" AND ");
      return `INSERT INTO before_${name} SELECT ${places}, ${row} WHERE NOT EXISTS (SELECT 1 FROM before_${name} WHERE ${same})`;
    };
    const old = `json_object(${columns.map((column) => `'${column}', OLD.${column}`).join(", ")})`;
    const moved = key.map((column) => `NEW.${column} IS NOT OLD.${column}`).join(" OR ");
    const when = (condition: string | undefined) => (condition === undefined ? "" : `WHEN ${condition}`);
    const update = matters === undefined ? undefined : `${matters.update} OR ${moved}`;
    sql.run(`CREATE TRIGGER as_of_${name}_update BEFORE UPDATE ON ${name} ${when(update)}
      BEGIN ${store("OLD", old)}; ${store("NEW", "NULL")} AND (${moved}); END`);
    sql.run(`CREATE TRIGGER as_of_${name}_delete BEFORE DELETE ON ${name} BEGIN ${store("OLD", old)}; END`);
    sql.run(`CREATE TRIGGER as_of_${name}_insert AFTER INSERT ON ${name} ${when(matters?.insert)}
      BEGIN ${store("NEW", "NULL")}; END`);
  }
}

/** Stops storing old rows. Harmless if it has stopped already. */
export function endAsOf(sql: Sql): void {
  for (const name of NAMES) endAsOfTable(sql, name);
}

/** Stops storing the old rows of one table, once all of its pages were read. */
export function endAsOfTable(sql: Sql, name: AsOfTable): void {
  for (const event of EVENTS) sql.run(`DROP TRIGGER IF EXISTS as_of_${name}_${event}`);
  sql.run(`DROP TABLE IF EXISTS before_${name}`);
}

/** Deletes the stored old rows up to a key, because their page was read. */
export function passAsOf(sql: Sql, name: AsOfTable, last: Key): void {
  const { key } = TABLES[name];
  sql.run(`DELETE FROM before_${name} WHERE ${rowOf(key)} <= ${placesOf(key)}`, ...last);
}

/** Reads the next page of a table as it was when `beginAsOf` ran. */
export function loadAsOfPage(sql: Sql, name: AsOfTable, after: Key | null, limit: number): Page {
  const { key } = TABLES[name];
  const current = loadPage(sql, name, after, limit);
  const statement = `SELECT * FROM before_${name} ${beyond(key, after)} ORDER BY ${key.join(", ")} LIMIT ?`;
  const before = sql.all(statement, ...(after ?? []), limit);
  const ends = [current.last, before.length === limit ? keyOf(key, before.at(-1) as SqlRow) : null];
  const last = ends.reduce((a, b) => (a === null || (b !== null && compareKeys(b, a) < 0) ? b : a), null);
  const rows = new Map<string, SqlRow>();
  const within = (row: SqlRow) => last === null || compareKeys(keyOf(key, row), last) <= 0;
  for (const row of current.rows.filter(within)) rows.set(JSON.stringify(keyOf(key, row)), row);
  for (const { row: text, ...keys } of before.filter(within)) {
    const place = JSON.stringify(keyOf(key, keys));
    if (text === null) rows.delete(place);
    else rows.set(place, { ...keys, ...(JSON.parse(text as string) as SqlRow) });
  }
  const sorted = [...rows.values()].sort((a, b) => compareKeys(keyOf(key, a), keyOf(key, b)));
  const { complete = (_, same) => same }: Described = TABLES[name];
  return { rows: complete(sql, sorted), last };
}

/** Reads the next page of a table as it is now. */
export function loadPage(sql: Sql, name: AsOfTable, after: Key | null, limit: number): Page {
  const { key, columns, long, complete = (_, same) => same }: Described = TABLES[name];
  const order = key.join(", ");
  let most = limit;
  if (long !== undefined) {
    const lengths = `SELECT length(${long}) AS chars FROM ${name} ${beyond(key, after)} ORDER BY ${order} LIMIT ?`;
    let chars = 0;
    const fits = sql
      .all(lengths, ...(after ?? []), limit)
      .filter((row) => (chars += (row.chars ?? 0) as number) <= MAX_PAGE_CHARS);
    most = Math.max(1, fits.length);
  }
  const statement = `SELECT ${order}, ${columns.join(", ")} FROM ${name} ${beyond(key, after)} ORDER BY ${order} LIMIT ?`;
  const rows = sql.all(statement, ...(after ?? []), most);
  return { rows: complete(sql, rows), last: rows.length === most ? keyOf(key, rows.at(-1) as SqlRow) : null };
}

/** Compares keys as SQLite does: numbers by value, and text by its bytes. Ids are ASCII. */
function compareKeys(a: Key, b: Key): number {
  for (const [i, x] of a.entries()) {
    const y = b[i] as typeof x;
    if (x !== y) return (x as string) < (y as string) ? -1 : 1;
  }
  return 0;
}

function keyOf(key: readonly string[], row: SqlRow): Key {
  return key.map((column) => row[column] as SqlValue);
}

function beyond(key: readonly string[], after: Key | null): string {
  return after === null ? "" : `WHERE ${rowOf(key)} > ${placesOf(key)}`;
}

function rowOf(key: readonly string[]): string {
  return `(${key.join(", ")})`;
}

function placesOf(key: readonly string[]): string {
  return `(${key.map(() => "?").join(", ")})`;
}
