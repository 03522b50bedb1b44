/** GET …/gauge: the state of an enterprise at this moment, from its object. */
import { cors } from "hono/cors";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { gaugeSchema } from "../wire/gauge.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter } from "./route.ts";

export const gaugeRoutes = newRouter();

// The usage bar asks from its host's page. Every origin may ask, because the token authorizes; cookies are not accepted.
gaugeRoutes.use(
  "/v1/enterprises/:e/gauge",
  cors({ origin: "*", allowMethods: ["GET"], allowHeaders: ["Authorization"], maxAge: 600 }),
);

gaugeRoutes.openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/gauge",
      name: "readGauge",
      summary: "Read the gauge, an enterprise's state at this moment",
      details:
        "Read from the ledger: the number shown is the number that blocks. An embed token works on its own origin.",
      tag: "Readers",
      access: { scope: "read", session: true, embed: true },
      answers: { 200: { description: "The gauge", schema: gaugeSchema } },
    }),
    request: { params: inEnterprise },
  }),
  async (c) => {
    const gauge = await enterpriseStub(c.env, c.var.enterprise).gauge(c.var.caller);
    return isRefusal(gauge) ? refused(c, gauge.refusal) : c.json(gauge);
  },
);
