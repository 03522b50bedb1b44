/** PUT …/spend-cap sets the monthly cap of an enterprise with its own model. The cap is in force from the next request. */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { micros, orNull } from "../wire/fields.ts";
import { gaugeSchema } from "../wire/gauge.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

export const spendCapRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "put",
      path: "/v1/enterprises/{e}/spend-cap",
      name: "setSpendCap",
      summary: "Set or remove the monthly spend cap",
      details: "Only for an enterprise that brings its own model. `monthly_cap_micros: null` removes the cap.",
      refusals: ["not_byom"],
      tag: "Operator",
      access: { scope: "admin", operatorScopes: ["enterprises"] },
      answers: {
        200: {
          description: "The cap in force",
          schema: z.object({ monthly_cap_micros: z.int().nullable(), gauge: gaugeSchema }),
        },
      },
    }),
    request: {
      params: inEnterprise,
      body: body(z.strictObject({ monthly_cap_micros: orNull(micros, "integer") }).openapi("SpendCap"), {
        monthly_cap_micros: 2_000_000_000,
      }),
    },
  }),
  async (c) => {
    const { monthly_cap_micros } = c.req.valid("json");
    const gauge = await enterpriseStub(c.env, c.var.address).setCap(c.var.caller, monthly_cap_micros);
    return isRefusal(gauge) ? refused(c, gauge.refusal) : c.json({ monthly_cap_micros, gauge });
  },
);
