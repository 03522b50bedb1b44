/**
 * Maintenance, for the operator: the audit of a ledger, and the rebuild of its copy. In local demo mode also the end of
 * a demo enterprise's test clock: the demo plays its history by that clock, then continues in real time.
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
        summary: "Audit an enterprise",
        details:
          "Recomputes the books from their rows, and compares the copy with them. Debits wait while the books are read: about half a second per 100,000 meters.",
        tag: "Operator",
        access,
        answers: { 200: { description: "The checks and their results", schema: auditSchema } },
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
        summary: "Rebuild an enterprise's copy",
        details:
          "Deletes the copy and writes it again from the ledger. It is safe at any time and any number of times. An interrupted rebuild restarts by itself.",
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

// Not part of the interface, and so not in the OpenAPI document: it exists in local demo mode only.
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
