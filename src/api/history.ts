/** POST …/history imports days before an enterprise's first cycle, for charts, tables and exports. */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { historySchema, parseHistory } from "../wire/history.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

/** The document shows a recent day instead, because a day must be at most 400 days ago. */
export const EXAMPLE_DAY = "2026-02-27";

export const historyRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "post",
      path: "/v1/enterprises/{e}/history",
      name: "importHistory",
      summary: "Import usage from before the first cycle",
      details:
        "Imports days of an earlier system: at most 1,000 rows a call, of days before the enterprise's first cycle, at most 400 days ago. They appear in charts, tables, cycles (as calendar months) and exports, and never in a balance. A row with the same day, unit, surface, workspace, group, user and model replaces the earlier one. One wrong row refuses the call.",
      refusals: ["not_found", "charge_too_large"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["maintenance"] },
      answers: { 200: { description: "Imported", schema: z.object({ rows: z.int() }) } },
    }),
    request: {
      params: inEnterprise,
      body: body(historySchema, {
        unit: "credits",
        rows: [
          {
            ...{ day: EXAMPLE_DAY, surface: "web", workspace: "shop", user: "ada", model: "gpt-5" },
            ...{ requests: 12, amount_micros: 3_400_000, usage: { input_tokens: 90_000, output_tokens: 20_000 } },
          },
        ],
      }),
    },
  }),
  async (c) => {
    const imported = await enterpriseStub(c.env, c.var.address).importHistory(parseHistory(c.req.valid("json")));
    return isRefusal(imported) ? refused(c, imported.refusal) : c.json(imported);
  },
);
