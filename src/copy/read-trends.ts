/**
 * What the rows of a table used in the cycles before: a few rows by their keys, however long the history is. A filtered
 * table has no trend, because it would have to read the usage cube of all these cycles.
 */
import type { Micros, Unit } from "../ledger/micros.ts";
import type { AtMs } from "../ledger/time.ts";
import type { CheckedCopy } from "./checked-copy.ts";
import type { TopDimension } from "./read-top.ts";

const MAX_CYCLES = 6;

type TrendQuestion = { enterprise: string; unit: Unit; cycleStartsAtMs: AtMs; dimension: TopDimension };

/**
 * Returns what each of these ids used in the cycle and in up to five cycles before it, oldest first. The lists of all ids
 * have the same length: with no earlier cycle, 1.
 */
export async function readTrends(
  db: CheckedCopy,
  { enterprise, unit, cycleStartsAtMs, dimension }: TrendQuestion,
  ids: readonly string[],
): Promise<Map<string, Micros[]>> {
  if (ids.length === 0) return new Map();
  const isModel = dimension === "model";
  const [table, id, amount] = isModel
    ? ["usage_by_model", "model", "cycle_micros"]
    : ["usage_by_dimension", "id", "amount_micros"];
  // Each cycle is found by one seek in the key, and so is each row: an id alone would let SQLite scan the cycle.
  const statement = `WITH RECURSIVE cycles (at_ms) AS (
      SELECT ?3 UNION ALL
      SELECT (SELECT max(cycle_starts_at_ms) FROM usage_by_dimension
        WHERE enterprise = ?1 AND unit = ?2 AND cycle_starts_at_ms < at_ms)
      FROM cycles WHERE at_ms IS NOT NULL LIMIT ${MAX_CYCLES}
    )
    SELECT at_ms, i.value AS id, coalesce(u.${amount}, 0) AS amount_micros FROM cycles CROSS JOIN json_each(?4) AS i
    LEFT JOIN ${table} AS u ON u.enterprise = ?1 AND u.unit = ?2 AND u.cycle_starts_at_ms = at_ms
      ${isModel ? "" : "AND u.dimension = ?5"} AND u.${id} = i.value
    WHERE at_ms IS NOT NULL`;
  const params = [enterprise, unit, cycleStartsAtMs, JSON.stringify(ids), ...(isModel ? [] : [dimension])];
  const { results } = await db
    .prepare(statement)
    .bind(...params)
    .all<{ at_ms: number; id: string; amount_micros: number }>();
  const cycles = [...new Set(results.map(({ at_ms }) => at_ms))].sort((a, b) => a - b);
  const trends = new Map(ids.map((each) => [each, cycles.map(() => 0)]));
  for (const { at_ms, id: of, amount_micros } of results) {
    const trend = trends.get(of) as Micros[];
    const at = cycles.indexOf(at_ms);
    // A model has a row for each tier.
    trend[at] = (trend[at] as Micros) + amount_micros;
  }
  return trends;
}
