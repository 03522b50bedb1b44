/**
 * Use in this cycle by workspace, group and user, in one table each. The last row is the same total as the bar's; the
 * row before it sums the rows that are not listed. A name is a link that filters the page by it. "Show more" loads the
 * next page; with JavaScript it is added to the table.
 */
import type { FC } from "hono/jsx";
import type { TopRow } from "../../copy/read.ts";
import type { Dimension } from "../../ledger/attribution.ts";
import { NO_GROUP } from "../../ledger/books.ts";
import type { Unit } from "../../ledger/micros.ts";
import { countOf, formatAmount, formatCount, formatShare } from "../kit/format.ts";
import { Name, PartLink, Region, Unreadable } from "../kit/parts.tsx";
import { COUNTED_ROWS, ROWS, type TopBlock } from "./data.ts";
import { type UsageQuery, usageHref, withoutPaging } from "./query.ts";

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
        <Unreadable what="This table" retry={usageHref(withoutPaging(query))} />
      ) : (
        <>
          <table>
            <caption>
              {scopeOf(props)}, {period}, in {unit === "usd" ? "USD" : "credits"}
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

/** The answer to "Show more": the rows to add, and the lines that change with them. */
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
    <PartLink
      id={`filter-${dimension}-${encodeURIComponent(row.id)}`}
      part="chart,workspace,group,user,runs"
      href={usageHref(withoutPaging(query), { filter })}
      current={selected}
    >
      <Name>{displayName(dimension, row.id, row.name)}</Name>
    </PartLink>
  );
};

const TopFoot: FC<Props & { block: TopBlock }> = (props) => {
  const { dimension, block, unit } = props;
  const { rows, micros } = visibleOf(props);
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
  const firstPage = withoutPaging(query);
  const isLaterPage = query.top[dimension] !== null;
  const link = { id: `more-${dimension}`, part: dimension, push: false };
  return (
    <p id={`line-${dimension}`} class="more">
      <span class="muted">{shownText(props)}</span>{" "}
      {next !== null && (
        <PartLink {...link} href={usageHref(firstPage, { top: { ...firstPage.top, [dimension]: next } })}>
          Show more
        </PartLink>
      )}{" "}
      {isLaterPage && (next === null || query.parts === null) && (
        <PartLink {...link} id={next === null ? link.id : undefined} href={usageHref(firstPage)}>
          Show the first {ROWS}
        </PartLink>
      )}
    </p>
  );
};

/** With JavaScript, a page is added to the pages before it; otherwise it replaces them. */
function visibleOf({ query, block }: { query: UsageQuery; block: TopBlock }): { rows: number; micros: number } {
  if (query.parts !== null) return { rows: block.shownRows, micros: block.shownMicros };
  return { rows: block.rows.length, micros: block.rows.reduce((sum, row) => sum + row.amountMicros, 0) };
}

function shownText(props: Props & { block: TopBlock }): string {
  const { block } = props;
  const { rows } = visibleOf(props);
  if (block.allRows === 0) return "";
  if (rows === block.allRows) return `All ${formatCount(rows)} shown`;
  const all = block.allRows > COUNTED_ROWS ? `more than ${formatCount(COUNTED_ROWS)}` : formatCount(block.allRows);
  if (rows === block.shownRows) return `${formatCount(rows)} of ${all} shown`;
  return `${formatCount(block.shownRows - rows + 1)}–${formatCount(block.shownRows)} of ${all} shown`;
}

function scopeOf({ query, dimension }: Props): string {
  if (query.filter === null || query.filter.dimension === dimension) return "This billing cycle";
  return `This ${query.filter.dimension} in the billing cycle`;
}

function widthOf(row: TopRow, block: TopBlock): number {
  return block.totalMicros <= 0 ? 0 : Math.max(0, Math.round((row.amountMicros / block.totalMicros) * 10_000) / 100);
}
