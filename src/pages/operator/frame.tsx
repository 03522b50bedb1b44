/**
 * The frame of the operator's pages, and a table that lays its rows out as blocks where the screen is narrow. Times of
 * the operator's pages are UTC: enterprises live in many zones.
 */
import type { Child, FC } from "hono/jsx";
import type { AtMs } from "../../ledger/time.ts";
import { formatIso } from "../../wire/time.ts";
import { formatShortDate, formatTime } from "../kit/dates.ts";
import { page } from "../kit/layout.tsx";

export type OperatorTab = "enterprises" | "new";

/** A whole page for who is signed in as the operator. */
export function operatorPage(props: { title: string; tab?: OperatorTab; children?: Child }) {
  return page({ title: `${props.title} · Operator`, operator: { tab: props.tab ?? null }, children: props.children });
}

/** "29 Nov 2026, 14:05" in UTC. */
export function formatUtc(atMs: AtMs): string {
  return `${formatShortDate(atMs, "UTC")} ${formatIso(atMs).slice(0, 4)}, ${formatTime(atMs, "UTC")}`;
}

/** The same, which with script tells itself in the reader's own zone. */
export const Utc: FC<{ atMs: AtMs }> = ({ atMs }) => <time datetime={formatIso(atMs)}>{formatUtc(atMs)}</time>;

export type Column = { title: string; num?: boolean };

type TableProps = { id: string; caption: string; columns: readonly Column[]; empty: string; children?: Child };

/** @param empty what stands in place of rows where there are none; then give no children */
export const Table: FC<TableProps> = ({ id, caption, columns, empty, children }) => (
  // The roles stay when a narrow screen lays the rows out as blocks.
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

/** A row; its first cell is what the row is about. */
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

/** Below a list: on to the older rows, and back to the newest. */
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
