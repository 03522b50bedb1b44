/**
 * The routes for a cycle's usage by workspace, group, user and model. They read the copy in D1. A cursor names its cycle,
 * so the pages of one table belong together also when the cycle turns between them.
 */
import type { Context } from "hono";
import { type Kinds, readKinds } from "../copy/read-cube.ts";
import { readTopPage, TOP_SORTS, type TopAfter, type TopDimension } from "../copy/read-top.ts";
import type { Kind } from "../ledger/kinds.ts";
import { percentOf, UNITS } from "../ledger/micros.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { openUsage } from "../operations/usage-view.ts";
import { formatIso } from "../wire/time.ts";
import { showUsage, usedSchema } from "../wire/usage.ts";
import type { ApiEnv } from "./auth.ts";
import { cursorOf, limit, listOf, pageOf } from "./listing.ts";
import { invalid, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";
import { cycleField, filteredFrom, filteredFromField, refuseTooEarly, selectionFields } from "./usage-query.ts";

const unit = z.enum(UNITS);
const instant = z.iso.datetime();

const topRow = z.object({
  id: z.string(),
  name: z.string(),
  requests: z.int(),
  amount_micros: z.int(),
  percent: z.number().nullable(),
});
const head = {
  unit,
  cycle: z.object({ starts_at: instant, ends_at: instant }),
  as_of: instant,
  filtered_from: filteredFromField,
  total_micros: z.int(),
};
const topSchema = z.object({ ...head, ...listOf(topRow).shape }).openapi("Top");
const modelsSchema = z
  .object({ ...head, ...listOf(topRow.extend({ usage: usedSchema.describe("Every kind that was used") })).shape })
  .openapi("TopModels");

const topQuery = z.strictObject({
  limit: limit.default(10),
  cursor: z.union([cursorOf("number", "string", "string"), cursorOf("number", "number", "string")]).optional(),
  cycle: cycleField,
  q: z.string().trim().max(200).optional().describe("A part of the id or the name, in any case"),
  sort: z.enum(TOP_SORTS).default("amount").describe("Amounts and requests: largest first; names: from A to Z"),
  ...selectionFields,
});
type TopQuery = z.output<typeof topQuery>;

const top = <S extends z.ZodType>(plural: string, schema: S, details: string) =>
  createRoute({
    ...declare({
      method: "get",
      path: `/v1/enterprises/{e}/usage/top/${plural}`,
      name: `readTop${plural[0]?.toUpperCase()}${plural.slice(1)}`,
      summary: `List a cycle's ${plural} by amount, largest first`,
      details: `Read from the copy. \`percent\` is the share of \`total_micros\`, which is the total of all rows that match the filters; \`q\` narrows the rows, and not this total. Filters can be combined. ${details}`,
      refusals: ["copy_unavailable", "filtered_too_early"],
      tag: "Readers",
      access: { scope: "read", session: true, operatorScopes: ["metrics"] },
      answers: { 200: { description: "A page of the table", schema } },
    }),
    request: { params: inEnterprise, query: topQuery },
  });

const OF_RUNS = "A run counts as a request in the cycle in which its first report arrived.";
const OF_MODELS = "`requests` counts the runs that used the model. `usage` has the quantities by kind.";

export const topRoutes = newRouter()
  .openapi(top("workspaces", topSchema, OF_RUNS), (c) => answerTop(c, "workspace", c.req.valid("query")))
  .openapi(top("groups", topSchema, OF_RUNS), (c) => answerTop(c, "group", c.req.valid("query")))
  .openapi(top("users", topSchema, OF_RUNS), (c) => answerTop(c, "user", c.req.valid("query")))
  .openapi(top("models", modelsSchema, OF_MODELS), (c) => answerTop(c, "model", c.req.valid("query")));

async function answerTop(c: Context<ApiEnv>, dimension: TopDimension, query: TopQuery): Promise<Response> {
  const { limit: maxRows, cursor, cycle: asked, q, sort, ...selection } = query;
  if (cursor !== undefined && !belongsTo(cursor, asked, sort)) {
    return invalid(c, [{ path: "cursor", message: "must be a next_cursor of this list" }]);
  }
  const usage = await openUsage(c.env, c.executionCtx, c.var, { selection, cycleStartsAtMs: cursor?.[0] ?? asked });
  if (isRefusal(usage)) return refused(c, usage.refusal);
  const { view, cycle, copy } = usage;
  const refusal = refuseTooEarly(c, usage, cycle, dimension === "model");
  if (refusal !== null) return refusal;
  const question = {
    enterprise: c.var.enterprise,
    unit: view.gauge.unit,
    selection: usage.selection,
    cycle,
    dimension,
  };
  const after: TopAfter | null = cursor === undefined ? null : { value: cursor[1], id: cursor[2] };
  const [table, kinds] = await Promise.all([
    readTopPage(copy, question, { limit: maxRows, sort, search: q === undefined || q === "" ? null : q, after }),
    dimension === "model" ? readKinds(copy, question) : null,
  ]);
  const page = pageOf(
    table.rows,
    maxRows,
    ({ id, sortedBy }) => [cycle.startsAtMs, sortedBy, id],
    ({ id, name, requests, amountMicros }) => ({
      id,
      name: name ?? id,
      requests,
      amount_micros: amountMicros,
      percent: shareOf(amountMicros, table.totalMicros),
      ...(kinds === null ? {} : { usage: usageOf(kinds, id) }),
    }),
  );
  return c.json({
    unit: view.gauge.unit,
    cycle: { starts_at: formatIso(cycle.startsAtMs), ends_at: formatIso(cycle.endsAtMs) },
    as_of: formatIso(view.copyAsOfMs),
    ...filteredFrom(usage, dimension === "model"),
    total_micros: table.totalMicros,
    ...page,
  });
}

/** Whether a cursor comes from a list in this order and of this cycle. */
function belongsTo(
  [ofCycle, value]: NonNullable<TopQuery["cursor"]>,
  asked: number | undefined,
  sort: string,
): boolean {
  return (typeof value === "string") === (sort === "name") && (asked === undefined || asked === ofCycle);
}

/** Refunds of a filter's selection may make a row, or even the total, negative. */
function shareOf(micros: number, totalMicros: number): number | null {
  return micros < 0
    ? totalMicros <= 0
      ? null
      : -(percentOf(-micros, totalMicros) ?? 0)
    : percentOf(micros, totalMicros);
}

function usageOf({ rows }: Kinds, model: string) {
  const usage: Partial<Record<Kind, number>> = {};
  for (const row of rows) {
    if (row.model === model) usage[row.kind] = (usage[row.kind] ?? 0) + row.quantity;
  }
  return showUsage(usage);
}
