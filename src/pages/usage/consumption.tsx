/**
 * The consumption chart with its toggles, summary and table. It works without JavaScript; browser/usage/chart.ts
 * replaces it with an interactive chart, using the data in the figure's attribute.
 */
import type { FC } from "hono/jsx";
import type { TopRow } from "../../copy/read.ts";
import type { Unit } from "../../ledger/micros.ts";
import { countOf, formatAmount, formatCharge, formatShare } from "../kit/format.ts";
import { Name, PartLink, Unreadable } from "../kit/parts.tsx";
import type { Chart } from "./chart-shape.ts";
import { type UsageQuery, usageHref, WINDOWS, type Window, withoutPaging } from "./query.ts";
import { StaticChart } from "./static-chart.tsx";
import { displayName } from "./top-table.tsx";

const LABELS: Record<Window, { label: string; bucket: string }> = {
  "24h": { label: "24 hours", bucket: "Per hour" },
  "7d": { label: "7 days", bucket: "Per day" },
  "30d": { label: "30 days", bucket: "Per week" },
  cycle: { label: "Cycle", bucket: "Per day" },
};

type Props = {
  query: UsageQuery;
  unit: Unit;
  /** Null if the copy cannot be read. */
  chart: Chart | null;
  selected: TopRow | null;
  cycleMicros: number;
};

export const Consumption: FC<Props> = (props) => {
  const { chart } = props;
  const query = withoutPaging(props.query);
  return (
    <section id="consumption" class="card" aria-labelledby="consumption-title">
      <div class="head">
        <h2 id="consumption-title">Consumption</h2>
        <nav class="toggle" aria-label="Window">
          {WINDOWS.map((range) => (
            <PartLink
              id={`range-${range}`}
              part="chart"
              href={usageHref(query, { range, view: "buckets" })}
              current={query.range === range}
            >
              {LABELS[range].label}
            </PartLink>
          ))}
        </nav>
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
      <Selection {...props} query={query} />
      {chart === null ? (
        <Unreadable what="The chart" retry={usageHref(query)} />
      ) : (
        <ChartFigure {...props} chart={chart} />
      )}
    </section>
  );
};

const Selection: FC<Props> = ({ query, selected, unit, cycleMicros }) => {
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
      <PartLink
        id="clear-filter"
        class="button plain"
        part="chart,workspace,group,user,runs"
        href={usageHref(query, { filter: null })}
      >
        Show all
      </PartLink>
    </p>
  );
};

const ChartFigure: FC<Props & { chart: Chart }> = ({ chart, unit }) => (
  <>
    <figure id="chart" data-chart={JSON.stringify(chart)}>
      <div class="plot" hx-morph-skip=""></div>
      <StaticChart chart={chart} />
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
