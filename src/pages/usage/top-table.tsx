/**
 * Who uses how much in this cycle: one table each for workspaces, groups and users. The last row is the total that the
 * bar shows, the one before it what the shown rows leave out. A name is a link that filters the page by it; Show more
 * reads one page on, and with script adds it to the table.
 */
import type { FC } from "hono/jsx";
import type { Dimension, TopRow } from "../../copy/read.ts";
import { SLICE_RUNS } from "../../copy/read-slice.ts";
import { NO_GROUP } from "../../ledger/books.ts";
import type { Unit } from "../../ledger/micros.ts";
import { countOf, formatAmount, formatCount, formatShare } from "../kit/format.ts";
import { InPlace, Name, Region, Unreadable } from "../kit/parts.tsx";
import { COUNTED_ROWS, ROWS, type TopBlock } from "./data.ts";
import { fromTheTop, type UsageQuery, usageHref } from "./query.ts";

const WORDS: Record<Dimension, { title: string; column: string; noun: string }> = {
  workspace: { title: "Top workspaces", column: "Workspace", noun: "workspace" },
  group: { title: "Top workspace groups", column: "Group", noun: "group" },
  user: { title: "Top users", column: "User", noun: "user" },
};

type Props = { dimension: Dimension; block: TopBlock | null; query: UsageQuery; unit: Unit; period: string };

export function displayName(dimension: Dimension, id: string, name: string | null): string {
  return name ?? (dimension === "group" && id === NO_GROUP ? "No group" : id);
}

export const TopTable: FC<Props> = (props) => {
  const { dimension, block, unit, period, query } = props;
  const { title, column } = WORDS[dimension];
  return (
    <section id={`top-${dimension}`} class="card table" aria-labelledby={`top-${dimension}-title`}>
      <h2 id={`top-${dimension}-title`}>{title}</h2>
      {block === null ? (
        <Unreadable what="This table" retry={usageHref(fromTheTop(query))} />
      ) : (
        <>
          <table>
            <caption>
              {coverOf(props)}, {period}, in {unit === "usd" ? "USD" : "credits"}
            </caption>
            <thead>
              <tr>
                <th scope="col">{column}</th>
                <th scope="col" class="num">
                  Requests
                </th>
                <th scope="col" class="num">
                  {unit === "usd" ? "USD" : "Credits"}
                </th>
                <th scope="col" class="num">
                  % of total
                </th>
              </tr>
            </thead>
            <tbody id={`rows-${dimension}`}>
              <TopRows {...props} block={block} />
            </tbody>
            <TopFoot {...props} block={block} />
          </table>
          <MoreLine {...props} block={block} />
        </>
      )}
    </section>
  );
};

/** What Show more answers: the rows to add, and the lines that change with them. */
export const TopPage: FC<Props & { block: TopBlock }> = (props) => (
  <>
    <Region id={`rows-${props.dimension}`} swap="beforeend">
      <TopRows {...props} />
    </Region>
    <Region id={`foot-${props.dimension}`}>
      <TopFoot {...props} />
    </Region>
    <Region id={`line-${props.dimension}`}>
      <MoreLine {...props} />
    </Region>
    <Region id="status-region" swap="innerHTML">
      {countOf(props.block.rows.length, `more ${WORDS[props.dimension].noun}`)} shown.
    </Region>
  </>
);

const TopRows: FC<Props & { block: TopBlock }> = ({ dimension, block, query, unit }) => (
  <>
    {block.rows.length === 0 && (
      <tr>
        <td colspan={4} class="muted">
          {query.filter === null ? "Nothing used yet." : "Nothing used in this cycle."}
        </td>
      </tr>
    )}
    {block.rows.map((row) => (
      <tr id={`row-${dimension}-${encodeURIComponent(row.id)}`}>
        <th scope="row">
          <FilterLink dimension={dimension} row={row} query={query} />
          <svg class="mini" width="100%" height="4" aria-hidden="true" focusable="false">
            <rect width={`${widthOf(row, block)}%`} height="4" />
          </svg>
        </th>
        <td class="num">{formatCount(row.requests)}</td>
        <td class="num">{formatAmount(row.amountMicros, unit)}</td>
        <td class="num">{formatShare(row.amountMicros, block.totalMicros)}</td>
      </tr>
    ))}
  </>
);

