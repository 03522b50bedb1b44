/**
 * The routes for usage: over time by surface, and in this cycle by workspace, group or user. All read the copy in D1.
 * `as_of` is the time up to which the copy is complete.
 */
import type { Context } from "hono";
import { readCycleTotal, readTimeseries, readTop } from "../copy/read.ts";
import type { Dimension } from "../ledger/attribution.ts";
import { GRANULARITIES, RANGES, spansOf } from "../ledger/calendar.ts";
import { percentOf, UNITS } from "../ledger/micros.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { readCopy } from "../operations/read-copy.ts";
import { formatIso } from "../wire/time.ts";
import type { ApiEnv } from "./auth.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const unit = z.enum(UNITS);
const instant = z.iso.datetime();
const access = { scope: "read", session: true, operatorScopes: ["metrics"] } as const;

const timeseriesSchema = z
  .object({
    unit,
    range: z.enum(RANGES),
    granularity: z.enum(GRANULARITIES),
    time_zone: z.string(),
    as_of: instant,
    buckets: z.array(z.object({ starts_at: instant, ends_at: instant, web_micros: z.int(), cli_micros: z.int() })),
  })
  .openapi("Timeseries");

const topRow = z.object({
  id: z.string(),
  name: z.string(),
  requests: z.int(),
  amount_micros: z.int(),
  percent: z.number().nullable(),
});
const topSchema = z
  .object({
    unit,
    cycle: z.object({ starts_at: instant, ends_at: instant }),
    as_of: instant,
    total_micros: z.int(),
    ...listOf(topRow).shape,
  })
  .openapi("Top");

const topQuery = listQuery(10, "number", "string");

const top = (plural: string) =>
  createRoute({
    ...declare({
      method: "get",
      path: `/v1/enterprises/{e}/usage/top/${plural}`,
      name: `readTop${plural[0]?.toUpperCase()}${plural.slice(1)}`,
      summary: `List this cycle's ${plural} by amount, largest first`,
      details: "Read from the copy. `percent` is the share of `total_micros`, which is the total of the whole cycle.",
      refusals: ["copy_unavailable"],
      tag: "Readers",
      access,
      answers: { 200: { description: "A page of the table", schema: topSchema } },
    }),
    request: { params: inEnterprise, query: topQuery },
  });

export const usageRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/usage/timeseries",
        name: "readTimeseries",
        summary: "Read the usage over time, by surface",
        details:
          "Read from the copy. Buckets start and end on boundaries in the enterprise's time zone. The last bucket may end in the future. A refund counts in the bucket in which it was made, so a bucket may be negative.",
        refusals: ["copy_unavailable"],
        tag: "Readers",
        access,
        answers: { 200: { description: "The buckets, oldest first, including empty ones", schema: timeseriesSchema } },
      }),
      request: { params: inEnterprise, query: z.strictObject({ range: z.enum(RANGES).default("7d") }) },
    }),
    async (c) => {
      const { range } = c.req.valid("query");
      const view = await enterpriseStub(c.env, c.var.address).copyView(c.var.caller);
      if (isRefusal(view)) return refused(c, view.refusal);
      const { granularity, spans } = spansOf(range, view.nowMs, view.timeZone);
      const copy = readCopy(c.env, c.executionCtx, c.var.address, view.copy);
      const buckets = await readTimeseries(copy, c.var.enterprise, view.gauge.unit, granularity, spans);
      return c.json({
        unit: view.gauge.unit,
        range,
        granularity,
        time_zone: view.timeZone,
        as_of: formatIso(view.copyAsOfMs),
        buckets: buckets.map(({ startsAtMs, endsAtMs, webMicros, cliMicros }) => ({
          starts_at: formatIso(startsAtMs),
          ends_at: formatIso(endsAtMs),
          web_micros: webMicros,
          cli_micros: cliMicros,
        })),
      });
    },
  )
  .openapi(top("workspaces"), (c) => answerTop(c, "workspace", c.req.valid("query")))
  .openapi(top("groups"), (c) => answerTop(c, "group", c.req.valid("query")))
  .openapi(top("users"), (c) => answerTop(c, "user", c.req.valid("query")));

async function answerTop(
  c: Context<ApiEnv>,
  dimension: Dimension,
  query: z.output<typeof topQuery>,
): Promise<Response> {
  const view = await enterpriseStub(c.env, c.var.address).copyView(c.var.caller);
  if (isRefusal(view)) return refused(c, view.refusal);
  const { unit: shown, cycle } = view.gauge;
  const question = { enterprise: c.var.enterprise, unit: shown, cycleStartsAtMs: view.cycleStartsAtMs };
  const after = query.cursor === undefined ? null : { amountMicros: query.cursor[0], id: query.cursor[1] };
  const copy = readCopy(c.env, c.executionCtx, c.var.address, view.copy);
  const [total, rows] = await Promise.all([
    readCycleTotal(copy, question),
    readTop(copy, { ...question, dimension }, query.limit, after),
  ]);
  const page = pageOf(
    rows,
    query.limit,
    ({ id, amountMicros }) => [amountMicros, id],
    ({ id, name, requests, amountMicros }) => ({
      id,
      name: name ?? id,
      requests,
      amount_micros: amountMicros,
      percent: percentOf(amountMicros, total.amountMicros),
    }),
  );
  return c.json({
    unit: shown,
    cycle: { starts_at: cycle.starts_at, ends_at: cycle.ends_at },
    as_of: formatIso(view.copyAsOfMs),
    total_micros: total.amountMicros,
    ...page,
  });
}
