/**
 * Use in a cycle by workspace, group, user and model, in one table each. A row shows its trend over the last cycles, and
 * its budgets. The last row is the total of the selection; the row before it sums the rows that are not listed. A name is
 * a link that adds a filter. The heads of the columns sort. "Show more" loads the next page; with JavaScript it is added
 * to the table.
 */
import type { Child, FC } from "hono/jsx";
import type { TopRow } from "../../copy/read.ts";
import type { TopDimension, TopSort } from "../../copy/read-top.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { ParsedBudget } from "../../wire/budget.ts";
import { countOf, formatAmount, formatCount, formatShare } from "../kit/format.ts";
import { idName, Name, PartLink, Region, Unreadable } from "../kit/parts.tsx";
import { type Block, COUNTED_ROWS, isEarly, ROWS, sumShown, type TopBlock } from "./data.ts";
import { TooEarly } from "./early.tsx";
import { KindsTable } from "./kinds-table.tsx";
import {
  FILTERED_PARTS,
  type Shown,
  tableCsvHref,
  USAGE_PATH,
  type UsageQuery,
  usageHref,
  usageParams,
  withFilter,
  withoutPaging,
  withTable,
} from "./query.ts";
import { RowBudget, Trend, TrendHead } from "./row-parts.tsx";

const WORDS: Record<TopDimension, { title: string; column: string; noun: string }> = {
  workspace: { title: "Top workspaces", column: "Workspace", noun: "workspace" },
  group: { title: "Top workspace groups", column: "Group", noun: "group" },
  user: { title: "Top users", column: "User", noun: "user" },
  model: { title: "Top models", column: "Model", noun: "model" },
};

type Props = {
  dimension: TopDimension;
  block: Block<TopBlock>;
  budgets: readonly ParsedBudget[];
  query: UsageQuery;
  unit: Unit;
  period: string;
  timeZone: string;
  /** Whether the reader may choose another value: a member who sees only their own cannot choose another user. */
  selectable: boolean;
};

export const TopTable: FC<Props> = (props) => {
  const { dimension, block, unit, period, query } = props;
  const { title, column } = WORDS[dimension];
  return (
    <section id={`top-${dimension}`} class="card table" aria-labelledby={`top-${dimension}-title`}>
      <h2 id={`top-${dimension}-title`}>{title}</h2>
      {block === null ? (
        <Unreadable what="This table" retry={usageHref(withoutPaging(query))} />
      ) : isEarly(block) ? (
        <TooEarly early={block} query={query} timeZone={props.timeZone} />
      ) : (
        <>
          <Find {...props} block={block} />
          <table class="ranking">
            <caption>
              {query.cycle === null ? "This billing cycle" : "The billing cycle"}, {period}, in{" "}
              {unit === "usd" ? "USD" : "credits"}
            </caption>
            <thead>
              <tr>
                <Head {...props} sort="name" title={column}>
                  <TrendHead trends={block.trends} />
                </Head>
                <Head {...props} sort="requests" title="Requests" />
                <Head {...props} sort="amount" title={unit === "usd" ? "USD" : "Credits"} />
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
          {block.kinds !== null && <KindsTable kinds={block.kinds} unit={unit} />}
        </>
      )}
    </section>
  );
};

/** The head of a column, as a link that sorts by it. */
const Head: FC<Props & { sort: TopSort; title: string; children?: Child }> = (props) => {
  const { dimension, query, sort, title, children } = props;
  const sorted = query.tables[dimension].sort === sort;
  const href = usageHref(withTable(withoutPaging(query), dimension, { sort }));
  return (
    <th
      scope="col"
      class={sort === "name" ? undefined : "num"}
      aria-sort={sorted ? (sort === "name" ? "ascending" : "descending") : undefined}
    >
      <PartLink id={`sort-${dimension}-${sort}`} part={dimension} href={href} current={sorted}>
        {title}
      </PartLink>
      {children}
    </th>
  );
};

