/**
 * GET /settings/usage/users.csv and the like: a whole table of the usage page as a file, with the same cycle, filters,
 * search and order. It is streamed page by page from the copy, and its last line is the total of the selection.
 */
import { Hono } from "hono";
import { readTopPage, TOP_DIMENSIONS, type TopAfter, type TopDimension } from "../../copy/read-top.ts";
import { dateOf } from "../../ledger/calendar.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { csvCell, streamLines } from "../../wire/csv.ts";
import { problemPage } from "../kit/problem-page.tsx";
import { answerRefused, type PageEnv, requireSession } from "../kit/session.ts";
import { isEarly, openTable } from "./data.ts";
import { parseUsageQuery, USAGE_PATH } from "./query.ts";

const PAGE_ROWS = 500;
const MICROS = 1_000_000;

export const tableFiles = new Hono<PageEnv>();

for (const dimension of TOP_DIMENSIONS) {
  tableFiles.get(`${USAGE_PATH}/${dimension}s.csv`, requireSession, async (c) => {
    const query = parseUsageQuery(new URL(c.req.url).searchParams);
    const opened = await openTable(c, query, dimension);
    if (isRefusal(opened)) return answerRefused(c, opened.refusal);
    if (isEarly(opened)) return problemPage(c, "not_found");
    const { view, copy, question } = opened;
    const { sort, search } = query.tables[dimension];
    const lines = linesOf(dimension, view.gauge.unit, (after) =>
      readTopPage(copy, question, { limit: PAGE_ROWS, sort, search: search === "" ? null : search, after }),
    );
    const first = await lines.next();
    const day = dateOf(question.cycle.startsAtMs, view.timeZone);
    const enterprise = c.var.session.enterprise.replaceAll(/[^A-Za-z0-9_-]/g, "_");
    return c.body(streamLines(first, lines), 200, {
      "Content-Type": "text/csv; charset=utf-8",
      "Content-Disposition": `attachment; filename="${dimension}s-${enterprise}-${day}.csv"`,
    });
  });
}

type ReadPage = (after: TopAfter | null) => ReturnType<typeof readTopPage>;

async function* linesOf(dimension: TopDimension, unit: string, read: ReadPage): AsyncGenerator<string> {
  yield line([dimension, "name", "requests", "unit", "amount", "amount_micros"]);
  for (let after: TopAfter | null = null; ; ) {
    const page = await read(after);
    const rows = page.rows.slice(0, PAGE_ROWS);
    yield rows
      .map(({ id, name, requests, amountMicros }) =>
        line([id, name ?? id, requests, unit, amountMicros / MICROS, amountMicros]),
      )
      .join("");
    const last = rows.at(-1);
    if (page.rows.length <= PAGE_ROWS || last === undefined) {
      const { totalMicros, totalRequests } = page;
      yield line(["total", "", totalRequests, unit, totalMicros / MICROS, totalMicros]);
      return;
    }
    after = { value: last.sortedBy, id: last.id };
  }
}

function line(cells: (string | number)[]): string {
  return `${cells.map(csvCell).join(",")}\r\n`;
}
