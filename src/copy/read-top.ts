/**
 * The tables of a cycle's use by workspace, group, user or model: sorted, searched, filtered, in pages. A page without a
 * filter or search, largest first, reads only its own rows. Every other page reads the rows of its selection.
 */
import { DIMENSIONS, type Dimension } from "../ledger/dimensions.ts";
import type { Micros } from "../ledger/micros.ts";
import type { CheckedCopy } from "./checked-copy.ts";
import { readCycleTotal, readTop, type TopRow } from "./read.ts";
import { cellsOfCycle, type OfCycleSpan } from "./read-cube.ts";
import { filtersOf } from "./selection.ts";

export const TOP_DIMENSIONS = [...DIMENSIONS, "model"] as const;
export type TopDimension = (typeof TOP_DIMENSIONS)[number];
export const TOP_SORTS = ["amount", "requests", "name"] as const;
export type TopSort = (typeof TOP_SORTS)[number];

type TopQuestion = OfCycleSpan & { dimension: TopDimension };
/** Where a page starts: after the row with this value of the sorted column. */
export type TopAfter = { value: number | string; id: string };
type TopPageQuery = { limit: number; sort: TopSort; search: string | null; after: TopAfter | null };

type TopPage = {
  /** One row more than the limit if there is a next page. */
  rows: (TopRow & { sortedBy: number | string })[];
  totalMicros: Micros;
  totalRequests: number;
  /** The number of rows of the selection, without the search; null if it was not counted. */
  allRows: number | null;
};

/** Returns a page of a table, and the totals of its selection. */
export async function readTopPage(db: CheckedCopy, question: TopQuestion, page: TopPageQuery): Promise<TopPage> {
  const { dimension, selection } = question;
  const unfiltered = filtersOf(selection).length === 0;
  if (unfiltered && dimension !== "model" && page.sort === "amount" && page.search === null) {
    return readLargest(db, { ...question, dimension }, page);
  }
  const { statement, params } = statementOf(question, page, await matchingNames(db, question, page.search));
  const { results } = await db
    .prepare(statement)
    .bind(...params)
    .all<Record<string, number> & { id: string | null; name: string | null; sorted_by: number | string }>();
  const totals = results[0];
  return {
    rows: results.flatMap(({ id, name, requests, amount_micros, sorted_by }) =>
      id === null
        ? []
        : [{ id, name, requests: requests as number, amountMicros: amount_micros as number, sortedBy: sorted_by }],
    ),
    totalMicros: totals?.all_micros ?? 0,
    totalRequests: totals?.all_requests ?? 0,
    allRows: totals?.all_rows ?? 0,
  };
}

async function readLargest(
  db: CheckedCopy,
  { cycle, ...question }: TopQuestion & { dimension: Dimension },
  { limit, after }: TopPageQuery,
): Promise<TopPage> {
  const ofCycle = { ...question, cycleStartsAtMs: cycle.startsAtMs };
  const place = after === null ? null : { amountMicros: after.value as number, id: after.id };
  const [rows, total] = await Promise.all([readTop(db, ofCycle, limit, place), readCycleTotal(db, ofCycle)]);
  return {
    rows: rows.map((row) => ({ ...row, sortedBy: row.amountMicros })),
    totalMicros: total.amountMicros,
    totalRequests: total.requests,
    allRows: null,
  };
}

/** What a table is sorted by. Names are sorted without regard to the case of ASCII letters. */
const SORTED_BY: Record<TopSort, { value: string; order: string; beyond: string }> = {
  amount: { value: "s.amount_micros", order: "DESC", beyond: "<" },
  requests: { value: "s.requests", order: "DESC", beyond: "<" },
  name: { value: "lower(coalesce(n.name, s.id))", order: "ASC", beyond: ">" },
};

function statementOf(question: TopQuestion, { limit, sort, search, after }: TopPageQuery, matching: readonly string[]) {
  const { sums, params } = sumsOf(question);
  const place = (value: string | number) => `?${params.push(value)}`;
  const { value, order, beyond } = SORTED_BY[sort];
  const conditions = ["true"];
  if (search !== null) {
    const text = place(search.toLowerCase());
    const found = `instr(lower(s.id), ${text}) > 0 OR instr(lower(coalesce(n.name, '')), ${text}) > 0`;
    conditions.push(`(${found} OR s.id IN (SELECT value FROM json_each(${place(JSON.stringify(matching))})))`);
  }
  if (after !== null) conditions.push(`(${value}, s.id) ${beyond} (${place(after.value)}, ${place(after.id)})`);
  const named = `names AS n ON n.enterprise = ?1 AND n.kind = ${place(question.dimension)} AND n.id = s.id`;
  const statement = `WITH s AS MATERIALIZED (${sums})
    SELECT p.id, p.name, p.requests, p.amount_micros, p.sorted_by, t.all_rows, t.all_requests, t.all_micros
    FROM (SELECT count(*) AS all_rows, sum(requests) AS all_requests, sum(amount_micros) AS all_micros FROM s) AS t
    LEFT JOIN (
      SELECT s.id, n.name, s.requests, s.amount_micros, ${value} AS sorted_by FROM s LEFT JOIN ${named}
      WHERE ${conditions.join(" AND ")} ORDER BY sorted_by ${order}, s.id ${order} LIMIT ${limit + 1}
    ) AS p ON true ORDER BY p.sorted_by ${order}, p.id ${order}`;
  return { statement, params };
}

/** Returns SQL for the sums of all rows of the table: id, requests and amount_micros. */
function sumsOf(question: TopQuestion): { sums: string; params: (string | number)[] } {
  const { enterprise, unit, cycle, dimension, selection } = question;
  if (filtersOf(selection).length > 0) {
    const { from, where, params } = cellsOfCycle(question);
    // A run counts once for each model that it used, so with models involved, its first reports for models count.
    const requests = dimension === "model" || selection.model !== undefined ? "model_requests" : "requests";
    const column = dimension === "group" ? "group_id" : dimension;
    const sums = `SELECT ${column} AS id, sum(${requests}) AS requests, sum(cycle_micros) AS amount_micros
      FROM ${from} WHERE ${where} GROUP BY 1`;
    return { sums, params };
  }
  const ofCycle = "enterprise = ?1 AND unit = ?2 AND cycle_starts_at_ms = ?3";
  if (dimension === "model") {
    const sums = `SELECT model AS id, sum(model_requests) AS requests, sum(cycle_micros) AS amount_micros
      FROM usage_by_model WHERE ${ofCycle} GROUP BY 1`;
    return { sums, params: [enterprise, unit, cycle.startsAtMs] };
  }
  const sums = `SELECT id, requests, amount_micros FROM usage_by_dimension WHERE ${ofCycle} AND dimension = ?4`;
  return { sums, params: [enterprise, unit, cycle.startsAtMs, dimension] };
}

/** SQLite folds the case of ASCII letters only, so names with other letters are searched here. Returns their ids. */
async function matchingNames(
  db: CheckedCopy,
  { enterprise, dimension }: TopQuestion,
  search: string | null,
): Promise<string[]> {
  if (search === null || isAscii(search)) return [];
  const text = search.toLowerCase();
  const { results } = await db
    .prepare("SELECT id, name FROM names WHERE enterprise = ?1 AND kind = ?2 AND name GLOB '*[^ -~]*'")
    .bind(enterprise, dimension)
    .all<{ id: string; name: string }>();
  return results.filter(({ name }) => name.toLowerCase().includes(text)).map(({ id }) => id);
}

function isAscii(text: string): boolean {
  return [...text].every((letter) => letter <= "~");
}
