/**
 * The consumption chart with its toggles, summary and table. It works without JavaScript; browser/usage/chart.ts
 * replaces it with an interactive chart, using the data in the figure's attribute.
 */
import type { FC } from "hono/jsx";
import type { Surface } from "../../ledger/books.ts";
import type { Unit } from "../../ledger/micros.ts";
import { formatAmount } from "../kit/format.ts";
import { PartLink, Unreadable } from "../kit/parts.tsx";
import type { Chart } from "./chart-shape.ts";
import type { Early } from "./data.ts";
import { TooEarly } from "./early.tsx";
import {
  FILTERED_PARTS,
  USAGE_PATH,
  type UsageQuery,
  usageHref,
  usageParams,
  WINDOWS,
  type Window,
  withFilter,
  withoutPaging,
} from "./query.ts";
import { StaticChart } from "./static-chart.tsx";

const LABELS: Record<Window, { label: string; bucket: string }> = {
  "24h": { label: "24 hours", bucket: "Per hour" },
  "7d": { label: "7 days", bucket: "Per day" },
  "30d": { label: "30 days", bucket: "Per week" },
  cycle: { label: "Cycle", bucket: "Per day" },
  dates: { label: "Dates", bucket: "Over time" },
};

type Props = {
  query: UsageQuery;
  unit: Unit;
  /** Null if the copy cannot be read. */
  chart: Chart | Early | null;
  timeZone: string;
  /** The local date of today. */
  today: string;
};

export const Consumption: FC<Props> = (props) => {
  const { chart, timeZone } = props;
  const query = withoutPaging(props.query);
  const isPast = query.cycle !== null;
  return (
    <section id="consumption" class="card" aria-labelledby="consumption-title">
      <div class="head">
        <h2 id="consumption-title">Consumption</h2>
        {!isPast && (
          <nav class="toggle" aria-label="Window">
            {WINDOWS.map((range) => (
              <PartLink
                id={`range-${range}`}
                part="chart"
                href={usageHref(query, { range, dates: null, view: "buckets" })}
                current={query.range === range}
              >
                {LABELS[range].label}
              </PartLink>
            ))}
          </nav>
        )}
        <nav class="toggle" aria-label="View">
          <PartLink
            id="view-buckets"
            part="chart"
            href={usageHref(query, { view: "buckets" })}
            current={query.view === "buckets"}
          >
            {LABELS[query.range].bucket}
          </PartLink>
          <PartLink
            id="view-total"
            part="chart"
            href={usageHref(query, { view: "total", range: "cycle" })}
            current={query.view === "total"}
          >
            Running total
          </PartLink>
        </nav>
      </div>
      {chart === null ? (
        <Unreadable what="The chart" retry={usageHref(query)} />
      ) : "earlyMs" in chart ? (
        <TooEarly early={chart} query={query} timeZone={timeZone} />
      ) : (
        <ChartFigure {...props} query={query} chart={chart} />
      )}
      {!isPast && <DatesForm {...props} query={query} />}
    </section>
  );
};

/** Chooses a window by its first and last day. */
const DatesForm: FC<Props> = ({ query, today }) => {
  const state = usageParams({ ...query, range: "7d", dates: null, view: "buckets" });
  return (
    <details id="dates" open={query.dates !== null}>
      <summary>Other dates</summary>
      <form class="search dates" method="get" action={USAGE_PATH}>
        {[...state].map(([name, value]) => (
          <input type="hidden" name={name} value={value} />
        ))}
        <label>
          From <input type="date" name="from" value={query.dates?.from} max={today} required />
        </label>{" "}
        <label>
          to <input type="date" name="to" value={query.dates?.to ?? today} required />
        </label>{" "}
        <button class="button plain" type="submit">
          Show
        </button>
      </form>
    </details>
  );
};

/** The name of a surface, which adds it as a filter or removes it. */
const SurfaceLink: FC<{ query: UsageQuery; surface: Surface; name: string }> = ({ query, surface, name }) => {
  const selected = query.selection.surface === surface;
  const selection = withFilter(query.selection, "surface", selected ? undefined : surface);
  return (
    <PartLink
      id={`filter-surface-${surface}`}
      part={FILTERED_PARTS}
      href={usageHref(withoutPaging(query), { selection })}
      current={selected}
    >
      {name}
    </PartLink>
  );
};

const ChartFigure: FC<{ unit: Unit; chart: Chart; query: UsageQuery }> = ({ chart, unit, query }) => (
  <>
    <figure id="chart" data-chart={JSON.stringify(chart)}>
      <div class="plot" hx-morph-skip=""></div>
      <StaticChart chart={chart} />
      <figcaption>
        <ul class="keys">
          {chart.series.map(({ key, name }) => (
            <li>
              <i class={`swatch ${key}`} />
              {key === "web" || key === "cli" ? <SurfaceLink {...{ query, surface: key, name }} /> : name}
              {chart.kind === "buckets" && (
                <>
                  {" "}
                  <strong id={`sum-${key}`}>{sumOf(chart, key, unit)}</strong>
                </>
              )}
            </li>
          ))}
          {chart.limit !== null && (
            <li>
              <i class="swatch limit" />
              {chart.limit.label}
            </li>
          )}
        </ul>
        <p id="chart-summary">{chart.summary}</p>
        {chart.marks.length > 0 && (
          <ul id="chart-marks" class="marks">
            {chart.marks.map(({ label }) => (
              <li>{label}</li>
            ))}
          </ul>
        )}
      </figcaption>
    </figure>
    <details id="chart-table">
      <summary>View as table</summary>
      <div class="scroll">
        <table>
          <caption class="unseen">
            {chart.kind === "total" ? "Running total of the billing cycle" : "Consumption over time"}, in{" "}
            {unit === "usd" ? "USD" : "credits"}, time zone {chart.timeZone}
          </caption>
          <thead>
            <tr>
              <th scope="col">{chart.columns}</th>
              {chart.series.map(({ name }) => (
                <th scope="col" class="num">
                  {name}
                </th>
              ))}
              {chart.sums !== null && (
                <th scope="col" class="num">
                  Total
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {chart.labels.map((label, i) => (
              <tr>
                <th scope="row">{label}</th>
                {chart.series.map(({ texts }) => (
                  <td class="num">{texts[i] ?? ""}</td>
                ))}
                {chart.sums !== null && <td class="num">{chart.sums[i]}</td>}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  </>
);

/** The sum of the drawn values. They are micros divided by a million, so rounding restores the exact micros. */
function sumOf(chart: Chart, key: string, unit: Unit): string {
  const values = chart.series.find((series) => series.key === key)?.values ?? [];
  return formatAmount(
    values.reduce<number>((sum, value) => sum + Math.round((value ?? 0) * 1_000_000), 0),
    unit,
  );
}
