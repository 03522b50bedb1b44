/**
 * The parts of the Workers runtime that the core names, for the type check of plain Node: the runtime's own types and
 * Node's contradict each other in one program.
 */
interface D1Result<T = Record<string, unknown>> {
  results: T[];
}

interface D1PreparedStatement {
  bind(...values: unknown[]): D1PreparedStatement;
  all<T = Record<string, unknown>>(): Promise<D1Result<T>>;
  run<T = Record<string, unknown>>(): Promise<D1Result<T>>;
  raw<T = unknown[]>(): Promise<T[]>;
  first<T>(column?: string): Promise<T | null>;
}

interface D1Database {
  prepare(statement: string): D1PreparedStatement;
  batch<T = Record<string, unknown>>(statements: D1PreparedStatement[]): Promise<D1Result<T>[]>;
}
