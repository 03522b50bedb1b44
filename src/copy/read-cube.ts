/**
 * The queries about the usage cube in D1: usage over time, by workspace, group, user and model, and by kind, for any
 * combination of filters. A query reads the rows of its window that match its most selective filter. What needs no cube
 * is read from the totals.
 */
import type { Surface } from "../ledger/books.ts";
import type { Granularity, Span } from "../ledger/calendar.ts";
import type { Kind } from "../ledger/kinds.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { AtMs } from "../ledger/time.ts";
import type { CheckedCopy } from "./checked-copy.ts";
import { inBuckets, readTimeseries, type TimeBucket } from "./read.ts";
import { filtersOf, type Selection } from "./selection.ts";

type CubeQuestion = { enterprise: string; unit: Unit; selection: Selection };
export type OfCycleSpan = CubeQuestion & { cycle: Span };

type KindRow = { model: string; tier: string; kind: Kind; quantity: number; amountMicros: number };
export type Kinds = { rows: KindRow[]; totalMicros: Micros; savingsMicros: number };

const COLUMNS = {
  workspace: "workspace",
  group: "group_id",
  user: "user",
  model: "model",
  surface: "surface",
} as const;
const HOUR_MS = 3_600_000;
/** The first day of a cycle may start before the cycle, because the time zone may change at a turn. */
const MAX_DAY_MS = 26 * HOUR_MS;

/** Returns the charges by surface in each of these spans. */
export async function readSeries(
  db: CheckedCopy,
  { enterprise, unit, selection }: CubeQuestion,
  granularity: Granularity,
  spans: readonly Span[],
): Promise<TimeBucket[]> {
  const filters = filtersOf(selection);
  const { surface } = selection;
  if (filters.every(([filter]) => filter === "surface")) {
    const buckets = await readTimeseries(db, enterprise, unit, granularity, spans);
    if (surface === undefined) return buckets;
    return buckets.map((bucket) => ({ ...bucket, [surface === "web" ? "cliMicros" : "webMicros"]: 0 }));
  }
  const hourly = granularity === "hour";
  const window = { fromMs: (spans[0]?.startsAtMs ?? 0) - MAX_DAY_MS, toMs: spans.at(-1)?.endsAtMs ?? 0 };
  const { from, where, params } = cellsOf({ enterprise, unit, selection }, window);
  const [startsAt, amount, joined] = hourly
    ? [`day_starts_at_ms + CAST(h.key AS INTEGER) * 60000`, "h.value", ", json_each(hours) AS h"]
    : ["day_starts_at_ms", "amount_micros", ""];
  const statement = `SELECT ${startsAt} AS starts_at_ms, surface, sum(${amount}) AS amount_micros
    FROM ${from}${joined} WHERE ${where} GROUP BY 1, 2`;
  const { results } = await db
    .prepare(statement)
    .bind(...params)
    .all<{ starts_at_ms: number; surface: Surface; amount_micros: number }>();
  const rows = results.map((row) => ({
    startsAtMs: row.starts_at_ms,
    surface: row.surface,
    amountMicros: row.amount_micros,
  }));
  return inBuckets(rows, hourly, spans);
}

/** Returns the usage of a cycle by model, tier and kind, and what its cache reads saved. The rows add up to the total. */
export async function readKinds(db: CheckedCopy, question: OfCycleSpan): Promise<Kinds> {
  const { from, where, params } = sourceOfKinds(question);
  const [byKind, savings] = await Promise.all([
    db
      .prepare(
        `SELECT model, tier, k.key AS kind, sum(k.value ->> 0) AS quantity, sum(k.value ->> 1) AS amount_micros
          FROM ${from}, json_each(kinds) AS k WHERE ${where} GROUP BY 1, 2, 3`,
      )
      .bind(...params)
      .all<{ model: string; tier: string; kind: Kind; quantity: number; amount_micros: number }>(),
    db
      .prepare(`SELECT coalesce(sum(savings_micros), 0) AS savings_micros FROM ${from} WHERE ${where}`)
      .bind(...params)
      .all<{ savings_micros: number }>(),
  ]);
  const rows = byKind.results
    .map(({ amount_micros, ...row }) => ({ ...row, amountMicros: amount_micros }))
    .filter(({ quantity, amountMicros }) => quantity !== 0 || amountMicros !== 0);
  return {
    rows,
    totalMicros: rows.reduce((sum, row) => sum + row.amountMicros, 0),
    savingsMicros: savings.results[0]?.savings_micros ?? 0,
  };
}

/** Whether usage is stored under this id of a model. */
export async function isModelUsed(db: CheckedCopy, enterprise: string, model: string): Promise<boolean> {
  const statement =
    "SELECT 1 FROM usage_cube INDEXED BY usage_cube_of_model WHERE enterprise = ?1 AND model = ?2 LIMIT 1";
  const { results } = await db.prepare(statement).bind(enterprise, model).all();
  return results.length > 0;
}

/** A part of a statement that selects rows: what follows FROM and WHERE, and the parameters of both. */
type Source = { from: string; where: string; params: (string | number)[] };

/** Selects the cells of a cycle. */
export function cellsOfCycle({ cycle, ...question }: OfCycleSpan): Source {
  const window = { fromMs: cycle.startsAtMs - MAX_DAY_MS, toMs: cycle.endsAtMs };
  return cellsOf(question, window, cycle.startsAtMs);
}

/** Without a filter, the sums by model are few rows, however much was used. */
function sourceOfKinds(question: OfCycleSpan): Source {
  if (filtersOf(question.selection).length > 0) return cellsOfCycle(question);
  return {
    from: "usage_by_model",
    where: "enterprise = ?1 AND unit = ?2 AND cycle_starts_at_ms = ?3",
    params: [question.enterprise, question.unit, question.cycle.startsAtMs],
  };
}

/** Selects the cells of the days that start in the window. Follows the index of the most selective filter. */
function cellsOf(
  { enterprise, unit, selection }: CubeQuestion,
  { fromMs, toMs }: { fromMs: AtMs; toMs: AtMs },
  cycleStartsAtMs: AtMs | null = null,
): Source {
  const params: (string | number)[] = [enterprise, unit, fromMs, toMs];
  let where = "enterprise = ?1 AND unit = ?2 AND day_starts_at_ms >= ?3 AND day_starts_at_ms < ?4";
  const add = (column: string, value: string | number) => {
    params.push(value);
    where += ` AND ${column} = ?${params.length}`;
  };
  if (cycleStartsAtMs !== null) add("cycle_starts_at_ms", cycleStartsAtMs);
  const filters = filtersOf(selection);
  for (const [filter, value] of filters) add(COLUMNS[filter], value);
  const first = filters[0]?.[0];
  return { from: first === undefined ? "usage_cube" : `usage_cube INDEXED BY usage_cube_of_${first}`, where, params };
}
