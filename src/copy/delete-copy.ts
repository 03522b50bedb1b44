/**
 * Deletes an enterprise's copy in D1, page by page. First the head gets a generation above every other, so that a batch
 * which arrives late writes nothing. The head itself is deleted last.
 */
import { SWEPT } from "./sweep.ts";

/** The tables with an enterprise's rows, except its head, with the columns of their keys after the enterprise. */
export const COPY_TABLES: readonly { table: string; key: readonly string[] }[] = [
  ...SWEPT,
  { table: "enterprise_search", key: ["key"] },
];

const PAGE_ROWS = 1_000;

/** Makes the copy refuse every batch. Does nothing if there is no copy. */
export async function closeCopy(db: D1Database, enterprise: string): Promise<void> {
  await db.prepare(`UPDATE enterprises SET generation = ?2 WHERE id = ?1`).bind(enterprise, CLOSED).all();
}

/** Above every generation that a rebuild can begin. */
const CLOSED = Number.MAX_SAFE_INTEGER;

/** Deletes one page of a table. Returns whether the table may have more rows. */
export async function deletePage(db: D1Database, enterprise: string, index: number): Promise<boolean> {
  const { table, key } = COPY_TABLES[index] as (typeof COPY_TABLES)[number];
  const columns = key.join(", ");
  const { results } = await db
    .prepare(
      `SELECT ${columns} FROM ${table} WHERE enterprise = ?1 ORDER BY ${columns} LIMIT 1 OFFSET ${PAGE_ROWS - 1}`,
    )
    .bind(enterprise)
    .all<Record<string, string | number>>();
  const last = results[0] === undefined ? [] : Object.values(results[0]);
  const until = last.length === 0 ? "" : ` AND (${columns}) <= (${last.map((_, i) => `?${i + 2}`).join(", ")})`;
  await db
    .prepare(`DELETE FROM ${table} WHERE enterprise = ?1${until}`)
    .bind(enterprise, ...last)
    .all();
  return last.length > 0;
}

/** Deletes the head, after all other rows. */
export async function deleteHead(db: D1Database, enterprise: string): Promise<void> {
  await db.prepare("DELETE FROM enterprises WHERE id = ?1").bind(enterprise).all();
}
