/**
 * The part of a Durable Object's storage that src/enterprise/books/sql.ts names, for the type check of plain Node tests:
 * the runtime's own types and Node's contradict each other in one program.
 */
interface DurableObjectStorage {
  sql: { exec(statement: string, ...params: (string | number | null)[]): { toArray(): object[] } };
  transactionSync<T>(body: () => T): T;
}
