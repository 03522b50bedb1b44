/**
 * Questions to the copy, one function each, every one a single query that reads the rows it answers with (and, where
 * it pages, one more). The enterprise comes first in every key: no query can see two.
 */
import { and, asc, desc, eq, gte, inArray, lt, or, type SQL } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import type { Surface } from "../ledger/books.ts";
import type { Span } from "../ledger/calendar.ts";
import { isoOf, isoOrNull } from "../ledger/entries.ts";
import type { AtMs, Micros, Unit } from "../ledger/micros.ts";
import type { RunView } from "../ledger/receipt.ts";
import { names, runs, usageByDimension, usageDaily, usageHourly } from "./schema.ts";

export type TimeBucket = Span & { webMicros: number; cliMicros: number };
export type Dimension = "workspace" | "group" | "user";
export type TopRow = { id: string; name: string | null; requests: number; amountMicros: Micros };
export type RunFilter = {
  workspace?: string | undefined;
  group?: string | undefined;
  user?: string | undefined;
  surface?: Surface | undefined;
};
export type RunPlace = { startedAtMs: AtMs; run: string };

const HALF_DAY_MS = 43_200_000;
const FENCE_DAYS_MS = 35 * 86_400_000;

/** Charges in these spans by surface, zeros included. Spans of hours read hourly rows, longer ones daily rows. */
export async function readTimeseries(
  db: D1Database,
  enterprise: string,
  unit: Unit,
  granularity: "hour" | "day" | "week",
  spans: readonly Span[],
): Promise<TimeBucket[]> {
  const table = granularity === "hour" ? usageHourly : usageDaily;
  // A day belongs to the span that holds its noon: so a change of time zone moves no day into its neighbour.
  const middleMs = granularity === "hour" ? 0 : HALF_DAY_MS;
  const buckets = spans.map((span) => ({ ...span, webMicros: 0, cliMicros: 0 }));
  const fromMs = (spans[0]?.startsAtMs ?? 0) - middleMs;
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
  for (const row of rows) {
    const atMs = row.startsAtMs + middleMs;
    const bucket = buckets.find((candidate) => candidate.startsAtMs <= atMs && atMs < candidate.endsAtMs);
    if (bucket !== undefined) bucket[row.surface === "web" ? "webMicros" : "cliMicros"] += row.amountMicros;
  }
  return buckets;
}

/** The cycle's largest users of a dimension, those after `after`; one row more than `limit` tells that there are more. */
export async function readTop(
  db: D1Database,
  question: { enterprise: string; unit: Unit; cycleStartsAtMs: AtMs; dimension: Dimension },
  limit: number,
  after: { amountMicros: Micros; id: string } | null,
): Promise<TopRow[]> {
  const t = usageByDimension;
  const beyond =
    after === null
      ? undefined
      : or(lt(t.amountMicros, after.amountMicros), and(eq(t.amountMicros, after.amountMicros), lt(t.id, after.id)));
  return drizzle(db)
    .select({ id: t.id, name: names.name, requests: t.requests, amountMicros: t.amountMicros })
    .from(t)
    .leftJoin(names, and(eq(names.enterprise, t.enterprise), eq(names.kind, question.dimension), eq(names.id, t.id)))
    .where(and(ofCycle(question), eq(t.dimension, question.dimension), beyond))
    .orderBy(desc(t.amountMicros), desc(t.id))
    .limit(limit + 1);
}

/** The cycle's total in the copy: what the rows of any dimension sum to. */
export async function readCycleTotal(
  db: D1Database,
  question: { enterprise: string; unit: Unit; cycleStartsAtMs: AtMs },
): Promise<{ requests: number; amountMicros: Micros }> {
  const t = usageByDimension;
  const rows = await drizzle(db)
    .select({ requests: t.requests, amountMicros: t.amountMicros })
    .from(t)
    .where(and(ofCycle(question), eq(t.dimension, "all"), eq(t.id, "")));
  return rows[0] ?? { requests: 0, amountMicros: 0 };
}

/** Runs newest first, those after `after`; one row more than `limit` tells that there are more. */
export async function readRuns(
  db: D1Database,
  enterprise: string,
  filter: RunFilter,
  limit: number,
  after: RunPlace | null,
): Promise<RunView[]> {
  const rows = await drizzle(db)
    .select()
    .from(runs)
    .where(and(eq(runs.enterprise, enterprise), ...matching(filter), beyondRun(after)))
    .orderBy(desc(runs.startedAtMs), desc(runs.run))
    .limit(limit + 1);
  return rows.map(viewOf);
}

/** A page of the runs that were charged in the cycle, newest first, with what the cycle bears of each. */
export async function readCycleRuns(
  db: D1Database,
  enterprise: string,
  cycleStartsAtMs: AtMs,
  filter: RunFilter,
  limit: number,
  after: RunPlace | null,
): Promise<(RunView & { cycle_micros: Micros })[]> {
  const rows = await drizzle(db)
    .select()
    .from(runs)
    .where(
      and(
        eq(runs.enterprise, enterprise),
        // No run that is charged in the cycle started further back than the fence allows.
        gte(runs.startedAtMs, cycleStartsAtMs - FENCE_DAYS_MS),
        eq(runs.cycleStartsAtMs, cycleStartsAtMs),
        ...matching(filter),
        beyondRun(after),
      ),
    )
    .orderBy(desc(runs.startedAtMs), desc(runs.run))
    .limit(limit);
  return rows.map((row) => ({ ...viewOf(row), cycle_micros: row.cycleMicros }));
}

/** What these ids are called, by id. */
export async function readNames(
  db: D1Database,
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

function ofCycle({ enterprise, unit, cycleStartsAtMs }: { enterprise: string; unit: Unit; cycleStartsAtMs: AtMs }) {
  const t = usageByDimension;
  return and(eq(t.enterprise, enterprise), eq(t.unit, unit), eq(t.cycleStartsAtMs, cycleStartsAtMs));
}

function matching({ workspace, group, user, surface }: RunFilter): SQL[] {
  return [
    ...(workspace === undefined ? [] : [eq(runs.workspace, workspace)]),
    ...(group === undefined ? [] : [eq(runs.group, group)]),
    ...(user === undefined ? [] : [eq(runs.user, user)]),
    ...(surface === undefined ? [] : [eq(runs.surface, surface)]),
  ];
}

function beyondRun(after: RunPlace | null): SQL | undefined {
  if (after === null) return undefined;
  return or(
    lt(runs.startedAtMs, after.startedAtMs),
    and(eq(runs.startedAtMs, after.startedAtMs), lt(runs.run, after.run)),
  );
}

function viewOf(row: typeof runs.$inferSelect): RunView {
  return {
    run: row.run,
    surface: row.surface,
    workspace: row.workspace,
    group: row.group,
    user: row.user,
    started_at: isoOf(row.startedAtMs),
    last_report_at: isoOrNull(row.lastReportAtMs),
    models: JSON.parse(row.models) as string[],
    charged_micros: row.chargedMicros,
    unit: row.unit,
    final: row.final,
  };
}
