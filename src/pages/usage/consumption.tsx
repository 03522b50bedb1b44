/**
 * The chart with its toggles, its summary and its table. The drawing here is complete without script;
 * browser/usage/chart.ts replaces it by an interactive one, from the data that the figure carries.
 */
import type { FC } from "hono/jsx";
import type { TopRow } from "../../copy/read.ts";
import { SLICE_RUNS } from "../../copy/read-slice.ts";
import type { Range } from "../../ledger/calendar.ts";
import type { Unit } from "../../ledger/micros.ts";
import { countOf, formatAmount, formatCharge, formatCount, formatShare } from "../kit/format.ts";
import { InPlace, Name, Unreadable } from "../kit/parts.tsx";
import type { Chart } from "./chart-shape.ts";
import { fromTheTop, type UsageQuery, usageHref } from "./query.ts";
import { Sketch } from "./static-chart.tsx";
import { displayName } from "./top-table.tsx";

const RANGES: Record<Range, { label: string; bucket: string }> = {
  "24h": { label: "24 hours", bucket: "Per hour" },
  "7d": { label: "7 days", bucket: "Per day" },
  "30d": { label: "30 days", bucket: "Per week" },
};

type Props = {
  query: UsageQuery;
  unit: Unit;
  /** Null: the copy cannot be read. */
  chart: Chart | null;
  /** What the selection is not complete in. */
  whole: boolean;
  selected: TopRow | null;
  cycleMicros: number;
};

export const Consumption: FC<Props> = (props) => {
  const { query: asked, chart } = props;
  const query = fromTheTop(asked);
  return (
    <section id="consumption" class="card" aria-labelledby="consumption-title">
      <div class="head">
        <h2 id="consumption-title">Consumption</h2>
        <nav class="toggle" aria-label="Window">
          {(Object.keys(RANGES) as Range[]).map((range) => (
            <InPlace
              id={`range-${range}`}
              part="chart"
              href={usageHref(query, { range, view: "buckets" })}
              current={query.view === "buckets" && query.range === range}
            >
              {RANGES[range].label}
            </InPlace>
          ))}
        </nav>
        <nav class="toggle" aria-label="View">
          <InPlace
            id="view-buckets"
            part="chart"
            href={usageHref(query, { view: "buckets" })}
            current={query.view === "buckets"}
          >
            {RANGES[query.range].bucket}
          </InPlace>
          <InPlace
            id="view-total"
            part="chart"
            href={usageHref(query, { view: "total" })}
            current={query.view === "total"}
          >
            Running total
          </InPlace>
        </nav>
      </div>
      <Selection {...props} query={query} />
      {chart === null ? <Unreadable what="The chart" retry={usageHref(query)} /> : <Drawn {...props} chart={chart} />}
    </section>
  );
};

const Selection: FC<Props> = ({ query, selected, unit, cycleMicros, whole }) => {
  if (query.filter === null) return null;
  const { dimension, id } = query.filter;
  return (
    <p class="selection">
      <span>
        Only {dimension} <Name>{displayName(dimension, id, selected?.name ?? null)}</Name>
        {selected !== null && (
          <>
            : {formatCharge(selected.amountMicros, unit)} in this cycle,{" "}
            {formatShare(selected.amountMicros, cycleMicros)} of all, in {countOf(selected.requests, "request")}
          </>
        )}
        .
      </span>{" "}
      <InPlace
        id="clear-filter"
        class="button plain"
        part="chart,workspace,group,user,runs"
        href={usageHref(query, { filter: null })}
      >
        Show all
      </InPlace>
      <small class="muted">
        The chart {query.view === "total" ? "adds" : "counts"} its runs by the time they started
        {whole ? "." : `: of its newest ${formatCount(SLICE_RUNS)} runs; older ones are not in it.`}
      </small>
    </p>
  );
};

const Drawn: FC<Props & { chart: Chart }> = ({ chart, unit }) => (
  <>
    <figure id="chart" data-chart={JSON.stringify(chart)}>
      <div class="plot" hx-morph-skip=""></div>
      <Sketch chart={chart} />
      <figcaption>
        <ul class="keys">
          {chart.series.map(({ key, name }) => (
            <li>
              <i class={`swatch ${key}`} />
              {name}
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
      </figcaption>
    </figure>
    <details id="chart-table">
      <summary>View as table</summary>
      <table>
        <caption class="unseen">
          {chart.kind === "total" ? "Running total of the billing cycle" : "Consumption over time"}, in{" "}
          {unit === "usd" ? "USD" : "credits"}, in the time zone {chart.timeZone}
        </caption>
        <thead>
          <tr>
            <th scope="col">{chart.columns}</th>
            {chart.series.map(({ name }) => (
              <th scope="col" class="num">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {chart.labels.map((label, i) => (
            <tr>
              <th scope="row">{label}</th>
              {chart.series.map(({ texts }) => (
                <td class="num">{texts[i] ?? ""}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  </>
);

/** Sums what is drawn; values are whole micros divided by a million, so rounding brings them back exactly. */
function sumOf(chart: Chart, key: string, unit: Unit): string {
  const values = chart.series.find((series) => series.key === key)?.values ?? [];
  return formatAmount(
    values.reduce<number>((sum, value) => sum + Math.round((value ?? 0) * 1_000_000), 0),
    unit,
  );
}
