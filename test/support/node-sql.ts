/**
 * Implements `Sql` with node:sqlite, so that the real ledger runs in plain Node, in memory. Like the storage of a Durable
 * Object it is synchronous, nests transactions, and rolls back every write of a body that throws. It also has the limits
 * of that storage, which node:sqlite and a local workerd do not have: 100 parameters, and 2 MB for a value.
 * Statements are prepared once. Integers are read as numbers; one that is too large for that throws.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql, SqlRow, SqlValue } from "../../src/enterprise/books/sql.ts";

const MAX_PARAMETERS = 100;
const MAX_VALUE_BYTES = 2_000_000;

export function openSql(path = ":memory:"): Sql {
  const db = new DatabaseSync(path);
  const prepared = new Map<string, StatementSync>();
  let depth = 0;

  function prepare(statement: string): StatementSync {
    const known = prepared.get(statement) ?? db.prepare(statement);
    prepared.set(statement, known);
    return known;
  }

  return {
    all: (statement, ...params) => {
      checkLimits(params);
      return prepare(statement).all(...params) as SqlRow[];
    },
    run: (statement: string, ...params: SqlValue[]) => {
      checkLimits(params);
      prepare(statement).run(...params);
    },
    sizeBytes: () =>
      Number(prepare("SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size").get()?.bytes),
    transaction: (body) => {
      const name = `level_${depth}`;
      prepare(`SAVEPOINT ${name}`).run();
      depth += 1;
      try {
        const answer = body();
        prepare(`RELEASE ${name}`).run();
        return answer;
      } catch (error) {
        db.exec(`ROLLBACK TO ${name}; RELEASE ${name}`);
        throw error;
      } finally {
        depth -= 1;
      }
    },
  };
}

function checkLimits(params: readonly SqlValue[]): void {
  if (params.length > MAX_PARAMETERS) throw new Error(`a statement has ${params.length} parameters`);
  for (const value of params) {
    // A quick look first: UTF-8 needs at most three bytes for a UTF-16 unit.
    if (typeof value !== "string" || value.length * 3 <= MAX_VALUE_BYTES) continue;
    const bytes = Buffer.byteLength(value);
    if (bytes > MAX_VALUE_BYTES) throw new Error(`a value has ${bytes} bytes`);
  }
}

/** Empties the tables of an object, so that the next case can use them again. */
export function wipe(sql: Sql): Sql {
  const tables = sql.all("SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_steps'");
  for (const { name } of tables) sql.run(`DELETE FROM ${name}`);
  return sql;
}
