/** GET …/cycles lists the billing cycles, newest first, from the enterprise's Durable Object. */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { formatIso } from "../wire/time.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const cycleSchema = z
  .object({
    starts_at: z.iso.datetime(),
    ends_at: z.iso.datetime(),
    credits: z.object({
      allowance_micros: z.int(),
      monthly_used_micros: z.int(),
      bonus_used_micros: z.int(),
      debt_written_off_micros: z.int(),
      used_micros: z.int(),
    }),
    usd: z.object({ used_micros: z.int(), cap_micros: z.int().nullable() }),
    requests: z.int(),
    imported: z.boolean().describe("True for a month of imported history"),
  })
  .openapi("Cycle");

export const cycleRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/cycles",
      name: "listCycles",
      summary: "List the billing cycles, newest first",
      details:
        "The first row is the current cycle. Lists the cycles whose totals are kept: those of the last 400 days. `usd.cap_micros` is the spend cap at the end of the cycle, or now. `requests` counts the runs whose first report arrived in the cycle.",
      tag: "Readers",
      access: { scope: "read", session: true, operatorScopes: ["metrics"] },
      answers: { 200: { description: "A page of cycles", schema: listOf(cycleSchema) } },
    }),
    request: { params: inEnterprise, query: listQuery(12, "number") },
  }),
  async (c) => {
    const { limit, cursor: [beforeMs] = [FROM_NEWEST] } = c.req.valid("query");
    const cycles = await enterpriseStub(c.env, c.var.address).cycles(c.var.caller, beforeMs, limit);
    if (isRefusal(cycles)) return refused(c, cycles.refusal);
    const page = pageOf(
      cycles,
      limit,
      ({ startsAtMs }) => [startsAtMs],
      (cycle) => ({
        starts_at: formatIso(cycle.startsAtMs),
        ends_at: formatIso(cycle.endsAtMs),
        credits: {
          allowance_micros: cycle.allowanceMicros,
          monthly_used_micros: cycle.monthlyUsedMicros,
          bonus_used_micros: cycle.bonusUsedMicros,
          debt_written_off_micros: cycle.debtWrittenOffMicros,
          used_micros: cycle.creditsUsedMicros,
        },
        usd: { used_micros: cycle.spendUsedMicros, cap_micros: cycle.capMicros },
        requests: cycle.requests,
        imported: cycle.imported,
      }),
    );
    return c.json(page);
  },
);
