/**
 * The state of the usage page in its URL: the cycle, the window of the chart, the filters, and how each table is sorted,
 * searched and paged. Every control is a link to the same page with one part of the state changed. Invalid parameters
 * are ignored rather than refused, because people edit URLs.
 */
import { TOP_DIMENSIONS, TOP_SORTS, type TopDimension, type TopSort } from "../../copy/read-top.ts";
import type { Selection } from "../../copy/selection.ts";
import { SURFACES } from "../../ledger/books.ts";
import { daysBetween, isDate, MAX_WINDOW_DAYS, RANGES } from "../../ledger/calendar.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { isId } from "../../wire/fields.ts";
import { formatIso } from "../../wire/time.ts";

export const USAGE_PATH = "/settings/usage";

/** Parts of the page that can be requested alone. `now` is everything that comes from the gauge. */
const PARTS = ["now", "selection", "chart", "workspace", "group", "user", "model", "runs"] as const;
export type Part = (typeof PARTS)[number];
/** What a change of the filters changes. */
export const FILTERED_PARTS = PARTS.filter((part) => part !== "now").join(",");

/** `cycle` is the billing cycle, day by day; `dates` is a window of local dates. */
export const WINDOWS = [...RANGES, "cycle"] as const;
export type Window = (typeof WINDOWS)[number] | "dates";

/** The local dates of a window, both included. */
type Dates = { from: string; to: string };

const FILTERS = ["user", "group", "workspace", "model", "surface"] as const;
export type Filter = (typeof FILTERS)[number];

/**
 * Where a table's next page starts: the sorted value and the id of the last row, with the sums of the pages before, so
 * that its footer need not read them again.
 */
export type TopPlace = { value: number | string; id: string; shown: Shown };

/** What the rows of a table up to a place sum to. A link of the last release does not say how many requests: null. */
export type Shown = { rows: number; micros: Micros; requests: number | null };
export type TableState = { sort: TopSort; search: string; after: TopPlace | null };
export type RunPlace = { value: number; run: string };
type RunSort = "newest" | "amount";

export type UsageQuery = {
  /** The start of a past cycle; null: the current one. */
  cycle: AtMs | null;
  /** The window of the chart. */
  range: Window;
  /** The window, if it is `dates`. */
  dates: Dates | null;
  /** The chart: by bucket, or the running total of the cycle. */
  view: "buckets" | "total";
  selection: Selection;
  tables: Record<TopDimension, TableState>;
  runs: { sort: RunSort; after: RunPlace | null };
  /** Null: the whole page. */
  parts: readonly Part[] | null;
};

const DEFAULT_RANGE: Window = "7d";
const MAX_SEARCH_LENGTH = 100;
const MAX_AT_MS = 8.64e15;

export function parseUsageQuery(params: URLSearchParams): UsageQuery {
  const parts = params.get("part")?.split(",");
  const view = params.get("view") === "total" ? "total" : "buckets";
  const cycle = parseCycle(params.get("cycle"));
  const dates = view === "total" || cycle !== null ? null : parseDates(params);
  const range = WINDOWS.find((window) => window === params.get("range")) ?? DEFAULT_RANGE;
  return {
    cycle,
    // The running total is always that of a billing cycle, and so is everything about a past cycle.
    range: view === "total" || cycle !== null ? "cycle" : dates !== null ? "dates" : range,
    dates,
    view,
    selection: parseSelection(params),
    tables: Object.fromEntries(
      TOP_DIMENSIONS.map((dimension) => [dimension, parseTable(params, dimension)]),
    ) as UsageQuery["tables"],
    runs: {
      sort: params.get("runs_sort") === "amount" ? "amount" : "newest",
      after: parseRunPlace(params.get("runs_after")),
    },
    parts: parts === undefined ? null : PARTS.filter((part) => parts.includes(part)),
  };
}

/** The URL of the page in this state. Defaults are omitted. */
export function usageHref(query: UsageQuery, change: Partial<UsageQuery> = {}): string {
  const params = usageParams({ ...query, ...change });
  const text = params.toString();
  return text === "" ? USAGE_PATH : `${USAGE_PATH}?${text}`;
}

