/**
 * Loads the data of the usage page: the balance from the enterprise's object in one call, everything else from the copy.
 * Reads only what the requested parts need. A block that cannot be read is null, and the rest of the page is shown as
 * usual. A block about usage that has totals only says from when on it can be filtered. This file is long because it has
 * one reader for each block of the page.
 */
import type { Context } from "hono";
import type { Denied } from "../../access/refusals.ts";
import type { CheckedCopy } from "../../copy/checked-copy.ts";
import { countTop, readChanges, readNames, type TimeBucket, type TopRow } from "../../copy/read.ts";
import { type Kinds, readKinds, readSeries } from "../../copy/read-cube.ts";
import { type NamedRun, readRunPage } from "../../copy/read-runs.ts";
import { readTopPage, TOP_DIMENSIONS, type TopDimension } from "../../copy/read-top.ts";
import { readTrends } from "../../copy/read-trends.ts";
import { filtersOf, type Selection } from "../../copy/selection.ts";
import type { EndedCycle } from "../../enterprise/answers.ts";
import type { Span } from "../../ledger/calendar.ts";
import { DIMENSIONS } from "../../ledger/dimensions.ts";
import type { Entry } from "../../ledger/entries.ts";
import type { GrantSummary } from "../../ledger/grants.ts";
import { MAX_MICROS, type Micros } from "../../ledger/micros.ts";
import { isRefusal, type Refused, refuse } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import { withModelId } from "../../operations/canonical-model.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { tooEarly } from "../../operations/usage-view.ts";
import type { ParsedBudget } from "../../wire/budget.ts";
import { parseGrant } from "../../wire/grant.ts";
import { readBlock } from "../kit/read-block.ts";
import { callerOf, type PageEnv } from "../kit/session.ts";
import { loadView, type PageView } from "../kit/view.ts";
import { chartSpans, daysOf } from "./chart-spans.ts";
import type { Filter, Part, RunPlace, Shown, TopPlace, UsageQuery } from "./query.ts";
import { readRowBudgets } from "./row-budgets.ts";

export const ROWS = 10;
/** The rows of a table without a filter are counted up to this number, because counting reads them. */
export const COUNTED_ROWS = 1_000;
export const MAX_GRANTS = 100;
/** How many ended cycles the picker offers: those of more than two years. */
const MAX_CYCLES = 30;
/** Of the newest changes, those in the chart's window are marked in it. */
const MAX_CHANGES = 100;

/** What the cube lacks: the time from which filters can answer. */
export type Early = { earlyMs: AtMs };
/** Null if the copy could not be read. */
export type Block<T> = T | Early | null;

type SeriesBlock = {
  buckets: TimeBucket[];
  /** The previous cycle's days, for the running total; null if there is none. */
  previous: TimeBucket[] | null;
  changes: Entry[];
};

export type TopBlock = {
  rows: TopRow[];
  /** Rows on this page and the pages before it. */
  shown: Shown;
  /** The number of rows of the selection; COUNTED_ROWS + 1 means that there are more. */
  allRows: number;
  totalMicros: Micros;
  totalRequests: number;
  next: TopPlace | null;
  /** What each row used in the cycles before and in this one, oldest first, by id. Empty with a filter. */
  trends: ReadonlyMap<string, readonly Micros[]>;
  /** Only for models. */
  kinds: Kinds | null;
};

export type RunsBlock = { rows: NamedRun[]; next: RunPlace | null };

/** What is used of the selection in the cycle, and the names of what is selected. */
type SelectionBlock = { micros: Micros; requests: number; names: Partial<Record<Filter, string>> };

export type UsageData = {
  view: PageView;
  /** The cycle that the page is about. `ended` is null for the current one. */
  cycle: Span & { ended: EndedCycle | null };
  /** The filters that apply. A member who sees only their own has the filter `user` without having chosen it. */
  selection: Selection;
  /** Empty for a reader who may not see them. */
  grants: GrantSummary[] | null;
  selected: Block<SelectionBlock>;
  series: Block<SeriesBlock>;
  top: Record<TopDimension, Block<TopBlock>>;
  /** The budgets of the rows of the tables. Empty in a past cycle, and with a filter: a budget counts everything. */
  budgets: readonly ParsedBudget[];
  runs: Block<RunsBlock>;
};

export function isEarly<T extends object>(block: Block<T>): block is Early {
  return block !== null && "earlyMs" in block;
}

/** A block that was read, or null. */
export function readOf<T extends object>(block: Block<T>): T | null {
  return block === null || isEarly(block) ? null : block;
}

