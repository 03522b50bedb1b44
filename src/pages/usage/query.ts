/**
 * The state of the usage page in its URL. Every toggle, filter and "Show more" is a link to the same page with one
 * parameter changed. Invalid parameters are ignored rather than refused, because people edit URLs.
 */
import { DIMENSIONS, type Dimension } from "../../ledger/attribution.ts";
import { RANGES } from "../../ledger/calendar.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { isId } from "../../wire/fields.ts";

export const USAGE_PATH = "/settings/usage";

/** Parts of the page that can be requested alone. `now` is everything that comes from the gauge. */
const PARTS = ["now", "chart", "workspace", "group", "user", "runs"] as const;
export type Part = (typeof PARTS)[number];

/** Where a table's next page starts, with the sums of the pages before, so that its footer need not read them again. */
export type TopPlace = { amountMicros: Micros; id: string; shownRows: number; shownMicros: Micros };
export type RunPlace = { startedAtMs: AtMs; run: string };
type Filter = { dimension: Dimension; id: string };

/** `cycle` is the billing cycle, day by day. */
export const WINDOWS = [...RANGES, "cycle"] as const;
export type Window = (typeof WINDOWS)[number];

export type UsageQuery = {
  /** The window of the chart. */
  range: Window;
  /** The chart: by bucket, or the running total of the cycle. */
  view: "buckets" | "total";
  filter: Filter | null;
  top: Record<Dimension, TopPlace | null>;
  runsAfter: RunPlace | null;
  /** Null: the whole page. */
  parts: readonly Part[] | null;
};

const DEFAULT_RANGE: Window = "7d";
const TOP_PLACE = /^(-?\d{1,16})\.(\d{1,6})\.(-?\d{1,16})\.(.+)$/;
const RUN_PLACE = /^(\d{1,16})\.(.+)$/;

export function parseUsageQuery(params: URLSearchParams): UsageQuery {
  const parts = params.get("part")?.split(",");
  const view = params.get("view") === "total" ? "total" : "buckets";
  const range = WINDOWS.find((window) => window === params.get("range")) ?? DEFAULT_RANGE;
  return {
    // The running total is always that of the billing cycle.
    range: view === "total" ? "cycle" : range,
    view,
    filter: filterOf(params),
    top: {
      workspace: parseTopPlace(params.get("workspaces_after")),
      group: parseTopPlace(params.get("groups_after")),
      user: parseTopPlace(params.get("users_after")),
    },
    runsAfter: parseRunPlace(params.get("runs_after")),
    parts: parts === undefined ? null : PARTS.filter((part) => parts.includes(part)),
  };
}

/** The URL of the page in this state. Defaults are omitted. */
export function usageHref(query: UsageQuery, change: Partial<UsageQuery> = {}): string {
  const { range, view, filter, top, runsAfter, parts } = { ...query, ...change };
  const params = new URLSearchParams();
  if (view === "total") params.set("view", view);
  else if (range !== DEFAULT_RANGE) params.set("range", range);
  if (filter !== null) params.set(filter.dimension, filter.id);
  for (const dimension of DIMENSIONS) {
    const place = top[dimension];
    if (place === null) continue;
    const { amountMicros, shownRows, shownMicros, id } = place;
    params.set(`${dimension}s_after`, `${amountMicros}.${shownRows}.${shownMicros}.${id}`);
  }
  if (runsAfter !== null) params.set("runs_after", `${runsAfter.startedAtMs}.${runsAfter.run}`);
  if (parts !== null) params.set("part", parts.join(","));
  const text = params.toString();
  return text === "" ? USAGE_PATH : `${USAGE_PATH}?${text}`;
}

/** The same state, but the whole page with every table at its first page. */
export function withoutPaging(query: UsageQuery): UsageQuery {
  return { ...query, top: { workspace: null, group: null, user: null }, runsAfter: null, parts: null };
}

/** The receipt of a run. Its URL keeps the state of the page, so that the way back leads to where the reader was. */
export function receiptHref(run: string, query: UsageQuery): string {
  const state = usageHref(withoutPaging(query)).slice(USAGE_PATH.length);
  return `${USAGE_PATH}/runs/${encodeURIComponent(run)}${state}`;
}

function filterOf(params: URLSearchParams): Filter | null {
  for (const dimension of DIMENSIONS) {
    const id = params.get(dimension);
    if (id !== null && isId(id)) return { dimension, id };
  }
  return null;
}

function parseTopPlace(text: string | null): TopPlace | null {
  const match = TOP_PLACE.exec(text ?? "");
  if (match === null || !isId(match[4] as string)) return null;
  return {
    amountMicros: Number(match[1]),
    shownRows: Number(match[2]),
    shownMicros: Number(match[3]),
    id: match[4] as string,
  };
}

function parseRunPlace(text: string | null): RunPlace | null {
  const match = RUN_PLACE.exec(text ?? "");
  return match === null || !isId(match[2] as string)
    ? null
    : { startedAtMs: Number(match[1]), run: match[2] as string };
}