/** The search of a table that has more rows than one page, as a form that also works without JavaScript. */
const Find: FC<Props & { block: TopBlock }> = ({ dimension, block, query }) => {
  const { search } = query.tables[dimension];
  if (search === "" && block.allRows <= ROWS) return null;
  const state = usageParams(withTable(withoutPaging(query), dimension, { search: "" }));
  const { noun } = WORDS[dimension];
  return (
    <form class="search" method="get" action={USAGE_PATH} role="search">
      {[...state].map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      <label>
        <span class="unseen">Find a {noun} by id or name</span>
        <input
          id={`find-${dimension}`}
          type="search"
          name={`${dimension}s_q`}
          value={search}
          placeholder={`Find a ${noun}`}
          maxlength={100}
        />
      </label>{" "}
      <button class="button plain" type="submit">
        Find
      </button>
      {search !== "" && (
        <>
          {" "}
          <a href={usageHref(withTable(withoutPaging(query), dimension, { search: "" }))}>Show all {noun}s</a>
        </>
      )}
    </form>
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

const TopRows: FC<Props & { block: TopBlock }> = ({ dimension, block, budgets, query, unit, selectable }) => (
  <>
    {block.rows.length === 0 && (
      <tr>
        <td colspan={4} class="muted">
          {query.tables[dimension].search !== ""
            ? `No ${WORDS[dimension].noun} matches “${query.tables[dimension].search}”.`
            : block.allRows === 0 && Object.keys(query.selection).length === 0 && query.cycle === null
              ? "Nothing used yet."
              : "Nothing used in this cycle."}
        </td>
      </tr>
    )}
    {block.rows.map((row) => (
      <tr id={`row-${dimension}-${encodeURIComponent(row.id)}`}>
        <th scope="row">
          <Trend amounts={block.trends.get(row.id) ?? []} unit={unit} isPast={query.cycle !== null} />
          <FilterLink {...{ dimension, row, query, selectable }} />
          <svg class="mini" width="100%" height="4" aria-hidden="true" focusable="false">
            <rect width={`${widthOf(row, block)}%`} height="4" />
          </svg>
          {budgets
            .filter((budget) => budget.dimension === dimension && budget.id === row.id)
            .map((budget) => (
              <RowBudget budget={budget} />
            ))}
        </th>
        <td class="num">{formatCount(row.requests)}</td>
        <td class="num">{formatAmount(row.amountMicros, unit)}</td>
        <td class="num">{formatShare(row.amountMicros, block.totalMicros)}</td>
      </tr>
    ))}
  </>
);

type FilterLinkProps = Pick<Props, "dimension" | "query" | "selectable"> & { row: TopRow };

const FilterLink: FC<FilterLinkProps> = ({ dimension, row, query, selectable }) => {
  const name = <Name>{idName(dimension, row.id, row.name)}</Name>;
  if (!selectable) return name;
  const selected = query.selection[dimension] === row.id;
  const selection = withFilter(query.selection, dimension, selected ? undefined : row.id);
  return (
    <PartLink
      id={`filter-${dimension}-${encodeURIComponent(row.id)}`}
      part={FILTERED_PARTS}
      href={usageHref(withoutPaging(query), { selection })}
      current={selected}
    >
      {name}
    </PartLink>
  );
};

const TopFoot: FC<Props & { block: TopBlock }> = (props) => {
  const { dimension, block, unit } = props;
  const { rows, micros, requests } = visibleOf(props);
  const others = block.allRows - rows;
  const othersMicros = block.totalMicros - micros;
  return (
    <tfoot id={`foot-${dimension}`}>
      {others > 0 && (
        <tr class="muted">
          <th scope="row">{block.allRows > COUNTED_ROWS ? "All others" : countOf(others, "other")}</th>
          <td class="num">{requests !== null && formatCount(block.totalRequests - requests)}</td>
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
  const isLaterPage = query.tables[dimension].after !== null;
  const link = { id: `more-${dimension}`, part: dimension, push: false };
  return (
    <p id={`line-${dimension}`} class="more">
      <span class="muted">{shownText(props)}</span>{" "}
      {next !== null && (
        <PartLink {...link} href={usageHref(withTable(firstPage, dimension, { after: next }))}>
          Show more
        </PartLink>
      )}{" "}
      {isLaterPage && (next === null || query.parts === null) && (
        <PartLink {...link} id={next === null ? link.id : undefined} href={usageHref(firstPage)}>
          Show the first {ROWS}
        </PartLink>
      )}{" "}
      {block.allRows > 0 && (
        <a href={tableCsvHref(query, dimension)} download>
          CSV
        </a>
      )}
    </p>
  );
};

/** With JavaScript, a page is added to the pages before it; otherwise it replaces them. */
function visibleOf({ query, block }: { query: UsageQuery; block: TopBlock }): Shown {
  return query.parts !== null ? block.shown : sumShown(block.rows);
}

function shownText(props: Props & { block: TopBlock }): string {
  const { block, query, dimension } = props;
  const { rows } = visibleOf(props);
  if (block.allRows === 0) return "";
  if (query.tables[dimension].search !== "") {
    const found = `${countOf(block.shown.rows, WORDS[dimension].noun)} of ${formatCount(block.allRows)} found`;
    return block.next === null ? found : `The first ${found}`;
  }
  if (rows === block.allRows) return `All ${formatCount(rows)} shown`;
  const all = block.allRows > COUNTED_ROWS ? `more than ${formatCount(COUNTED_ROWS)}` : formatCount(block.allRows);
  if (rows === block.shown.rows) return `${formatCount(rows)} of ${all} shown`;
  return `${formatCount(block.shown.rows - rows + 1)}–${formatCount(block.shown.rows)} of ${all} shown`;
}

function widthOf(row: TopRow, block: TopBlock): number {
  return block.totalMicros <= 0 ? 0 : Math.max(0, Math.round((row.amountMicros / block.totalMicros) * 10_000) / 100);
}