export async function loadUsage(c: Context<PageEnv>, query: UsageQuery): Promise<UsageData | Refused | Denied> {
  const isRequested = (part: Part) => query.parts === null || query.parts.includes(part);
  const view = await loadView(c, {
    cycleStartsAtMs: query.cycle ?? undefined,
    grants: isRequested("now") && query.cycle === null ? MAX_GRANTS + 1 : undefined,
    endedCycles: query.parts === null || query.cycle !== null || query.view === "total" ? MAX_CYCLES : undefined,
  });
  if (isRefusal(view)) return view;
  const cycle = cycleOf(view, query.cycle);
  const narrowed = selectionOf(query.selection, view.onlyUser);
  if (cycle === null || narrowed === null) return refuse({ code: "not_found" });
  const grants = isRequested("now") && cycle.ended === null ? await readGrants(c, view) : [];
  const { copy, selection } = await openSelection(c, view, narrowed);
  const read = blockReaders(copy, { enterprise: c.var.session.enterprise, view, cycle, selection, query });
  const block = <T extends object>(part: Part, load: () => Promise<Block<T>>): Promise<Block<T>> | null =>
    isRequested(part) ? readBlock(part, load) : null;
  const [selected, series, runs, ...tables] = await Promise.all([
    block("selection", read.selected),
    block("chart", read.series),
    block("runs", read.runs),
    ...TOP_DIMENSIONS.map((dimension) => block(dimension, () => read.top(dimension))),
  ] as const);
  const top = Object.fromEntries(
    TOP_DIMENSIONS.map((dimension, i) => [dimension, tables[i] ?? null]),
  ) as UsageData["top"];
  const isCurrent = cycle.ended === null && filtersOf(selection).length === 0;
  const budgets = isCurrent && view.hasBudgets === true ? await readRowBudgets(c, rowsOf(top)) : [];
  return { view, cycle, selection, grants, selected, series, top, budgets, runs };
}

/** The ids of the rows of the tables that may have budgets. */
function rowsOf(top: UsageData["top"]) {
  return DIMENSIONS.flatMap((dimension) => (readOf(top[dimension])?.rows ?? []).map(({ id }) => ({ dimension, id })));
}

/** Opens the copy. The selection may name a model by any of its spellings. */
async function openSelection(c: Context<PageEnv>, view: PageView, asked: Selection) {
  const { session } = c.var;
  const copy = readCopy(c.env, c.executionCtx, session, view.copy);
  const reader = { address: session, caller: callerOf(session), copy };
  return { copy, selection: await withModelId(c.env, c.executionCtx, reader, asked) };
}

/** Opens one whole table for a file: what is asked of the copy, after the same checks as for the page. */
export async function openTable(c: Context<PageEnv>, query: UsageQuery, dimension: TopDimension) {
  const view = await loadView(c, {
    cycleStartsAtMs: query.cycle ?? undefined,
    endedCycles: query.cycle === null ? undefined : 0,
  });
  if (isRefusal(view)) return view;
  const cycle = cycleOf(view, query.cycle);
  const narrowed = selectionOf(query.selection, view.onlyUser);
  if (cycle === null || narrowed === null) return refuse({ code: "not_found" });
  const earlyMs = tooEarly({ view, selection: narrowed }, cycle, dimension === "model");
  if (earlyMs !== null) return { earlyMs };
  const { enterprise } = c.var.session;
  const { copy, selection } = await openSelection(c, view, narrowed);
  return { view, copy, question: { enterprise, unit: view.gauge.unit, selection, cycle, dimension } };
}

/** Null if there is no such cycle. */
function cycleOf(view: PageView, asked: AtMs | null): UsageData["cycle"] | null {
  const { startsAtMs, endsAtMs } = view.gauge.cycle;
  if (asked === null || asked === startsAtMs) return { startsAtMs, endsAtMs, ended: null };
  const ended = view.endedCycles?.find((cycle) => cycle.startsAtMs === asked);
  return ended === undefined ? null : { startsAtMs: asked, endsAtMs: ended.endsAtMs, ended };
}

/** Null if the reader asks for the data of somebody else and may see only their own. */
function selectionOf(asked: Selection, onlyUser: string | null): Selection | null {
  if (onlyUser === null) return asked;
  return asked.user === undefined || asked.user === onlyUser ? { ...asked, user: onlyUser } : null;
}

async function readGrants(c: Context<PageEnv>, view: PageView): Promise<GrantSummary[] | null> {
  if (view.grants !== undefined) return view.grants?.map(parseGrant) ?? [];
  // An object of the last release does not send them with the view.
  const stub = enterpriseStub(c.env, c.var.session);
  const grants = await stub.grants(callerOf(c.var.session), MAX_MICROS, MAX_GRANTS);
  return isRefusal(grants) ? null : grants.map(({ view: grant }) => parseGrant(grant));
}

type Asked = { enterprise: string; query: UsageQuery } & Pick<UsageData, "view" | "cycle" | "selection">;

