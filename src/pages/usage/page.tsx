/**
 * GET /settings/usage: the dashboard. One handler answers with the whole page or, for htmx, with some of its parts.
 * Both render the same components from the same data.
 */
import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import type { TopDimension } from "../../copy/read-top.ts";
import { filtersOf } from "../../copy/selection.ts";
import { dateOf } from "../../ledger/calendar.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { formatPeriod } from "../kit/dates.ts";
import { page, REFRESH_HEADER, type Signed } from "../kit/layout.tsx";
import { Region } from "../kit/parts.tsx";
import { answerRefused, isPartial, type PageEnv, requireSession } from "../kit/session.ts";
import { signedOf } from "../kit/view.ts";
import { Allocation } from "./allocation.tsx";
import { Cards } from "./cards.tsx";
import { bucketChart, pastTotalChart, totalChart } from "./chart-data.ts";
import type { Chart } from "./chart-shape.ts";
import { chartSpans } from "./chart-spans.ts";
import { Consumption } from "./consumption.tsx";
import { type Early, isEarly, loadUsage, readOf, type UsageData } from "./data.ts";
import { AsOf, CopyAsOf, Explanation } from "./explanation.tsx";
import { Exports, Heading, Period } from "./heading.tsx";
import { type Outlook, outlookOf } from "./outlook.ts";
import { OwnBudgets } from "./own-budgets.tsx";
import { PastCards, PastCycle, usedIn } from "./past-cycle.tsx";
import { type Part, parseUsageQuery, type UsageQuery } from "./query.ts";
import { RecentRuns, RunsPage } from "./recent-runs.tsx";
import { SelectionCard } from "./selection.tsx";
import { statusOf } from "./status.ts";
import { StatusLine } from "./status-line.tsx";
import { TopPage, TopTable } from "./top-table.tsx";

type PageProps = { data: UsageData; query: UsageQuery; outlook: Outlook; signed: Signed };

