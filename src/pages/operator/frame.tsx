/**
 * The frame of the operator's pages, and their tables, which lay rows out as blocks on a narrow screen. The operator's
 * pages show times in UTC, because enterprises are in many time zones.
 */
import type { Context } from "hono";
import type { Child, FC } from "hono/jsx";
import type { AtMs } from "../../ledger/time.ts";
import { FROM_NEWEST } from "../../wire/paging.ts";
import { formatIso } from "../../wire/time.ts";
import { formatShortDate, formatTime } from "../kit/dates.ts";
import { page } from "../kit/layout.tsx";
import { mayOpen } from "./access.ts";
import type { OperatorContext } from "./session.tsx";

/** The pages of the navigation, in their order. A new page adds its line here, and its scopes to access.ts. */
const PAGES = [
  { tab: "enterprises", label: "Enterprises", href: "/operator" },
  { tab: "fleet", label: "Fleet", href: "/operator/fleet" },
  { tab: "find", label: "Find a run", href: "/operator/find" },
  { tab: "prices", label: "Prices", href: "/operator/prices" },
  { tab: "plans", label: "Plans", href: "/operator/plans" },
  { tab: "keys", label: "Keys", href: "/operator/keys" },
  { tab: "referrals", label: "Referrals", href: "/operator/referrals" },
  { tab: "jobs", label: "Jobs", href: "/operator/jobs" },
] as const;
type OperatorTab = (typeof PAGES)[number]["tab"];

/** A whole page for the signed-in operator, whose navigation has the pages that the session may open. */
export function operatorPage(c: OperatorContext, props: { title: string; tab?: OperatorTab; children?: Child }) {
  const pages = PAGES.filter(({ href }) => mayOpen(c.var.caller, `GET ${href}`)).map(({ tab, label, href }) => ({
    ...{ label, href },
    current: tab === props.tab,
  }));
  return page({ title: `${props.title} · Operator`, operator: { pages }, children: props.children });
}

/** "29 Nov 2026, 14:05" in UTC. */
export function formatUtc(atMs: AtMs): string {
  return `${formatShortDate(atMs, "UTC")} ${formatIso(atMs).slice(0, 4)}, ${formatTime(atMs, "UTC")}`;
}

/** A time in UTC. With script it also shows the reader's local time. */
export const Utc: FC<{ atMs: AtMs }> = ({ atMs }) => (
  <time class="utc" datetime={formatIso(atMs)}>
    {formatUtc(atMs)}
  </time>
);

export type Column = { title: string; num?: boolean };

type TableProps = { id: string; caption: string; columns: readonly Column[]; empty: string; children?: Child };

/** @param empty the text that replaces the rows when there are no children */
export const Table: FC<TableProps> = ({ id, caption, columns, empty, children }) => (
  // With explicit roles it stays a table for screen readers when CSS lays the rows out as blocks.
  <table class="stack" role="table">
    <caption>{caption}</caption>
    <thead role="rowgroup">
      <tr role="row">
        {columns.map(({ title, num }) => (
          <th scope="col" role="columnheader" class={num === true ? "num" : undefined}>
            {title}
          </th>
        ))}
      </tr>
    </thead>
    <tbody id={id} role="rowgroup">
      {isNothing(children) ? (
        <tr role="row">
          <td role="cell" class="muted" colspan={columns.length}>
            {empty}
          </td>
        </tr>
      ) : (
        children
      )}
    </tbody>
  </table>
);

/** A row. Its first cell names what the row is about. */
export const Row: FC<{ columns: readonly Column[]; cells: readonly Child[]; faded?: boolean }> = ({
  columns,
  cells,
  faded,
}) => (
  <tr role="row" class={faded === true ? "muted" : undefined}>
    {columns.map(({ title, num }, i) =>
      i === 0 ? (
        <th scope="row" role="rowheader">
          {cells[i]}
        </th>
      ) : (
        <td role="cell" class={num === true ? "num" : undefined} data-label={title}>
          <div>{cells[i]}</div>
        </td>
      ),
    )}
  </tr>
);

/** The number before which a list starts: the query's `before`, or from the newest. */
export function beforeOf(c: Context): number {
  const before = Number(c.req.query("before") ?? FROM_NEWEST);
  return Number.isSafeInteger(before) ? before : FROM_NEWEST;
}

/** The links below a list: to the older rows, and back to the newest. */
export const Older: FC<{ path: string; before: string | null; later: boolean }> = ({ path, before, later }) => (
  <p class="more">
    {before !== null && <a href={`${path}?${new URLSearchParams({ before })}`}>Show older</a>}
    {later && <a href={path}>Show the newest</a>}
  </p>
);

function isNothing(children: Child | undefined): boolean {
  return (
    children === undefined ||
    children === null ||
    children === false ||
    (Array.isArray(children) && children.flat(9).length === 0)
  );
}
