/**
 * Reads the use of one workspace, group or user (a slice) from its newest runs. The copy in D1 has no totals for pairs
 * of dimensions, and no totals over time by dimension, because every debit would have to write them. Each query reads
 * at most SLICE_RUNS runs. The result says whether these were all runs of the slice, so a screen can show what it
 * covers.
 */
import type { Dimension } from "../ledger/attribution.ts";
import type { Surface } from "../ledger/books.ts";
import type { Span } from "../ledger/calendar.ts";
import { METER_RETENTION_MS } from "../ledger/meter.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { AtMs } from "../ledger/time.ts";
import type { CheckedCopy } from "./checked-copy.ts";
import type { TimeBucket, TopRow } from "./read.ts";

export const SLICE_RUNS = 1_000;

export type Slice = { enterprise: string; unit: Unit; dimension: Dimension; id: string };
/** `whole` is whether all matching runs were read. */
type SliceTop = { rows: TopRow[]; allRows: number; totalMicros: Micros; totalRequests: number; whole: boolean };
type SliceSeries = { buckets: TimeBucket[]; whole: boolean };

const COLUMNS = { workspace: "workspace", group: "group_id", user: "user" } as const satisfies Record<
  Dimension,
  string
>;

/** Returns the slice's use in a cycle by another dimension, largest first. */
export async function readSliceTop(
  db: CheckedCopy,
  slice: Slice,
  cycleStartsAtMs: AtMs,
  dimension: Dimension,
  limit: number,
): Promise<SliceTop> {
  const statement = `WITH ${newestRuns(slice)}, totals AS (
      SELECT ${COLUMNS[dimension]} AS id, count(*) AS requests, sum(cycle_micros) AS amount_micros,
        count(*) OVER () AS all_rows, sum(count(*)) OVER () AS all_requests, sum(sum(cycle_micros)) OVER () AS all_micros
      FROM newest WHERE cycle_starts_at_ms = ?5 AND unit = ?4 GROUP BY 1 ORDER BY 3 DESC, 1 DESC LIMIT ?6)
    SELECT totals.*, names.name, (SELECT count(*) FROM newest) AS read FROM totals
    LEFT JOIN names ON names.enterprise = ?1 AND names.kind = ?7 AND names.id = totals.id
    ORDER BY amount_micros DESC, totals.id DESC`;
  const { results } = await db
    .prepare(statement)
    .bind(
      slice.enterprise,
      slice.id,
      cycleStartsAtMs - METER_RETENTION_MS,
      slice.unit,
      cycleStartsAtMs,
      limit,
      dimension,
    )
    .all<Record<string, number> & { id: string; name: string | null }>();
  const first = results[0];
  return {
    rows: results.map(({ id, name, requests, amount_micros }) => ({
      id,
      name,
      requests: requests as number,
      amountMicros: amount_micros as number,
    })),
    allRows: first?.all_rows ?? 0,
    totalMicros: first?.all_micros ?? 0,
    totalRequests: first?.all_requests ?? 0,
    whole: (first?.read ?? 0) < SLICE_RUNS,
  };
}

/**
 * Returns the charges of the slice's runs by surface. Each run counts in the bucket of its start. Includes empty ones.
 */
export async function readSliceSeries(db: CheckedCopy, slice: Slice, spans: readonly Span[]): Promise<SliceSeries> {
  const statement = `WITH ${newestRuns(slice)}
    SELECT span.key AS place, surface, sum(charged_micros) AS amount_micros, (SELECT count(*) FROM newest) AS read
    FROM newest JOIN json_each(?5) AS span
      ON started_at_ms >= span.value ->> 0 AND started_at_ms < span.value ->> 1
    WHERE unit = ?4 GROUP BY 1, 2`;
  const edges = JSON.stringify(spans.map(({ startsAtMs, endsAtMs }) => [startsAtMs, endsAtMs]));
  const { results } = await db
    .prepare(statement)
    .bind(slice.enterprise, slice.id, spans[0]?.startsAtMs ?? 0, slice.unit, edges)
    .all<{ place: number; surface: Surface; amount_micros: number; read: number }>();
  const buckets = spans.map((span) => ({ ...span, webMicros: 0, cliMicros: 0 }));
  for (const { place, surface, amount_micros } of results) {
    const bucket = buckets[place];
    if (bucket !== undefined) bucket[surface === "web" ? "webMicros" : "cliMicros"] = amount_micros;
  }
  return { buckets, whole: (results[0]?.read ?? 0) < SLICE_RUNS };
}

/** Returns SQL that selects the slice's newest runs since ?3. It follows the index and stops after SLICE_RUNS rows. */
function newestRuns({ dimension }: Slice): string {
  return `newest AS MATERIALIZED (
      SELECT * FROM runs WHERE enterprise = ?1 AND ${COLUMNS[dimension]} = ?2 AND started_at_ms >= ?3
      ORDER BY started_at_ms DESC, run DESC LIMIT ${SLICE_RUNS})`;
}
