/**
 * The store's Sql door over node:sqlite, in memory: so the real bookkeeper and its store run in plain Node.
 */
import { DatabaseSync } from "node:sqlite";
import type { Sql, SqlRow } from "../../src/enterprise/sql.ts";

export function nodeSql(path = ":memory:"): Sql {
  const database = new DatabaseSync(path);
  const statements = new Map<string, ReturnType<DatabaseSync["prepare"]>>();
  const prepared = (statement: string) => {
    const known = statements.get(statement) ?? database.prepare(statement);
    statements.set(statement, known);
    return known;
  };
  return {
    all: (statement, ...params) => prepared(statement).all(...params) as SqlRow[],
    run: (statement, ...params) => {
      prepared(statement).run(...params);
    },
    transaction: (body) => {
      database.exec("BEGIN");
      try {
        const result = body();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
  };
}
