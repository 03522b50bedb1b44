/**
 * The only access to the object's SQLite: synchronous statements and one kind of transaction. It fits the storage of a
 * Durable Object and node:sqlite, so the same code runs in production and in the simulator. Integers are exact up to
 * 2^53−1 in both directions; statements never do arithmetic on amounts.
 */

export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  all(statement: string, ...params: SqlValue[]): SqlRow[];
  run(statement: string, ...params: SqlValue[]): void;
  /** Runs `body` as one transaction: when it throws, all of its writes are rolled back. */
  transaction<T>(body: () => T): T;
}
