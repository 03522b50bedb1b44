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
import { type OperatorTab, page } from "../kit/layout.tsx";

/** A whole page for the signed-in operator. */
export function operatorPage(props: { title: string; tab?: OperatorTab; children?: Child }) {
  return page({ title: `${props.title} · Operator`, operator: { tab: props.tab ?? null }, children: props.children });
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
