/**
 * D1 for the real writer and comparer: the real migrations over a second node:sqlite, behind the few calls of a
 * D1Database that they make. A batch is one transaction. The simulated network decides what happens to it: it may be
 * applied late, or never, or its answer may be lost.
 */
import { readdirSync, readFileSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";

const MIGRATIONS = new URL("../../migrations/", import.meta.url);

/** Carries a batch to the database and its answer back. `apply` may be called late, or never. */
type Carry = (apply: () => void) => Promise<void>;
export type CopyRow = Record<string, string | number | null>;

/** A run of another enterprise, which must never change. */
export const NEIGHBOUR = {
  enterprise: "neighbour",
  run: "r1",
  surface: "web",
  workspace: "w1",
  group_id: "none",
  user: "u1",
  started_at_ms: 1,
  last_report_at_ms: 2,
  models: "[]",
  unit: "credits",
  charged_micros: 3,
  cycle_starts_at_ms: 0,
  cycle_micros: 3,
  final: 1,
  revision: 1,
  generation: 0,
  usage: null,
  price_book_versions: null,
} satisfies CopyRow;

class Statement implements D1PreparedStatement {
  constructor(
    readonly copy: CopyDb,
    readonly text: string,
    readonly params: (string | number | null)[] = [],
  ) {}

  bind(...values: unknown[]): Statement {
    return new Statement(this.copy, this.text, values as (string | number | null)[]);
  }

  async all<T>(): Promise<{ results: T[] }> {
    return { results: this.copy.rows(this.text, ...this.params) as T[] };
  }

  async run<T>(): Promise<{ results: T[] }> {
    return this.all();
  }

  async raw<T>(): Promise<T[]> {
    return this.copy.rows(this.text, ...this.params).map((row) => Object.values(row)) as T[];
  }

  async first<T>(column: string): Promise<T | null> {
    return (this.copy.rows(this.text, ...this.params)[0]?.[column] ?? null) as T | null;
  }
}

export class CopyDb implements D1Database {
  readonly #database = new DatabaseSync(":memory:");
  #earlier: { table: string; rows: CopyRow[] }[] = [];
  readonly #prepared = new Map<string, StatementSync>();

  constructor(readonly carry: Carry) {
    for (const statement of migrationStatements()) this.#database.exec(statement);
    this.#insert("runs", NEIGHBOUR);
  }

  prepare(text: string): Statement {
    return new Statement(this, text);
  }

  async batch<T>(statements: Statement[]): Promise<{ results: T[] }[]> {
    let results: { results: T[] }[] = [];
    await this.carry(() => {
      results = this.#apply(statements);
    });
    return results;
  }

  /**
   * Loses everything of the enterprise, or takes it back to when this was last called. Returns true if it took it back.
   */
  lose(toEarlier: boolean): boolean {
    const earlier = this.#earlier;
    this.#earlier = TABLES.map((table) => ({
      table,
      rows: this.rows(`SELECT * FROM ${table} WHERE ${keyOf(table)} = 'acme'`),
    }));
    for (const table of TABLES) this.#database.exec(`DELETE FROM ${table} WHERE ${keyOf(table)} = 'acme'`);
    if (!toEarlier || earlier.length === 0) return false;
    for (const { table, rows } of earlier) for (const row of rows) this.#insert(table, row);
    return true;
  }

  #insert(table: string, row: CopyRow): void {
    const columns = Object.keys(row);
    const statement = `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${columns.map(() => "?").join(", ")})`;
    this.#statement(statement).run(...Object.values(row));
  }

  /** Reads for a check, without the network. */
  rows(text: string, ...params: (string | number | null)[]): CopyRow[] {
    return this.#statement(text).all(...params) as CopyRow[];
  }

  close(): void {
    this.#database.close();
  }

  #apply<T>(statements: Statement[]): { results: T[] }[] {
    this.#database.exec("BEGIN");
    try {
      const results = statements.map(({ text, params }) => ({ results: this.#statement(text).all(...params) as T[] }));
      this.#database.exec("COMMIT");
      return results;
    } catch (error) {
      this.#database.exec("ROLLBACK");
      throw error;
    }
  }

  #statement(text: string): StatementSync {
    const known = this.#prepared.get(text) ?? this.#database.prepare(text);
    this.#prepared.set(text, known);
    return known;
  }
}

const TABLES = [
  "enterprises",
  "enterprise_search",
  "usage_hourly",
  "usage_daily",
  "usage_by_dimension",
  "usage_cube",
  "usage_by_model",
  "runs",
  "run_models",
  "run_cycles",
  "entries",
  "names",
];

const keyOf = (table: string) => (table === "enterprises" ? "id" : "enterprise");

let statements: string[] | null = null;

function migrationStatements(): string[] {
  statements ??= readdirSync(MIGRATIONS)
    .filter((name) => name.endsWith(".sql"))
    .sort()
    .flatMap((name) => readFileSync(new URL(name, MIGRATIONS), "utf8").split("--> statement-breakpoint"));
  return statements;
}
