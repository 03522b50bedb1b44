/** GET …/gauge returns the current state of an enterprise, from its Durable Object. */
import { cors } from "hono/cors";
import { isRefusal } from "../ledger/refusals.ts";
import { callEnterprise } from "../operations/enterprise-stub.ts";
import { gaugeSchema } from "../wire/gauge.ts";
import { answerText, isComplete } from "./every-response.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter } from "./route.ts";

export const gaugeRoutes = newRouter();

// The usage bar reads the gauge from a page of another origin. CORS allows every origin but no cookies, because only
// the embed token authorizes the bar.
const preflight = cors({ origin: "*", allowMethods: ["GET"], allowHeaders: ["Authorization"], maxAge: 600 });
gaugeRoutes.use("/v1/enterprises/:e/gauge", async (c, next) => {
  if (c.req.method === "OPTIONS") return preflight(c, next);
  await next();
  // Set on the finished response: headers that are set before make Hono copy it.
  if (!isComplete(c)) c.res.headers.set("Access-Control-Allow-Origin", "*");
});

const declared = declare({
  method: "get",
  path: "/v1/enterprises/{e}/gauge",
  name: "readGauge",
  summary: "Read the gauge, an enterprise's state at this moment",
  details:
    "Read from the ledger, so the balance shown is the balance that decides whether runs may start. An embed token works only on its own origin.",
  tag: "Readers",
  access: { scope: "read", session: true, embed: true, operatorScopes: ["metrics"] },
  answers: { 200: { description: "The gauge", schema: gaugeSchema } },
});

// authorize() checks the path, so no schema checks it again. The parameters are registered only for the OpenAPI document.
gaugeRoutes.openapi(createRoute({ ...declared, hide: true }), async (c) => {
  const gauge = await callEnterprise(c.env, c.get("address"), async (stub) => stub.gauge(c.get("caller"), true));
  if (typeof gauge === "string") return answerText(c, gauge, { shared: true });
  return isRefusal(gauge) ? refused(c, gauge.refusal) : c.json(gauge);
});

gaugeRoutes.openAPIRegistry.registerPath({ ...declared, request: { params: inEnterprise } });
