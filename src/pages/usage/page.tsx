/**
 * GET /settings/usage: the dashboard. One handler answers with the whole page or, for htmx, with some of its parts.
 * Both render the same components from the same data.
 */
import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import type { DIMENSIONS } from "../../ledger/attribution.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { formatPeriod } from "../kit/dates.ts";
import { page, REFRESH_HEADER, type Signed } from "../kit/layout.tsx";
import { Region } from "../kit/parts.tsx";
import { answerRefused, isPartial, type PageEnv, requireSession } from "../kit/session.ts";
import { signedOf } from "../kit/view.ts";
import { Allocation } from "./allocation.tsx";
import { Cards } from "./cards.tsx";
import { bucketChart, totalChart } from "./chart-data.ts";
import type { Chart } from "./chart-shape.ts";
import { Consumption } from "./consumption.tsx";
import { chartSpans, loadUsage, type UsageData } from "./data.ts";
import { AsOf, CopyAsOf, Explanation } from "./explanation.tsx";
import { Exports, Heading, Period } from "./heading.tsx";
import { type Outlook, outlookOf } from "./outlook.ts";
import { OwnBudgets } from "./own-budgets.tsx";
import { type Part, parseUsageQuery, type UsageQuery, type Window } from "./query.ts";
import { RecentRuns, RunsPage } from "./recent-runs.tsx";
import { statusOf } from "./status.ts";
import { StatusLine } from "./status-line.tsx";
import { TopPage, TopTable } from "./top-table.tsx";

type PageProps = { data: UsageData; query: UsageQuery; outlook: Outlook; signed: Signed };

const WINDOW_TEXTS: Record<Window, string> = {
  "24h": "the last 24 hours",
  "7d": "the last 7 days",
  "30d": "the last 30 days",
  cycle: "this billing cycle",
};

export const usagePages = new Hono<PageEnv>().get("/settings/usage", requireSession, async (c) => {
  const requested = parseUsageQuery(new URL(c.req.url).searchParams);
  const query = isPartial(c) ? requested : { ...requested, parts: null };
  const data = await loadUsage(c, query);
  if (isRefusal(data)) return answerRefused(c, data.refusal);
  const { gauge, forecast } = data.view;
  const outlook = outlookOf(gauge, forecast);
  const props = { data, query, outlook, signed: signedOf(c, data.view) };
  if (query.parts === null) return wholePage(c, props);
  const isRefresh = c.req.header(REFRESH_HEADER) !== undefined;
  return c.html(<Parts {...props} parts={query.parts} isRefresh={isRefresh} />);
});

function wholePage(c: Context<PageEnv>, props: PageProps): Response | Promise<Response> {
  const { data, signed } = props;
  return c.html(
    page({
      title: "Usage",
      signed,
      tab: "usage",
      chart: true,
      children: (
        <>
          <Heading view={data.view} outlook={props.outlook} query={props.query} signed={signed} />
          <Now {...props} />
          <ChartPart {...props} />
          <Top {...props} dimension="workspace" />
          <div class="pair">
            <Top {...props} dimension="group" />
            <Top {...props} dimension="user" />
          </div>
          <RecentRuns block={data.runs} query={props.query} timeZone={data.view.timeZone} />
          <Explanation view={data.view} outlook={props.outlook} />
          <AsOf view={data.view} outlook={props.outlook} />
        </>
      ),
    }),
  );
}

/** The blocks that come from the ledger itself. */
const Now: FC<PageProps> = (props) => (
  <>
    <StatusLine status={statusFor(props)} />
    <OwnBudgets gauge={props.data.view.gauge} />
    <Allocation {...allocationOf(props)} />
    <Cards {...allocationOf(props)} />
  </>
);

const Parts: FC<PageProps & { parts: readonly Part[]; isRefresh: boolean }> = ({ parts, isRefresh, ...props }) => (
  <>
    {parts
      .filter((part) => !isRefresh || isReadable(part, props.data))
      .map((part) => (
        <OnePart {...props} part={part} />
      ))}
    <Region id="copy-as-of">
      <CopyAsOf view={props.data.view} outlook={props.outlook} />
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

const OnePart: FC<PageProps & { part: Part }> = ({ part, ...props }) => {
  const { data, query, outlook } = props;
  const { timeZone } = data.view;
  switch (part) {
    case "now":
      return (
        <>
          <Region id="status">
            <StatusLine status={statusFor(props)} />
          </Region>
          <Region id="own-budgets">
            <OwnBudgets gauge={data.view.gauge} />
          </Region>
          <Region id="allocation">
            <Allocation {...allocationOf(props)} />
          </Region>
          <Region id="cards">
            <Cards {...allocationOf(props)} />
          </Region>
          <Region id="period">
            <Period view={data.view} outlook={outlook} signed={props.signed} />
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
            <ChartPart {...props} />
          </Region>
          <Region id="exports">
            <Exports query={query} signed={props.signed} />
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
      if (query.top[part] !== null && block !== null) return <TopPage {...topOf(props, part)} block={block} />;
      return (
        <Region id={`top-${part}`}>
          <Top {...props} dimension={part} />
        </Region>
      );
    }
  }
};

const Top: FC<PageProps & { dimension: (typeof DIMENSIONS)[number] }> = ({ dimension, ...props }) => (
  <TopTable {...topOf(props, dimension)} />
);

const ChartPart: FC<PageProps> = (props) => {
  const { data, query } = props;
  return (
    <Consumption
      query={query}
      unit={data.view.gauge.unit}
      chart={chartOf(props)}
      selected={data.selected}
      cycleMicros={data.view.gauge.usedMicros}
    />
  );
};

function chartOf({ data, query, outlook }: PageProps): Chart | null {
  if (data.series === null) return null;
  const { gauge, timeZone } = data.view;
  const { buckets } = data.series;
  if (query.view === "total") {
    const selectedMicros = query.filter === null ? null : (data.selected?.amountMicros ?? 0);
    return totalChart(buckets, gauge, outlook, timeZone, selectedMicros);
  }
  return bucketChart(
    buckets,
    chartSpans(data.view, query).granularity,
    gauge.unit,
    timeZone,
    WINDOW_TEXTS[query.range],
  );
}

function statusFor({ data, outlook, signed }: PageProps) {
  const { gauge, timeZone, suspended } = data.view;
  return statusOf(gauge, outlook, { timeZone, role: signed.role, suspended });
}

function allocationOf({ data, outlook }: PageProps) {
  return { gauge: data.view.gauge, outlook, timeZone: data.view.timeZone, grants: data.grants };
}

function topOf({ data, query, outlook }: PageProps, dimension: (typeof DIMENSIONS)[number]) {
  const period = formatPeriod(outlook.startsAtMs, outlook.endsAtMs, data.view.timeZone);
  return { dimension, block: data.top[dimension], query, unit: data.view.gauge.unit, period };
}
