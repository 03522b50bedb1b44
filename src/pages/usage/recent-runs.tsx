/**
 * The newest or dearest runs: when, whose, where, with which models, and the amount. A row links to its receipt, which
 * leads back to the same filters and window. A long id is shortened; its whole is in the title and is copied with it.
 */
import type { FC } from "hono/jsx";
import { filtersOf } from "../../copy/selection.ts";
import { countOf, formatRunAmount } from "../kit/format.ts";
import { Moment, Name, PartLink, Region, Unreadable } from "../kit/parts.tsx";
import { type Block, isEarly, type RunsBlock } from "./data.ts";
import { TooEarly } from "./early.tsx";
import { receiptHref, type UsageQuery, usageHref, withoutPaging } from "./query.ts";

type Props = { block: Block<RunsBlock>; query: UsageQuery; timeZone: string };

const ORDERS = [
  { sort: "newest", label: "Newest" },
  { sort: "amount", label: "Dearest" },
] as const;
const COLUMNS = ["When", "User", "Workspace", "Model", "Surface"];

export const RecentRuns: FC<Props> = (props) => {
  const { block, query } = props;
  return (
    <section id="runs" class="card table" aria-labelledby="runs-title">
      <div class="head">
        <h2 id="runs-title">{query.cycle === null ? "Recent runs" : "Runs that started in this cycle"}</h2>
        <nav class="toggle" aria-label="Order">
          {ORDERS.map(({ sort, label }) => (
            <PartLink
              id={`runs-${sort}`}
              part="runs"
              href={usageHref(withoutPaging(query), { runs: { sort, after: null } })}
              current={query.runs.sort === sort}
            >
              {label}
            </PartLink>
          ))}
        </nav>
      </div>
      {block === null ? (
        <Unreadable what="The list of runs" retry={usageHref(withoutPaging(query))} />
      ) : isEarly(block) ? (
        <TooEarly early={block} query={query} timeZone={props.timeZone} />
      ) : (
        <>
          {/* Explicit roles, because narrow screens lay the rows out as blocks, which drops the implicit ones. */}
          <table class="runs" role="table">
            <caption>
              {query.runs.sort === "newest" ? "Newest first" : "Dearest first, of this cycle"}
              {isFiltered(query) ? ", of this selection" : ""}
              {unitsOf(block)}
            </caption>
            <thead role="rowgroup">
              <tr role="row">
                {COLUMNS.map((column) => (
                  <th scope="col" role="columnheader">
                    {column}
                  </th>
                ))}
                <th scope="col" role="columnheader" class="num">
                  Amount
                </th>
              </tr>
            </thead>
            <tbody id="rows-runs" role="rowgroup">
              <Rows {...props} block={block} />
            </tbody>
          </table>
          <MoreRuns {...props} block={block} />
        </>
      )}
    </section>
  );
};

function isFiltered({ selection }: UsageQuery): boolean {
  return filtersOf(selection).length > 0;
}

/** An enterprise that has switched its billing model has runs in both units. */
function unitsOf({ rows }: RunsBlock): string {
  const units = new Set(rows.map(({ unit }) => unit));
  if (units.size > 1) return ", in credits, or in USD if marked with $";
  return units.size === 0 ? "" : `, in ${units.has("usd") ? "USD" : "credits"}`;
}

export const RunsPage: FC<Props & { block: RunsBlock }> = (props) => (
  <>
    <Region id="rows-runs" swap="beforeend">
      <Rows {...props} />
    </Region>
    <Region id="line-runs">
      <MoreRuns {...props} />
    </Region>
    <Region id="status-region" swap="innerHTML">
      {countOf(props.block.rows.length, "more run")} shown.
    </Region>
  </>
);

const Rows: FC<Props & { block: RunsBlock }> = ({ block, query, timeZone }) => (
  <>
    {block.rows.length === 0 && (
      <tr role="row">
        <td role="cell" colspan={6} class="muted">
          {isFiltered(query)
            ? block.next === null
              ? "No runs of this selection."
              : "No runs of this selection found so far. “Show more” looks further back."
            : "No runs yet. Start an agent in a workspace on the web or on the command line: its run appears here with its first report."}
        </td>
      </tr>
    )}
    {block.rows.map((run) => (
      <tr role="row" id={`run-${encodeURIComponent(run.run)}`}>
        <th scope="row" role="rowheader">
          <a href={receiptHref(run.run, query)}>
            <Moment atMs={run.startedAtMs} timeZone={timeZone} />
          </a>
          <small class="run-id" title={run.run}>
            <Name>{run.run}</Name>
            {run.final ? "" : " · open"}
          </small>
        </th>
        <td role="cell" class="run-user">
          <Name>{run.userName ?? run.user}</Name>
        </td>
        <td role="cell" class="run-workspace">
          <Name>{run.workspaceName ?? run.workspace}</Name>
        </td>
        <td role="cell" class="run-model">
          <Name>{run.models.length === 0 ? "—" : run.models.join(", ")}</Name>
        </td>
        <td role="cell" class="run-surface">
          <span class="surface">
            <i class={`swatch ${run.surface}`} />
            {run.surface === "web" ? "Web" : "CLI"}
          </span>
        </td>
        <td role="cell" class="num">
          {formatRunAmount(run.chargedMicros, run.unit)}
        </td>
      </tr>
    ))}
  </>
);

const MoreRuns: FC<Props & { block: RunsBlock }> = ({ block, query }) => (
  <p id="line-runs" class="more">
    {block.next === null && block.rows.length > 0 && <span class="muted">All shown</span>}{" "}
    {block.next !== null ? (
      <PartLink
        id="more-runs"
        part="runs"
        push={false}
        href={usageHref(withoutPaging(query), { runs: { ...query.runs, after: block.next } })}
      >
        Show more
      </PartLink>
    ) : (
      query.runs.after !== null && (
        <PartLink id="more-runs" part="runs" push={false} href={usageHref(withoutPaging(query))}>
          Show the first
        </PartLink>
      )
    )}
  </p>
);
