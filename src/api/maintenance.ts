/**
 * Upkeep, for the operator: the ledger's own audit, and the copy written anew. In local demo mode also the end of a
 * demo enterprise's test clock: its history was played by that clock, and from then on it lives in real time.
 */
import { catalogOf } from "../catalog/object.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { isDemoMode } from "../operations/demo-mode.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { formatIso } from "../wire/time.ts";
import { showEnterprise } from "./enterprises.ts";
import { problem, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const auditSchema = z
  .object({
    ok: z.boolean(),
    checked_at: z.iso.datetime(),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  })
  .openapi("Audit");

const access = { scope: "operator", costly: true } as const;

export const maintenanceRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/audit",
        name: "auditEnterprise",
        summary: "Recompute the books from their rows, and compare the copy with them",
        details: "Debits wait while the books are read: about half a second per 100,000 meters.",
        tag: "Operator",
        access,
        answers: { 200: { description: "What was checked, and what is wrong", schema: auditSchema } },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const audit = await enterpriseStub(c.env, c.var.enterprise).audit();
      if (isRefusal(audit)) return refused(c, audit.refusal);
      const { checks, checkedAtMs } = audit;
      return c.json({ ok: checks.every((check) => check.ok), checked_at: formatIso(checkedAtMs), checks });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/rebuild",
        name: "rebuildCopy",
        summary: "Delete the copy of an enterprise and write it anew",
        details: "Harmless, whenever and however often. One that is cut off half-way is begun again by itself.",
        empty: true,
        tag: "Operator",
        access,
        answers: { 200: { description: "Rebuilt", schema: z.object({ rebuilt: z.boolean(), batches: z.int() }) } },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const rebuilt = await enterpriseStub(c.env, c.var.enterprise).rebuild();
      return isRefusal(rebuilt) ? refused(c, rebuilt.refusal) : c.json({ rebuilt: true, ...rebuilt });
    },
  );

// Not part of the interface: it exists in local demo mode only, so the OpenAPI document does not name it.
maintenanceRoutes.openapi(
  createRoute({
    ...declare({
      method: "post",
      path: "/v1/enterprises/{e}/demo/follow-real-clock",
      name: "followRealClock",
      summary: "End a demo enterprise's test clock and mark its history as demo data",
      tag: "Operator",
      access,
      answers: { 200: { description: "The enterprise" } },
    }),
    request: { params: inEnterprise },
    hide: true,
  }),
  async (c) => {
    if (!isDemoMode(c.env)) return problem(c, "not_found");
    const state = await enterpriseStub(c.env, c.var.enterprise).followRealClock();
    if (isRefusal(state)) return refused(c, state.refusal);
    await catalogOf(c.env).enrolDemo(state.identity.id);
    return c.json(await showEnterprise(c, state));
  },
);
