/** The routes of the catalogue of plans: read it, and replace it as a whole. */
import { byOf } from "../access/callers.ts";
import { changePlans, readPlans } from "../operations/plans.ts";
import { parsePlans, plansPut, plansSchema, showPlans } from "../wire/plan.ts";
import { problemOf, sendProblem } from "../wire/problems.ts";
import { problem } from "./problem.ts";
import { body, createRoute, declare, newRouter } from "./route.ts";

export const planRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/plans",
        name: "readPlans",
        summary: "Read the catalogue of plans",
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["enterprises", "metrics"] },
        answers: { 200: { description: "The plans", schema: plansSchema } },
      }),
    }),
    async (c) => c.json(showPlans(await readPlans(c.env)), 200),
  )
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/plans",
        name: "putPlans",
        summary: "Replace the catalogue of plans",
        details:
          "The plans are the whole catalogue. An edited plan applies to an enterprise from its next cycle. A larger allowance also applies at once when that enterprise is next PUT. The `monthly_allowance_micros` of an enterprise overrides its plan's.",
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["enterprises"] },
        answers: { 201: { description: "The next version", schema: plansSchema } },
        refusals: ["plan_in_use", "plans_conflict"],
      }),
      request: {
        body: body(plansPut, {
          plans: [
            { id: "free", name: "Free", allowance_micros: 500_000_000, free: true },
            { id: "pro", name: "Pro", allowance_micros: 5_000_000_000, free: false },
          ],
        }),
      },
    }),
    async (c) => {
      const sent = c.req.valid("json");
      const by = byOf(c.var.caller);
      const changed = await changePlans(c.env, { plans: parsePlans(sent), knownVersion: sent.version ?? null, by });
      if ("plans" in changed) return c.json(showPlans(changed), 201);
      if ("conflict" in changed) return problem(c, "plans_conflict");
      if ("unrecorded" in changed) return problem(c, "ledger_busy");
      const { plan, enterprise } = changed.inUse;
      const detail = `The enterprise "${enterprise}" has the plan "${plan}". Give it another plan first.`;
      return sendProblem(c, { ...problemOf("plan_in_use"), detail }, { plan, enterprise });
    },
  );
