/**
 * The one door to the object's SQLite: synchronous statements and one kind of transaction. The Durable Object's storage
 * and node:sqlite both fit it, so the same store runs in production and in the simulator.
 * Numbers are exact integers up to 2^53−1 both ways; statements never do arithmetic on amounts.
 */

export type SqlValue = string | number | null;
export type SqlRow = Record<string, SqlValue>;

export interface Sql {
  all(statement: string, ...params: SqlValue[]): SqlRow[];
  run(statement: string, ...params: SqlValue[]): void;
  /** Runs the body as one transaction: when it throws, none of its writes stay. */
  transaction<T>(body: () => T): T;
}
