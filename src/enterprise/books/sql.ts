/**
 * The only access to the Durable Object's SQLite: synchronous statements and one kind of transaction. Both Durable
 * Object storage and node:sqlite can implement it, so the same code runs in production and in the simulator. Integers
 * are exact up to ±(2^53−1). Statements do no arithmetic on amounts, except for sums that a stored amount bounds.
 */

export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  all(statement: string, ...params: SqlValue[]): SqlRow[];
  run(statement: string, ...params: SqlValue[]): void;
  /** Runs `body` as one transaction. If `body` throws, all of its writes are rolled back. */
  transaction<T>(body: () => T): T;
  /** How much of the storage is in use. */
  sizeBytes(): number;
}