export const usagePages = new Hono<PageEnv>().get("/settings/usage", requireSession, async (c) => {
  const requested = parseUsageQuery(new URL(c.req.url).searchParams);
  const query = isPartial(c) ? requested : { ...requested, parts: null };
  const data = await loadUsage(c, query);
  if (isRefusal(data)) return answerRefused(c, data.refusal);
  if (data.cycle.ended === null) query.cycle = null;
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
          <Heading {...headingOf(props)} />
          {data.cycle.ended === null ? <Now {...props} /> : <PastCycle data={data} ended={data.cycle.ended} />}
          <Selected {...props} />
          <ChartPart {...props} />
          <Top {...props} dimension="workspace" />
          <div class="pair rankings">
            <Top {...props} dimension="group" />
            <Top {...props} dimension="user" />
            <Top {...props} dimension="model" />
          </div>
          <RecentRuns block={data.runs} query={props.query} timeZone={data.view.timeZone} />
          {data.cycle.ended === null && <Explanation view={data.view} outlook={props.outlook} />}
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

function isReadable(part: Part, { selected, series, runs, top }: UsageData): boolean {
  switch (part) {
    case "now":
      return true;
    case "selection":
      return selected !== null;
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
            <Period {...headingOf(props)} />
          </Region>
          <Region id="explanation">
            <Explanation view={data.view} outlook={outlook} />
          </Region>
          <Region id="as-of">
            <AsOf view={data.view} outlook={outlook} />
          </Region>
        </>
      );
    case "selection":
      return (
        <>
          <Region id="selection">
            <Selected {...props} />
          </Region>
          {data.cycle.ended !== null && (
            <Region id="cards">
              <PastCards data={data} ended={data.cycle.ended} />
            </Region>
          )}
        </>
      );
    case "chart":
      return (
        <>
          <Region id="consumption">
            <ChartPart {...props} />
          </Region>
          <Region id="exports">
            <Exports {...headingOf(props)} />
          </Region>
        </>
      );
    case "runs":
      if (query.runs.after !== null && data.runs !== null && !isEarly(data.runs)) {
        return <RunsPage block={data.runs} query={query} timeZone={timeZone} />;
      }
      return (
        <Region id="runs">
          <RecentRuns block={data.runs} query={query} timeZone={timeZone} />
        </Region>
      );
    default: {
      const block = data.top[part];
      if (query.tables[part].after !== null && block !== null && !isEarly(block))
        return <TopPage {...topOf(props, part)} block={block} />;
      return (
        <Region id={`top-${part}`}>
          <Top {...props} dimension={part} />
        </Region>
      );
    }
  }
};

const Top: FC<PageProps & { dimension: TopDimension }> = ({ dimension, ...props }) => (
  <TopTable {...topOf(props, dimension)} />
);

const Selected: FC<PageProps> = ({ data, query }) => {
  const { gauge, onlyUser } = data.view;
  const { ended } = data.cycle;
  const cycleMicros = ended === null ? gauge.usedMicros : usedIn(ended, gauge.unit);
  return <SelectionCard {...{ data, query, onlyUser, cycleMicros }} unit={gauge.unit} />;
};

const ChartPart: FC<PageProps> = (props) => {
  const { view } = props.data;
  return (
    <Consumption
      query={props.query}
      unit={view.gauge.unit}
      chart={chartOf(props)}
      timeZone={view.timeZone}
      today={dateOf(view.nowMs, view.timeZone)}
    />
  );
};

function chartOf({ data, query, outlook }: PageProps): Chart | Early | null {
  const { series, view, cycle, selection, selected } = data;
  if (series === null || isEarly(series)) return series;
  const { gauge, timeZone, nowMs } = view;
  const { unit } = gauge;
  const { buckets, previous, changes } = series;
  if (query.view === "total" && cycle.ended !== null) return pastTotalChart({ buckets, unit, timeZone, changes });
  if (query.view === "total") {
    const sum = buckets.reduce((total, { webMicros, cliMicros }) => total + webMicros + cliMicros, 0);
    const selectedMicros = filtersOf(selection).length === 0 ? null : (readOf(selected)?.micros ?? sum);
    return totalChart({ buckets, gauge, outlook, timeZone, selectedMicros, previous, changes });
  }
  const { granularity } = chartSpans(view, cycle, query);
  return bucketChart({ buckets, granularity, unit, timeZone, window: windowText(data, query), nowMs, changes });
}

/** How the chart's summary names its window. */
function windowText({ view, cycle }: UsageData, { range, dates }: UsageQuery): string {
  if (range === "24h") return "the last 24 hours";
  if (range === "7d") return "the last 7 days";
  if (range === "30d") return "the last 30 days";
  if (range === "cycle" || dates === null) {
    return cycle.ended === null
      ? "this billing cycle"
      : `the cycle ${formatPeriod(cycle.startsAtMs, cycle.endsAtMs, view.timeZone)}`;
  }
  return dates.from === dates.to ? `the day ${dates.from}` : `the days ${dates.from} to ${dates.to}`;
}

function headingOf({ data, outlook, query, signed }: PageProps) {
  const { view, cycle, selection } = data;
  return { view, outlook, query, signed, cycle, selection };
}

function statusFor({ data, outlook, signed }: PageProps) {
  const { gauge, timeZone, suspended } = data.view;
  return statusOf(gauge, outlook, { timeZone, role: signed.role, suspended });
}

function allocationOf({ data, outlook }: PageProps) {
  const { gauge, timeZone, previous } = data.view;
  return { gauge, outlook, timeZone, previous, grants: data.grants };
}

function topOf({ data, query }: PageProps, dimension: TopDimension) {
  const { timeZone, gauge, onlyUser } = data.view;
  const period = formatPeriod(data.cycle.startsAtMs, data.cycle.endsAtMs, data.cycle.ended?.timeZone ?? timeZone);
  const selectable = dimension !== "user" || onlyUser === null;
  const { budgets } = data;
  return { dimension, block: data.top[dimension], budgets, query, unit: gauge.unit, period, timeZone, selectable };
}