const FilterLink: FC<{ dimension: Dimension; row: TopRow; query: UsageQuery }> = ({ dimension, row, query }) => {
  const selected = query.filter?.dimension === dimension && query.filter.id === row.id;
  const filter = selected ? null : { dimension, id: row.id };
  return (
    <InPlace
      id={`filter-${dimension}-${encodeURIComponent(row.id)}`}
      part="chart,workspace,group,user,runs"
      href={usageHref(fromTheTop(query), { filter })}
      current={selected}
    >
      <Name>{displayName(dimension, row.id, row.name)}</Name>
    </InPlace>
  );
};

const TopFoot: FC<Props & { block: TopBlock }> = (props) => {
  const { dimension, block, unit } = props;
  const { rows, micros } = onScreen(props);
  const others = block.allRows - rows;
  const othersMicros = block.totalMicros - micros;
  return (
    <tfoot id={`foot-${dimension}`}>
      {others > 0 && (
        <tr class="muted">
          <th scope="row">{block.allRows > COUNTED_ROWS ? "All others" : countOf(others, "other")}</th>
          <td></td>
          <td class="num">{formatAmount(othersMicros, unit)}</td>
          <td class="num">{formatShare(othersMicros, block.totalMicros)}</td>
        </tr>
      )}
      <tr class="total">
        <th scope="row">Total</th>
        <td class="num">{formatCount(block.totalRequests)}</td>
        <td class="num">{formatAmount(block.totalMicros, unit)}</td>
        <td class="num">{formatShare(block.totalMicros, block.totalMicros)}</td>
      </tr>
    </tfoot>
  );
};

const MoreLine: FC<Props & { block: TopBlock }> = (props) => {
  const { dimension, block, query } = props;
  const { next } = block;
  const start = fromTheTop(query);
  const beyond = query.top[dimension] !== null;
  const link = { id: `more-${dimension}`, part: dimension, push: false };
  return (
    <p id={`line-${dimension}`} class="more">
      <span class="muted">{shownText(props)}</span>{" "}
      {next !== null && (
        <InPlace {...link} href={usageHref(start, { top: { ...start.top, [dimension]: next } })}>
          Show more
        </InPlace>
      )}{" "}
      {beyond && (next === null || query.parts === null) && (
        <InPlace {...link} id={next === null ? link.id : undefined} href={usageHref(start)}>
          Show the first {ROWS}
        </InPlace>
      )}
    </p>
  );
};

/** With script a page is added to those before; without it stands alone. */
function onScreen({ query, block }: { query: UsageQuery; block: TopBlock }): { rows: number; micros: number } {
  if (query.parts !== null) return { rows: block.shownRows, micros: block.shownMicros };
  return { rows: block.rows.length, micros: block.rows.reduce((sum, row) => sum + row.amountMicros, 0) };
}

function shownText(props: Props & { block: TopBlock }): string {
  const { block } = props;
  const { rows } = onScreen(props);
  if (block.allRows === 0) return "";
  if (rows === block.allRows) return `All ${formatCount(rows)} shown`;
  const all = block.allRows > COUNTED_ROWS ? `more than ${formatCount(COUNTED_ROWS)}` : formatCount(block.allRows);
  if (rows === block.shownRows) return `${formatCount(rows)} of ${all} shown`;
  return `${formatCount(block.shownRows - rows + 1)}–${formatCount(block.shownRows)} of ${all} shown`;
}

function coverOf({ block, query, dimension }: Props): string {
  if (query.filter === null || query.filter.dimension === dimension) return "This billing cycle";
  if (block?.whole !== false) return `This ${query.filter.dimension} in the billing cycle`;
  return `The newest ${formatCount(SLICE_RUNS)} runs of this ${query.filter.dimension}`;
}

function widthOf(row: TopRow, block: TopBlock): number {
  return block.totalMicros <= 0 ? 0 : Math.max(0, Math.round((row.amountMicros / block.totalMicros) * 10_000) / 100);
}
