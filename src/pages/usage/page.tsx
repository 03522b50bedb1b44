/**
 * GET /settings/usage: the dashboard. One handler answers the whole page and, when htmx asks, any of its regions: both
 * are the same views of the same values.
 */
import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import { isRefusal } from "../../ledger/refusals.ts";
import { formatPeriod } from "../kit/dates.ts";
import { page, type Signed } from "../kit/layout.tsx";
import { Region } from "../kit/parts.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { isPartial, type PageEnv, signedIn } from "../kit/session.ts";
import { Allocation } from "./allocation.tsx";
import { Cards } from "./cards.tsx";
import { bucketChart, totalChart } from "./chart-data.ts";
import type { Chart } from "./chart-shape.ts";
import { Consumption } from "./consumption.tsx";
import { chartSpans, loadUsage, type UsageData } from "./data.ts";
import { AsOf, CopyAsOf, Explanation } from "./explanation.tsx";
import { Exports, Heading, Period } from "./heading.tsx";
import { type Outlook, outlookOf } from "./outlook.ts";
import { type DIMENSIONS, type Part, parseUsageQuery, type UsageQuery } from "./query.ts";
import { RecentRuns, RunsPage } from "./recent-runs.tsx";
import { statusOf } from "./status.ts";
import { StatusLine } from "./status-line.tsx";
import { TopPage, TopTable } from "./top-table.tsx";

type Shown = { data: UsageData; query: UsageQuery; outlook: Outlook; signed: Signed };

/** Sent by a page that refreshes itself: a region that cannot be read then stays as it is. */
const REFRESH_HEADER = "Fuelgauge-Refresh";

export const usagePages = new Hono<PageEnv>().get("/settings/usage", signedIn, async (c) => {
  const asked = parseUsageQuery(new URL(c.req.url).searchParams);
  const query = isPartial(c) ? asked : { ...asked, parts: null };
  const data = await loadUsage(c, query);
  if (isRefusal(data)) return problemPage(c, "not_found");
  const { gauge } = data.view;
  const outlook = outlookOf(gauge, data.grants ?? []);
  const shown = { data, query, outlook, signed: { ...c.var.who, name: gauge.name } };
  if (query.parts === null) return wholePage(c, shown);
  const refreshes = c.req.header(REFRESH_HEADER) !== undefined;
  return c.html(<Parts {...shown} parts={query.parts} refreshes={refreshes} />);
});

function wholePage(c: Context<PageEnv>, shown: Shown): Response | Promise<Response> {
  const { data, signed } = shown;
  return c.html(
    page({
      title: "Usage",
      signed,
      tab: "usage",
      chart: true,
      children: (
        <>
          <Heading view={data.view} outlook={shown.outlook} query={shown.query} signed={signed} />
          <Now {...shown} />
          <ChartPart {...shown} />
          <Top {...shown} dimension="workspace" />
          <div class="pair">
            <Top {...shown} dimension="group" />
            <Top {...shown} dimension="user" />
          </div>
          <RecentRuns block={data.runs} query={shown.query} timeZone={data.view.timeZone} />
          <Explanation view={data.view} outlook={shown.outlook} />
          <AsOf view={data.view} outlook={shown.outlook} />
        </>
      ),
    }),
  );
}

/** The regions that come from the ledger itself. */
const Now: FC<Shown> = (shown) => (
  <>
    <StatusLine status={statusFor(shown)} />
    <Allocation {...allocationOf(shown)} />
    <Cards {...allocationOf(shown)} />
  </>
);

const Parts: FC<Shown & { parts: readonly Part[]; refreshes: boolean }> = ({ parts, refreshes, ...shown }) => (
  <>
    {parts
      .filter((part) => !refreshes || isReadable(part, shown.data))
      .map((part) => (
        <OnePart {...shown} part={part} />
      ))}
    <Region id="copy-as-of">
      <CopyAsOf view={shown.data.view} outlook={shown.outlook} />
    </Region>
  </>
);

function isReadable(part: Part, { series, runs, top }: UsageData): boolean {
  switch (part) {
    case "now":
      return true;
    case "chart":
      return series !== null;
    case "runs":
      return runs !== null;
    default:
      return top[part] !== null;
  }
}

const OnePart: FC<Shown & { part: Part }> = ({ part, ...shown }) => {
  const { data, query, outlook } = shown;
  const { timeZone } = data.view;
  switch (part) {
    case "now":
      return (
        <>
          <Region id="status">
            <StatusLine status={statusFor(shown)} />
          </Region>
          <Region id="allocation">
            <Allocation {...allocationOf(shown)} />
          </Region>
          <Region id="cards">
            <Cards {...allocationOf(shown)} />
          </Region>
          <Region id="period">
            <Period view={data.view} outlook={outlook} signed={shown.signed} />
          </Region>
          <Region id="explanation">
            <Explanation view={data.view} outlook={outlook} />
          </Region>
          <Region id="as-of">
            <AsOf view={data.view} outlook={outlook} />
          </Region>
        </>
      );
    case "chart":
      return (
        <>
          <Region id="consumption">
            <ChartPart {...shown} />
          </Region>
          <Region id="exports">
            <Exports query={query} signed={shown.signed} />
          </Region>
        </>
      );
    case "runs":
      if (query.runsAfter !== null && data.runs !== null) {
        return <RunsPage block={data.runs} query={query} timeZone={timeZone} />;
      }
      return (
        <Region id="runs">
          <RecentRuns block={data.runs} query={query} timeZone={timeZone} />
        </Region>
      );
    default: {
      const block = data.top[part];
      if (query.top[part] !== null && block !== null) return <TopPage {...topOf(shown, part)} block={block} />;
      return (
        <Region id={`top-${part}`}>
          <Top {...shown} dimension={part} />
        </Region>
      );
    }
  }
};

const Top: FC<Shown & { dimension: (typeof DIMENSIONS)[number] }> = ({ dimension, ...shown }) => (
  <TopTable {...topOf(shown, dimension)} />
);

const ChartPart: FC<Shown> = (shown) => {
  const { data, query } = shown;
  return (
    <Consumption
      query={query}
      unit={data.view.gauge.unit}
      chart={chartOf(shown)}
      whole={data.series?.whole ?? true}
      selected={data.selected}
      cycleMicros={data.view.gauge.usedMicros}
    />
  );
};

function chartOf({ data, query, outlook }: Shown): Chart | null {
  if (data.series === null) return null;
  const { gauge, timeZone } = data.view;
  const { buckets } = data.series;
  if (query.view === "total") {
    const selectedMicros = query.filter === null ? null : (data.selected?.amountMicros ?? 0);
    return totalChart(buckets, gauge, outlook, timeZone, selectedMicros);
  }
  return bucketChart(buckets, chartSpans(data.view, query).granularity, gauge.unit, timeZone);
}

function statusFor({ data, outlook, signed }: Shown) {
  const { gauge, timeZone, suspended } = data.view;
  return statusOf(gauge, outlook, { timeZone, role: signed.role, suspended });
}

function allocationOf({ data, outlook }: Shown) {
  return { gauge: data.view.gauge, outlook, timeZone: data.view.timeZone, grants: data.grants };
}

function topOf({ data, query, outlook }: Shown, dimension: (typeof DIMENSIONS)[number]) {
  const period = formatPeriod(outlook.startsAtMs, outlook.endsAtMs, data.view.timeZone);
  return { dimension, block: data.top[dimension], query, unit: data.view.gauge.unit, period };
}
