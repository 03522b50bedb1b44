/** The storage of the catalog's Durable Object in memory, as far as its restores use it. */
import { DatabaseSync } from "node:sqlite";
import type { Restores } from "../../src/catalog/restores.ts";

type CatalogSql = ConstructorParameters<typeof Restores>[0];

export function openCatalogSql(): CatalogSql {
  const db = new DatabaseSync(":memory:");
  const exec = (statement: string, ...params: (string | number | null)[]) => {
    const rows = db.prepare(statement).all(...params);
    return { toArray: () => rows, one: () => rows[0] };
  };
  return { exec } as unknown as CatalogSql;
}
