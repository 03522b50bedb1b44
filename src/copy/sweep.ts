/**
 * Deletes the rows that a rebuild has not written again, from an enterprise's copy in D1. These are the rows of earlier
 * generations. Each call looks at one page of rows, in the order of their keys, and returns where the next page starts.
 */

import { CYCLE_KEY as RUN_CYCLE_KEY, MODEL_KEY as RUN_MODEL_KEY } from "./run-parts.ts";
import { CELL_KEY } from "./write-cube.ts";

/** The tables that a rebuild writes, with the columns of their keys after the enterprise. */
export const SWEPT = [
  { table: "usage_hourly", key: ["unit", "starts_at_ms", "surface"] },
  { table: "usage_daily", key: ["unit", "starts_at_ms", "surface"] },
  { table: "usage_by_dimension", key: ["unit", "cycle_starts_at_ms", "dimension", "id"] },
  { table: "usage_cube", key: CELL_KEY },
  { table: "usage_by_model", key: ["unit", "cycle_starts_at_ms", "model", "tier"] },
  { table: "runs", key: ["run"] },
  { table: "run_models", key: RUN_MODEL_KEY },
  { table: "run_cycles", key: RUN_CYCLE_KEY },
  { table: "entries", key: ["seq"] },
  { table: "names", key: ["kind", "id"] },
] as const;

const PAGE_ROWS = 1_000;

export type SweepPlace = { table: number; after: (string | number)[] | null };

export const SWEEP_START: SweepPlace = { table: 0, after: null };

/**
 * Deletes the older rows of one page. Does nothing if the copy has another generation by now, so a call that arrives
 * late is harmless. Returns the place of the next page; null after the last one.
 */
export async function sweepPage(
  db: D1Database,
  enterprise: string,
  generation: number,
  { table: index, after }: SweepPlace,
): Promise<SweepPlace | null> {
  const { table, key } = SWEPT[index] as (typeof SWEPT)[number];
  const columns = key.join(", ");
  const places = (first: number) => key.map((_, i) => `?${first + i}`).join(", ");
  const beyond = after === null ? "" : ` AND (${columns}) > (${places(3)})`;
  const page = `SELECT ${columns} FROM ${table} WHERE enterprise = ?1 AND ?2 IS NOT NULL${beyond} ORDER BY ${columns}`;
  const { results } = await db
    .prepare(`${page} LIMIT 1 OFFSET ${PAGE_ROWS - 1}`)
    .bind(enterprise, generation, ...(after ?? []))
    .all<Record<string, string | number>>();
  const last = results[0] === undefined ? null : Object.values(results[0]);
  const until = last === null ? "" : ` AND (${columns}) <= (${places(3 + (after?.length ?? 0))})`;
  const current = "(SELECT generation FROM enterprises WHERE id = ?1) = ?2";
  await db
    .prepare(`DELETE FROM ${table} WHERE enterprise = ?1 AND generation < ?2 AND ${current}${beyond}${until}`)
    .bind(enterprise, generation, ...(after ?? []), ...(last ?? []))
    .all();
  if (last !== null) return { table: index, after: last };
  return index + 1 < SWEPT.length ? { table: index + 1, after: null } : null;
}