function blockReaders(db: CheckedCopy, { enterprise, view, cycle, selection, query }: Asked) {
  const question = { enterprise, unit: view.gauge.unit, selection };
  const ofCycle = { ...question, cycle };
  const early = (window: Span, always = false): Early | null => {
    const earlyMs = tooEarly({ view, selection }, window, always);
    return earlyMs === null ? null : { earlyMs };
  };
  return {
    selected: async (): Promise<Block<SelectionBlock>> => {
      const found = early(cycle);
      if (found !== null) return found;
      const page = { limit: 1, sort: "amount", search: null, after: null } as const;
      const [table, names] = await Promise.all([
        readTopPage(db, { ...ofCycle, dimension: "workspace" }, page),
        readSelectedNames(db, enterprise, selection),
      ]);
      return { micros: table.totalMicros, requests: table.totalRequests, names };
    },

    series: async (): Promise<Block<SeriesBlock>> => {
      const { granularity, spans } = chartSpans(view, cycle, query);
      const window = { startsAtMs: spans[0]?.startsAtMs ?? 0, endsAtMs: spans.at(-1)?.endsAtMs ?? 0 };
      const found = early(window);
      if (found !== null) return found;
      const previous = query.view === "total" && cycle.ended === null ? (view.previous ?? null) : null;
      const [buckets, before, changes] = await Promise.all([
        readSeries(db, question, granularity, spans),
        previous === null || early(previous) !== null
          ? null
          : readSeries(db, question, "day", daysOf(previous.startsAtMs, previous.endsAtMs - 1, view.timeZone)),
        view.onlyUser === null ? readChanges(db, enterprise, MAX_CHANGES) : [],
      ]);
      return { buckets, previous: before, changes };
    },

    top: async (dimension: TopDimension): Promise<Block<TopBlock>> => {
      const found = early(cycle, dimension === "model");
      if (found !== null) return found;
      const { sort, search, after } = query.tables[dimension];
      const page = { limit: ROWS, sort, search: search === "" ? null : search, after };
      const [table, kinds] = await Promise.all([
        readTopPage(db, { ...ofCycle, dimension }, page),
        dimension === "model" ? readKinds(db, ofCycle) : null,
      ]);
      const rows = table.rows.slice(0, ROWS);
      const shown = sumShown(rows, after?.shown);
      const last = table.rows.length > ROWS ? rows.at(-1) : undefined;
      const counted = { enterprise, unit: question.unit, cycleStartsAtMs: cycle.startsAtMs };
      const isFiltered = filtersOf(selection).length > 0;
      const [allRows, trends] = await Promise.all([
        table.allRows ?? (dimension === "model" ? shown.rows : countTop(db, { ...counted, dimension }, COUNTED_ROWS)),
        readTrends(db, { ...counted, dimension }, isFiltered ? [] : rows.map(({ id }) => id)),
      ]);
      return {
        rows,
        shown,
        allRows,
        totalMicros: table.totalMicros,
        totalRequests: table.totalRequests,
        next: last === undefined ? null : { value: last.sortedBy, id: last.id, shown },
        trends,
        kinds,
      };
    },

    runs: async (): Promise<Block<RunsBlock>> => {
      const { sort, after } = query.runs;
      // The dearest runs are those of the cycle: of all that is kept, they would be found only by reading all.
      const ofCycle = sort === "amount" || cycle.ended !== null;
      const { runs: rows, next } = await readRunPage(db, {
        enterprise,
        selection,
        startedFromMs: ofCycle ? cycle.startsAtMs : null,
        startedToMs: ofCycle ? cycle.endsAtMs : null,
        sort,
        limit: ROWS,
        after,
      });
      const [workspaces, users] = await Promise.all([
        readNames(
          db,
          enterprise,
          "workspace",
          rows.map(({ workspace }) => workspace),
        ),
        readNames(
          db,
          enterprise,
          "user",
          rows.map(({ user }) => user),
        ),
      ]);
      return {
        rows: rows.map((run) => ({
          ...run,
          workspaceName: workspaces.get(run.workspace) ?? null,
          userName: users.get(run.user) ?? null,
        })),
        next,
      };
    },
  };
}

async function readSelectedNames(
  db: CheckedCopy,
  enterprise: string,
  selection: Selection,
): Promise<SelectionBlock["names"]> {
  const names: SelectionBlock["names"] = {};
  if (filtersOf(selection).length === 0) return names;
  for (const dimension of DIMENSIONS) {
    const id = selection[dimension];
    if (id === undefined) continue;
    const name = (await readNames(db, enterprise, dimension, [id])).get(id);
    if (name !== undefined) names[dimension] = name;
  }
  return names;
}

/** Sums the rows of a page, and what the pages before it sum to. */
export function sumShown(rows: readonly TopRow[], before: Shown = { rows: 0, micros: 0, requests: 0 }): Shown {
  return {
    rows: before.rows + rows.length,
    micros: rows.reduce((sum, row) => sum + row.amountMicros, before.micros),
    requests: before.requests === null ? null : rows.reduce((sum, row) => sum + row.requests, before.requests),
  };
}
