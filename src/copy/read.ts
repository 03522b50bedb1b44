/**
 * The queries about one enterprise's copy in D1, one function each. A query reads only the rows it returns, plus one
 * row if it returns pages. Every query names its enterprise.
 */
import { and, asc, count, desc, eq, gte, inArray, lt, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Surface } from "../ledger/books.ts";
import type { Granularity, Span } from "../ledger/calendar.ts";
import type { Dimension } from "../ledger/dimensions.ts";
import type { Entry } from "../ledger/entries.ts";
import type { Micros, Unit } from "../ledger/micros.ts";
import type { AtMs } from "../ledger/time.ts";
import { type FactsJson, parseFacts } from "../wire/entry.ts";
import type { CheckedCopy } from "./checked-copy.ts";
import { magnitudeOf } from "./magnitude.ts";
import { entries, names, usageByDimension, usageDaily, usageHourly } from "./schema.ts";

export type TimeBucket = Span & { webMicros: number; cliMicros: number };
export type TopRow = { id: string; name: string | null; requests: number; amountMicros: Micros };
export type CapChange = { seq: number; atMs: AtMs; by: string; fromMicros: Micros | null; toMicros: Micros | null };

type OfCycle = { enterprise: string; unit: Unit; cycleStartsAtMs: AtMs };

const HALF_DAY_MS = 43_200_000;

/**
 * Returns the charges by surface in each of these spans. Hours are read from hourly rows, longer spans from daily rows.
 */
export async function readTimeseries(
  db: CheckedCopy,
  enterprise: string,
  unit: Unit,
  granularity: Granularity,
  spans: readonly Span[],
): Promise<TimeBucket[]> {
  const table = granularity === "hour" ? usageHourly : usageDaily;
  const hourly = granularity === "hour";
  const fromMs = (spans[0]?.startsAtMs ?? 0) - (hourly ? 0 : HALF_DAY_MS);
  const toMs = spans.at(-1)?.endsAtMs ?? 0;
  const rows = await drizzle(db)
    .select({ startsAtMs: table.startsAtMs, surface: table.surface, amountMicros: table.amountMicros })
    .from(table)
    .where(
      and(
        eq(table.enterprise, enterprise),
        eq(table.unit, unit),
        gte(table.startsAtMs, fromMs),
        lt(table.startsAtMs, toMs),
      ),
    );
  return inBuckets(rows, hourly, spans);
}

/** Sums the amounts of hours or days by surface in each of these spans. */
export function inBuckets(
  rows: readonly { startsAtMs: AtMs; surface: Surface; amountMicros: number }[],
  hourly: boolean,
  spans: readonly Span[],
): TimeBucket[] {
  const buckets = spans.map((span) => ({ ...span, webMicros: 0, cliMicros: 0 }));
  // A day counts in the span that contains its noon, so a change of time zone does not move the day to another span.
  const middleMs = hourly ? 0 : HALF_DAY_MS;
  for (const row of rows) {
    const atMs = row.startsAtMs + middleMs;
    const bucket = buckets.find((candidate) => candidate.startsAtMs <= atMs && atMs < candidate.endsAtMs);
    if (bucket !== undefined) bucket[row.surface === "web" ? "webMicros" : "cliMicros"] += row.amountMicros;
  }
  return buckets;
}

/**
 * Returns the largest rows of a dimension after `after`. Returns `limit` + 1 rows if there are more than `limit`. It reads
 * the rows from the largest magnitude on, until a magnitude ends behind the last row of the page.
 */
export async function readTop(
  db: CheckedCopy,
  { enterprise, unit, cycleStartsAtMs, dimension }: OfCycle & { dimension: Dimension },
  limit: number,
  after: { amountMicros: Micros; id: string } | null,
): Promise<TopRow[]> {
  const params: (string | number)[] = [enterprise, unit, cycleStartsAtMs, dimension];
  if (after !== null) params.push(after.amountMicros, after.id, magnitudeOf(after.amountMicros));
  // Comparing row values lets SQLite seek in the index. Two conditions joined by OR would read all earlier rows.
  const [rankedBeyond, beyond] =
    after === null
      ? ["", ""]
      : ["AND (magnitude, amount_micros, id) < (?7, ?5, ?6)", "AND (amount_micros, id) < (?5, ?6)"];
  const ofCycle = "enterprise = ?1 AND unit = ?2 AND cycle_starts_at_ms = ?3 AND dimension = ?4";
  const list = (index: string, condition: string, order: string) =>
    `SELECT * FROM (SELECT id, requests, amount_micros FROM usage_by_dimension INDEXED BY ${index}
      WHERE ${ofCycle} AND ${condition} ORDER BY ${order} LIMIT ${limit + 1})`;
  const ranked = list(
    "usage_by_dimension_magnitude",
    `magnitude_revision = revision ${rankedBeyond}`,
    "magnitude DESC, amount_micros DESC, id DESC",
  );
  // The rows that an earlier release wrote last are not found by their magnitude: right after an upgrade all rows, and
  // later those of past cycles, until the copy is rebuilt. They are read and sorted whole.
  const unranked = list(
    "usage_by_dimension_unranked",
    `magnitude_revision <> revision ${beyond}`,
    "amount_micros DESC, id DESC",
  );
  const { results } = await db
    .prepare(
      `SELECT t.*, n.name FROM (${ranked} UNION ALL ${unranked} ORDER BY amount_micros DESC, id DESC LIMIT ${limit + 1}) AS t
        LEFT JOIN names AS n ON n.enterprise = ?1 AND n.kind = ?4 AND n.id = t.id
        ORDER BY t.amount_micros DESC, t.id DESC`,
    )
    .bind(...params)
    .all<{ id: string; requests: number; amount_micros: number; name: string | null }>();
  return results.map(({ id, name, requests, amount_micros }) => ({ id, name, requests, amountMicros: amount_micros }));
}

