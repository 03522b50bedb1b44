/**
 * Replaces single rows of an enterprise's copy in D1, whatever their revision. Only for rows whose keys change, and only
 * while no batch is under way.
 */
import { allRowsOf, type BatchRows } from "./write.ts";

type Removed = { table: string; key: readonly string[]; keys: readonly (readonly (string | number)[])[] };

type Replacement = { enterprise: string; generation: number; put: BatchRows; removed: readonly Removed[] };

export async function replaceRows(
  db: D1Database,
  { enterprise, generation, put, removed }: Replacement,
): Promise<void> {
  const statements = removed
    .filter(({ keys }) => keys.length > 0)
    .map(({ table, key, keys }) => {
      const listed = `SELECT ${key.map((_, i) => `value ->> ${i}`).join(", ")} FROM json_each(?2)`;
      const statement = `DELETE FROM ${table} WHERE enterprise = ?1 AND (${key.join(", ")}) IN (${listed})`;
      return db.prepare(statement).bind(enterprise, JSON.stringify(keys));
    });
  for (const { table, columns, values } of allRowsOf(put)) {
    if (values.length === 0) continue;
    const listed = columns.map((_, i) => `value ->> ${i}`).join(", ");
    const statement = `INSERT OR REPLACE INTO ${table} (enterprise, ${columns.join(", ")}, generation)
      SELECT ?1, ${listed}, ?3 FROM json_each(?2)`;
    statements.push(db.prepare(statement).bind(enterprise, JSON.stringify(values), generation));
  }
  if (statements.length > 0) await db.batch(statements);
}

/** Sets the user of these runs, if it is still the one that is replaced. */
export async function replaceRunUser(
  db: D1Database,
  enterprise: string,
  runs: readonly string[],
  { user, replacement }: { user: string; replacement: string },
): Promise<void> {
  if (runs.length === 0) return;
  const statement = `UPDATE runs SET user = ?3 WHERE enterprise = ?1 AND user = ?4
    AND run IN (SELECT value FROM json_each(?2))`;
  await db.prepare(statement).bind(enterprise, JSON.stringify(runs), replacement, user).all();
}
