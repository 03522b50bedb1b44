/** A snapshot of an object's tables, and a recovery that goes back to it, which the development runtime lacks. */
import { runInDurableObject } from "cloudflare:test";
import { vi } from "vitest";
import type { objectOf } from "./api.ts";

type EnterpriseStub = ReturnType<typeof objectOf>;
type Row = Record<string, SqlStorageValue>;
type Snapshot = { schema: string[]; rows: Map<string, Row[]> };

const OWN = "name NOT GLOB '_cf*' AND name NOT GLOB 'sqlite*'";

export function takeSnapshot(object: EnterpriseStub): Promise<Snapshot> {
  return runInDurableObject(object, (_, { storage: { sql } }) => {
    const all = sql.exec<{ type: string; name: string; sql: string }>(
      `SELECT type, name, sql FROM sqlite_master WHERE ${OWN} AND sql IS NOT NULL ORDER BY type = 'trigger', type = 'index', rowid`,
    );
    const found = all.toArray();
    const rows = new Map(
      found
        .filter(({ type }) => type === "table")
        .map(({ name }) => [name, sql.exec<Row>(`SELECT * FROM ${name}`).toArray()] as const),
    );
    return { schema: found.map((row) => row.sql), rows };
  });
}

/** Replaces everything that the object has stored. */
function putSnapshot(sql: SqlStorage, { schema, rows }: Snapshot): void {
  for (const type of ["trigger", "view", "table"]) {
    const statement = `SELECT name FROM sqlite_master WHERE type = '${type}' AND ${OWN}`;
    for (const { name } of sql.exec<{ name: string }>(statement).toArray()) sql.exec(`DROP ${type} ${name}`);
  }
  for (const statement of schema.filter((text) => /^CREATE TABLE/i.test(text))) sql.exec(statement);
  for (const [table, stored] of rows) {
    for (const row of stored) {
      const columns = Object.keys(row);
      const places = columns.map(() => "?").join(", ");
      sql.exec(`INSERT INTO ${table} (${columns.join(", ")}) VALUES (${places})`, ...Object.values(row));
    }
  }
  for (const statement of schema.filter((text) => !/^CREATE TABLE/i.test(text))) sql.exec(statement);
}

/** Gives the object a recovery that goes back to the snapshot. */
export function provideRecovery(object: EnterpriseStub, snapshot: Snapshot): Promise<void> {
  return runInDurableObject(object, (_, { storage }) => {
    const proto = Object.getPrototypeOf(storage);
    vi.spyOn(proto, "getBookmarkForTime").mockResolvedValue("then");
    vi.spyOn(proto, "onNextSessionRestoreBookmark").mockImplementation(async function (this: DurableObjectStorage) {
      this.transactionSync(() => putSnapshot(this.sql, snapshot));
      return "undo";
    });
  });
}
