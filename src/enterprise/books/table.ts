/**
 * Describes one table of the Durable Object: how each column is written and how a row is read. The SQL statements are
 * generated from the columns. Many short rows are written by one statement with one JSON parameter, which is a list of
 * lists in column order. If the rows do not fit into one parameter, they are split over several statements. Reading a
 * value from JSON costs more than binding it, so rows with many columns are inserted by a statement for each.
 */
import type { Sql, SqlRow, SqlValue } from "./sql.ts";

/** For each column, a function that returns its value. */
export type Columns<T> = Readonly<Record<string, (value: T) => SqlValue>>;

type Definition<T> = {
  name: string;
  /** What rows are read from, if it is not the table. */
  view?: string;
  /** The primary key. */
  key: Columns<T>;
  /** Columns that never change once the row is stored. Updates leave them out, so they never touch their indexes. */
  fixed?: Columns<T>;
  changing: Columns<T>;
  read(row: SqlRow): T;
};

export class Table<T> {
  readonly read: (row: SqlRow) => T;
  /** The names of all columns, the primary key first. */
  readonly columns: readonly string[];
  /** The names of the columns that `update` writes. */
  readonly changing: readonly string[];
  readonly #key: Columns<T>[string][];
  readonly #changesAndKey: Columns<T>[string][];
  readonly #all: Columns<T>[string][];
  readonly #insert: string;
  readonly #insertOne: string;
  readonly #upsert: string;
  readonly #update: string;
  readonly #updateAll: string;
  readonly #findSame: string;

  constructor({ name, view = name, key, fixed = {}, changing, read }: Definition<T>) {
    this.read = read;
    this.#key = Object.values(key);
    this.#changesAndKey = [...Object.values(changing), ...Object.values(key)];
    const columns = { ...key, ...fixed, ...changing };
    this.#all = Object.values(columns);
    const names = Object.keys(columns);
    this.columns = names;
    const keys = Object.keys(key);
    const changes = Object.keys(changing);
    this.changing = changes;
    // Without WHERE, SQLite would parse ON CONFLICT as part of a join.
    this.#insert = `INSERT INTO ${name} (${names.join(", ")})
      SELECT ${names.map((_, i) => `value ->> ${i}`).join(", ")} FROM json_each(?1) WHERE true`;
    this.#insertOne = `INSERT INTO ${name} (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`;
    this.#upsert = `${this.#insert} ON CONFLICT (${keys.join(", ")})
      DO UPDATE SET ${changes.map((column) => `${column} = excluded.${column}`).join(", ")}`;
    this.#update = `UPDATE ${name} SET ${changes.map((column) => `${column} = ?`).join(", ")}
      WHERE ${keys.map((column) => `${column} = ?`).join(" AND ")}`;
    this.#updateAll = `UPDATE ${name} AS t SET ${changes.map((column, i) => `${column} = n.value ->> ${i}`).join(", ")}
      FROM json_each(?1) AS n
      WHERE ${keys.map((column, i) => `t.${column} = n.value ->> ${changes.length + i}`).join(" AND ")}`;
    this.#findSame = `SELECT t.* FROM json_each(?1) AS k JOIN ${view} AS t
      ON ${keys.map((column, i) => `t.${column} = k.value ->> ${i}`).join(" AND ")}`;
  }

  /** Inserts rows that are not stored yet. */
  add(sql: Sql, values: readonly T[]): void {
    if (values.length === 1 || this.#all.length >= MANY_COLUMNS) {
      for (const value of values) sql.run(this.#insertOne, ...this.#all.map((of) => of(value)));
    } else for (const lists of portionsOf(this.#all, values)) sql.run(this.#insert, lists);
  }

  /** Inserts rows. For a row that is already stored, updates the changing columns. */
  put(sql: Sql, values: readonly T[]): void {
    for (const lists of portionsOf(this.#all, values)) sql.run(this.#upsert, lists);
  }

  /**
   * Inserts the rows that are not stored yet, and updates the others one by one. Costs less than `put`.
   * @param stored the stored rows with the same keys
   */
  write(sql: Sql, values: readonly T[], stored: readonly T[], keyOf: (value: T) => string): void {
    const known = new Set(stored.map(keyOf));
    const added: T[] = [];
    for (const value of values) {
      if (known.has(keyOf(value))) this.update(sql, value);
      else added.push(value);
    }
    this.add(sql, added);
  }

  /** Updates the changing columns of one stored row. For few rows this costs less than `put`. */
  update(sql: Sql, value: T): void {
    sql.run(this.#update, ...this.#changesAndKey.map((of) => of(value)));
  }

  /** Updates the changing columns of stored rows. For many rows this costs less than `update`. */
  updateAll(sql: Sql, values: readonly T[]): void {
    if (values.length === 1) this.update(sql, values[0] as T);
    else for (const lists of portionsOf(this.#changesAndKey, values)) sql.run(this.#updateAll, lists);
  }

  /** Loads the stored rows that have the same keys as these values, in any order. */
  loadSame(sql: Sql, values: readonly T[]): T[] {
    return [...portionsOf(this.#key, values)].flatMap((lists) => sql.all(this.#findSame, lists).map(this.read));
  }
}

/** A row with this many columns costs less in a separate statement: two thirds for the 29 columns of a meter. */
const MANY_COLUMNS = 10;

/** SQLite on Cloudflare accepts values of at most 2 MB. A UTF-16 code unit of a string takes at most 3 bytes. */
const MAX_PARAMETER_CHARS = 500_000;

/** Splits the rows into JSON lists of lists, each with as many rows as fit into one parameter. */
function* portionsOf<T>(columns: Columns<T>[string][], values: readonly T[]): Generator<string> {
  let rows: string[] = [];
  let chars = 0;
  for (const value of values) {
    const row = JSON.stringify(columns.map((of) => of(value)));
    if (chars + row.length > MAX_PARAMETER_CHARS && rows.length > 0) {
      yield `[${rows.join(",")}]`;
      rows = [];
      chars = 0;
    }
    rows.push(row);
    chars += row.length;
  }
  if (rows.length > 0) yield `[${rows.join(",")}]`;
}