/** Returns one row of a dimension with its name. Its numbers are zero if nothing was charged in the cycle. */
export async function readTopRow(
  db: CheckedCopy,
  question: OfCycle & { dimension: Dimension },
  id: string,
): Promise<TopRow> {
  const t = usageByDimension;
  const [rows, namesById] = await Promise.all([
    drizzle(db)
      .select({ requests: t.requests, amountMicros: t.amountMicros })
      .from(t)
      .where(and(ofCycle(question), eq(t.dimension, question.dimension), eq(t.id, id))),
    readNames(db, question.enterprise, question.dimension, [id]),
  ]);
  return { id, name: namesById.get(id) ?? null, ...(rows[0] ?? { requests: 0, amountMicros: 0 }) };
}

/** Counts the rows of a dimension in the cycle, but stops counting at `max` + 1. */
export async function countTop(
  db: CheckedCopy,
  question: OfCycle & { dimension: Dimension },
  max: number,
): Promise<number> {
  const t = usageByDimension;
  const counted = drizzle(db)
    .select({ id: t.id })
    .from(t)
    .where(and(ofCycle(question), eq(t.dimension, question.dimension)))
    .limit(max + 1)
    .as("counted");
  const rows = await drizzle(db).select({ rows: count() }).from(counted);
  return rows[0]?.rows ?? 0;
}

/** Returns the cycle's total in the copy. The rows of each dimension sum to this total. */
export async function readCycleTotal(
  db: CheckedCopy,
  question: OfCycle,
): Promise<{ requests: number; amountMicros: Micros }> {
  const t = usageByDimension;
  const rows = await drizzle(db)
    .select({ requests: t.requests, amountMicros: t.amountMicros })
    .from(t)
    .where(and(ofCycle(question), eq(t.dimension, "all"), eq(t.id, "")));
  return rows[0] ?? { requests: 0, amountMicros: 0 };
}

/** Returns the newest changes of the spend cap. */
export async function readCapChanges(db: CheckedCopy, enterprise: string, limit: number): Promise<CapChange[]> {
  const rows = await drizzle(db)
    .select({ seq: entries.seq, atMs: entries.atMs, by: entries.by, facts: entries.facts })
    .from(entries)
    // The type is part of the SQL text, not a parameter: otherwise SQLite cannot use the partial index.
    .where(and(eq(entries.enterprise, enterprise), sql`${entries.type} = 'cap_changed'`))
    .orderBy(desc(entries.seq))
    .limit(limit);
  return rows.map(({ facts, ...entry }) => {
    const { from_micros, to_micros } = JSON.parse(facts) as Extract<FactsJson, { type: "cap_changed" }>;
    return { ...entry, fromMicros: from_micros, toMicros: to_micros };
  });
}

/** Returns the newest entries, except the entries of closed runs. */
export async function readChanges(db: CheckedCopy, enterprise: string, limit: number): Promise<Entry[]> {
  const rows = await drizzle(db)
    .select({ seq: entries.seq, atMs: entries.atMs, by: entries.by, facts: entries.facts })
    .from(entries)
    // As in readCapChanges, the type is part of the SQL text because of the partial index.
    .where(and(eq(entries.enterprise, enterprise), sql`${entries.type} <> 'run_closed'`))
    .orderBy(desc(entries.seq))
    .limit(limit);
  return rows.map(({ facts, ...entry }) => ({ ...entry, facts: parseFacts(JSON.parse(facts) as FactsJson) }));
}

/** Returns the names of these ids, by id. */
export async function readNames(
  db: CheckedCopy,
  enterprise: string,
  kind: Dimension,
  ids: readonly string[],
): Promise<Map<string, string>> {
  if (ids.length === 0) return new Map();
  const rows = await drizzle(db)
    .select({ id: names.id, name: names.name })
    .from(names)
    .where(
      and(eq(names.enterprise, enterprise), eq(names.kind, kind), inArray(names.id, [...new Set(ids)].slice(0, 90))),
    )
    .orderBy(asc(names.id));
  return new Map(rows.map((row) => [row.id, row.name]));
}

export type DirectoryName = { id: string; name: string; group: string | null };

/** Lists the names of one kind from `from` on, by id. Returns `limit` + 1 names if there are more than `limit`. */
export async function readNamePage(
  db: CheckedCopy,
  enterprise: string,
  kind: Dimension,
  from: string,
  limit: number,
): Promise<DirectoryName[]> {
  return drizzle(db)
    .select({ id: names.id, name: names.name, group: names.group })
    .from(names)
    .where(and(eq(names.enterprise, enterprise), eq(names.kind, kind), gte(names.id, from)))
    .orderBy(asc(names.id))
    .limit(limit + 1);
}

function ofCycle({ enterprise, unit, cycleStartsAtMs }: OfCycle) {
  const t = usageByDimension;
  return and(eq(t.enterprise, enterprise), eq(t.unit, unit), eq(t.cycleStartsAtMs, cycleStartsAtMs));
}