export function usageParams(query: UsageQuery): URLSearchParams {
  const { cycle, range, dates, view, selection, tables, runs, parts } = query;
  const params = new URLSearchParams();
  if (cycle !== null) params.set("cycle", formatIso(cycle));
  if (view === "total") params.set("view", view);
  else if (range === "dates" && dates !== null) {
    params.set("from", dates.from);
    params.set("to", dates.to);
  } else if (range !== DEFAULT_RANGE && cycle === null) params.set("range", range);
  for (const filter of FILTERS) {
    const value = selection[filter];
    if (value !== undefined) params.set(filter, value);
  }
  for (const dimension of TOP_DIMENSIONS) {
    const { sort, search, after } = tables[dimension];
    if (sort !== "amount") params.set(`${dimension}s_sort`, sort);
    if (search !== "") params.set(`${dimension}s_q`, search);
    if (after === null) continue;
    const { rows, micros, requests } = after.shown;
    params.set(`${dimension}s_after`, JSON.stringify([after.value, after.id, rows, micros, requests]));
  }
  if (runs.sort !== "newest") params.set("runs_sort", runs.sort);
  if (runs.after !== null) params.set("runs_after", `${runs.after.value}.${runs.after.run}`);
  if (parts !== null) params.set("part", parts.join(","));
  return params;
}

/** The same state, but the whole page with every table at its first page. */
export function withoutPaging(query: UsageQuery): UsageQuery {
  const tables = Object.fromEntries(
    TOP_DIMENSIONS.map((dimension) => [dimension, { ...query.tables[dimension], after: null }]),
  ) as UsageQuery["tables"];
  return { ...query, tables, runs: { ...query.runs, after: null }, parts: null };
}

/** The same state with one table changed. */
export function withTable(query: UsageQuery, dimension: TopDimension, change: Partial<TableState>): UsageQuery {
  return { ...query, tables: { ...query.tables, [dimension]: { ...query.tables[dimension], ...change } } };
}

/** The filters with one changed, or removed if the value is undefined. */
export function withFilter(selection: Selection, filter: Filter, value: string | undefined): Selection {
  const { [filter]: _, ...others } = selection;
  return value === undefined ? others : { ...others, [filter]: value };
}

/** The receipt of a run. Its URL keeps the state of the page, so that the way back leads to where the reader was. */
export function receiptHref(run: string, query: UsageQuery): string {
  const state = usageHref(withoutPaging(query)).slice(USAGE_PATH.length);
  return `${USAGE_PATH}/runs/${encodeURIComponent(run)}${state}`;
}

/** The file of a whole table, with the same filters, search and order. */
export function tableCsvHref(query: UsageQuery, dimension: TopDimension): string {
  const params = usageParams(withoutPaging(query)).toString();
  return `${USAGE_PATH}/${dimension}s.csv${params === "" ? "" : `?${params}`}`;
}

function parseCycle(text: string | null): AtMs | null {
  const atMs = Date.parse(text ?? "");
  return Number.isFinite(atMs) && Math.abs(atMs) < MAX_AT_MS ? atMs : null;
}

function parseDates(params: URLSearchParams): Dates | null {
  const [from, to] = [params.get("from") ?? "", params.get("to") ?? ""];
  if (!isDate(from) || !isDate(to)) return null;
  const days = daysBetween(from, to) + 1;
  return days >= 1 && days <= MAX_WINDOW_DAYS ? { from, to } : null;
}

function parseSelection(params: URLSearchParams): Selection {
  const selection: Record<string, string> = {};
  for (const filter of FILTERS) {
    const value = params.get(filter);
    const isValid = filter === "surface" ? SURFACES.some((surface) => surface === value) : isId(value ?? "");
    if (value !== null && isValid) selection[filter] = value;
  }
  return selection;
}

function parseTable(params: URLSearchParams, dimension: TopDimension): TableState {
  const sort = TOP_SORTS.find((known) => known === params.get(`${dimension}s_sort`)) ?? "amount";
  const after = parseTopPlace(params.get(`${dimension}s_after`));
  const fits = after !== null && (typeof after.value === "string") === (sort === "name");
  return {
    sort,
    search: (params.get(`${dimension}s_q`) ?? "").trim().slice(0, MAX_SEARCH_LENGTH),
    after: fits ? after : null,
  };
}

function parseTopPlace(text: string | null): TopPlace | null {
  const [value, id, rows, micros, requests = null, ...rest] = parseList(text);
  if (rest.length > 0 || typeof id !== "string" || !isId(id)) return null;
  if (typeof value !== "string" && !Number.isSafeInteger(value)) return null;
  if (!isCount(rows) || !(requests === null || isCount(requests)) || !Number.isSafeInteger(micros)) return null;
  return { value: value as number | string, id, shown: { rows, micros: micros as number, requests } };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function parseList(text: string | null): unknown[] {
  try {
    const list: unknown = JSON.parse(text ?? "");
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

function parseRunPlace(text: string | null): RunPlace | null {
  const [, value, run] = /^(-?\d{1,16})\.(.+)$/.exec(text ?? "") ?? [];
  return value === undefined || run === undefined || !isId(run) ? null : { value: Number(value), run };
}
