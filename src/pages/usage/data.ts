/**
 * Loads the data of the usage page: the balance from the enterprise's object, everything else from the copy. Reads only
 * what the requested parts need. A block that cannot be read is null, and the rest of the page is shown as usual.
 */
import type { Context } from "hono";
import type { Denied } from "../../access/refusals.ts";
import type { CheckedCopy } from "../../copy/checked-copy.ts";
import {
  countTop,
  type NamedRun,
  readCycleTotal,
  readNamedRuns,
  readTop,
  readTopRow,
  type TimeBucket,
  type TopRow,
} from "../../copy/read.ts";
import { readSeries } from "../../copy/read-cube.ts";
import { readTopPage } from "../../copy/read-top.ts";
import type { Selection } from "../../copy/selection.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/attribution.ts";
import { dayStart, type Granularity, type Span, spansOf } from "../../ledger/calendar.ts";
import type { GrantSummary } from "../../ledger/grants.ts";
import { MAX_MICROS, type Micros } from "../../ledger/micros.ts";
import { isRefusal, type Refused } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { tooEarly } from "../../operations/usage-view.ts";
import { parseGrant } from "../../wire/grant.ts";
import { formatIso } from "../../wire/time.ts";
import { readBlock } from "../kit/read-block.ts";
import { callerOf, type PageEnv } from "../kit/session.ts";
import { loadView, type PageView } from "../kit/view.ts";
import type { Part, RunPlace, TopPlace, UsageQuery } from "./query.ts";

export const ROWS = 10;
/** A table of a selection shows at most this many rows. */
const SELECTION_ROWS = 20;
/** Rows of a table are counted up to this number, because counting reads them. */
export const COUNTED_ROWS = 100;
export const MAX_GRANTS = 100;
const HOUR_MS = 3_600_000;

/** Null if the copy could not be read. */
type Block<T> = T | null;

type SeriesBlock = { buckets: TimeBucket[] };

export type TopBlock = {
  rows: TopRow[];
  /** Rows on this page and the pages before it. */
  shownRows: number;
  shownMicros: Micros;
  /** The number of rows; COUNTED_ROWS + 1 means that there are more. */
  allRows: number;
  totalMicros: Micros;
  totalRequests: number;
  next: TopPlace | null;
};

export type RunsBlock = { rows: NamedRun[]; next: RunPlace | null };

export type UsageData = {
  view: PageView;
  grants: Block<GrantSummary[]>;
  /** The selected workspace, group or user in this cycle. */
  selected: Block<TopRow>;
  series: Block<SeriesBlock>;
  top: Record<Dimension, Block<TopBlock>>;
  runs: Block<RunsBlock>;
};

export async function loadUsage(c: Context<PageEnv>, query: UsageQuery): Promise<UsageData | Refused | Denied> {
  const caller = callerOf(c.var.session);
  const isRequested = (part: Part) => query.parts === null || query.parts.includes(part);
  const [view, grants] = await Promise.all([
    loadView(c),
    isRequested("now") ? enterpriseStub(c.env, c.var.session).grants(caller, MAX_MICROS, MAX_GRANTS) : null,
  ]);
  if (isRefusal(view)) return view;
  const hidesGrants = grants !== null && isRefusal(grants) && view.onlyUser !== null;
  const copy = readCopy(c.env, c.executionCtx, c.var.session, view.copy);
  const read = blockReaders(copy, c.var.session.enterprise, view, query);
  const [selected, series, workspace, group, user, runs] = await Promise.all([
    isRequested("chart") ? readBlock("selected", read.selected) : null,
    isRequested("chart") ? readBlock("series", read.series) : null,
    ...DIMENSIONS.map((dimension) => (isRequested(dimension) ? readBlock(dimension, () => read.top(dimension)) : null)),
    isRequested("runs") ? readBlock("runs", read.runs) : null,
  ] as const);
  const top = { workspace, group, user } as UsageData["top"];
  return {
    view,
    grants:
      grants === null || isRefusal(grants) ? (hidesGrants ? [] : null) : grants.map(({ view }) => parseGrant(view)),
    selected: selected as Block<TopRow>,
    series: series as Block<SeriesBlock>,
    top,
    runs: runs as Block<RunsBlock>,
  };
}

/** The buckets of the chart: those of the window; for the cycle, its days so far. */
export function chartSpans(view: PageView, query: UsageQuery): { granularity: Granularity; spans: Span[] } {
  if (query.range !== "cycle") return spansOf(query.range, view.nowMs, view.timeZone);
  return { granularity: "day", spans: daysOf(view.cycleStartsAtMs, view.nowMs, view.timeZone) };
}

/** The local days from `fromMs` to the day that contains `toMs`. */
export function daysOf(fromMs: AtMs, toMs: AtMs, timeZone: string): Span[] {
  const spans: Span[] = [];
  for (let startsAtMs = fromMs; startsAtMs <= toMs; ) {
    // 25 hours later is in the next local day, whether this day has 23, 24 or 25 hours.
    const endsAtMs = dayStart(startsAtMs + 25 * HOUR_MS, timeZone);
    spans.push({ startsAtMs, endsAtMs });
    startsAtMs = endsAtMs;
  }
  return spans;
}

function blockReaders(db: CheckedCopy, enterprise: string, view: PageView, query: UsageQuery) {
  const { unit } = view.gauge;
  const { cycleStartsAtMs } = view;
  const cycle = { enterprise, unit, cycleStartsAtMs };
  // The three tables share one total. It is read once, and only if one of them is read.
  let total: ReturnType<typeof readCycleTotal> | null = null;
  const readTotal = () => (total ??= readCycleTotal(db, cycle));
  const { filter } = query;
  const selection: Selection = filter === null ? {} : { [filter.dimension]: filter.id };
  const requireFiltered = (window: Span) => {
    const fromMs = tooEarly({ view, selection }, window);
    if (fromMs !== null) throw new Error(`filters can answer only from ${formatIso(fromMs)} on`);
  };
  return {
    selected: async () =>
      query.filter === null ? null : readTopRow(db, { ...cycle, ...query.filter }, query.filter.id),

    series: async (): Promise<SeriesBlock> => {
      const { granularity, spans } = chartSpans(view, query);
      requireFiltered({ startsAtMs: spans[0]?.startsAtMs ?? 0, endsAtMs: view.nowMs });
      return { buckets: await readSeries(db, { enterprise, unit, selection }, granularity, spans) };
    },

    top: async (dimension: Dimension): Promise<TopBlock> => {
      // The table that the selection was made in is not filtered, so that another row can be selected.
      if (filter === null || filter.dimension === dimension) {
        return readCycleTop(db, { question: { ...cycle, dimension }, after: query.top[dimension], total: readTotal() });
      }
      const span = { startsAtMs: cycleStartsAtMs, endsAtMs: view.gauge.cycle.endsAtMs };
      requireFiltered(span);
      const {
        rows: found,
        allRows,
        ...totals
      } = await readTopPage(
        db,
        { enterprise, unit, selection, cycle: span, dimension },
        { limit: SELECTION_ROWS, sort: "amount", search: null, after: null },
      );
      const rows = found.slice(0, SELECTION_ROWS);
      const shownMicros = rows.reduce((sum, row) => sum + row.amountMicros, 0);
      return { rows, ...totals, allRows: allRows ?? rows.length, shownRows: rows.length, shownMicros, next: null };
    },

    runs: async (): Promise<RunsBlock> => {
      const rows = await readNamedRuns(db, enterprise, selection, ROWS, query.runsAfter);
      const last = rows.length > ROWS ? rows[ROWS - 1] : undefined;
      return {
        rows: rows.slice(0, ROWS),
        next: last === undefined ? null : { startedAtMs: last.startedAtMs, run: last.run },
      };
    },
  };
}

type CyclePage = {
  question: Parameters<typeof readTop>[1];
  after: TopPlace | null;
  total: ReturnType<typeof readCycleTotal>;
};

async function readCycleTop(db: CheckedCopy, { question, after, total }: CyclePage): Promise<TopBlock> {
  const [found, allRows, { amountMicros: totalMicros, requests: totalRequests }] = await Promise.all([
    readTop(db, question, ROWS, after),
    countTop(db, question, COUNTED_ROWS),
    total,
  ]);
  const rows = found.slice(0, ROWS);
  const shownRows = (after?.shownRows ?? 0) + rows.length;
  const shownMicros = rows.reduce((sum, row) => sum + row.amountMicros, after?.shownMicros ?? 0);
  const last = found.length > ROWS ? rows.at(-1) : undefined;
  const next = last === undefined ? null : { amountMicros: last.amountMicros, id: last.id, shownRows, shownMicros };
  return { rows, shownRows, shownMicros, allRows, totalMicros, totalRequests, next };
}
