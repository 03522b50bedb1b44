/**
 * The operator's maintenance routes: they audit an enterprise's ledger, rebuild its copy in D1, and move the copy to
 * another database. Local demo mode adds a route that ends a demo enterprise's test clock. The demo creates its history with the test clock, and then
 * continues in real time.
 */
import { catalogOf } from "../catalog/object.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { jurisdictionOf } from "../ledger/regions.ts";
import { isDemoMode } from "../operations/demo-mode.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { shardsFor } from "../operations/shards.ts";
import { formatIso } from "../wire/time.ts";
import { showEnterprise } from "./enterprises.ts";
import { invalid, problem, refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const auditSchema = z
  .object({
    ok: z.boolean(),
    checked_at: z.iso.datetime(),
    checks: z.array(z.object({ name: z.string(), ok: z.boolean(), detail: z.string() })),
  })
  .openapi("Audit");

/** How long the result of an audit that ran as a job is the response to further calls. */
const SERVED_MS = 600_000;
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
          "Recomputes the balances from the ledger's rows, and compares the copy with the ledger. It does not delay debits, and is right while they arrive. Small books are audited in the call. For large ones the response is 202 with a job; once the job is done, the response is 200 with its result for ten minutes, and then a call starts the next audit.",
        tag: "Operator",
        access: { ...access, operatorScopes: ["metrics"] },
        answers: {
          200: { description: "The checks and their results", schema: auditSchema },
          202: { description: "The audit goes on; see its job", schema: z.object({ job: z.string() }) },
        },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const audit = await enterpriseStub(c.env, c.var.address).audit({ sliced: true, maxAgeMs: SERVED_MS });
      if (isRefusal(audit)) return refused(c, audit.refusal);
      if ("job" in audit) return c.json({ job: audit.job }, 202);
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
          "Writes the copy again from the ledger, and then deletes the rows that the ledger does not have. Readers keep seeing the old copy until the new one is complete. You can do this at any time and any number of times. An interrupted rebuild continues automatically.",
        empty: true,
        tag: "Operator",
        access: { ...access, operatorScopes: ["maintenance"] },
        answers: {
          200: { description: "Rebuilt", schema: z.object({ rebuilt: z.boolean(), batches: z.int() }) },
          202: { description: "Started; see the job", schema: z.object({ job: z.string() }) },
        },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const rebuilt = await enterpriseStub(c.env, c.var.address).rebuild();
      if (isRefusal(rebuilt)) return refused(c, rebuilt.refusal);
      return "job" in rebuilt ? c.json(rebuilt, 202) : c.json({ rebuilt: true, ...rebuilt });
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/move-copy",
        name: "moveCopy",
        summary: "Move an enterprise's copy to another database",
        details:
          "`shard` is the binding of a D1 database in the enterprise's jurisdiction, such as `DB_1`. Readers keep seeing the whole copy. If a move is under way, it continues, and the response names its job.",
        tag: "Operator",
        access: { ...access, operatorScopes: ["maintenance"] },
        answers: { 202: { description: "Started; see the job", schema: z.object({ job: z.string() }) } },
        refusals: ["validation_failed"],
      }),
      request: { params: inEnterprise, body: body(z.strictObject({ shard: z.string().max(64) }), { shard: "DB_1" }) },
    }),
    async (c) => {
      const { shard } = c.req.valid("json");
      const shards = shardsFor(c.env, jurisdictionOf(c.var.address.region));
      if (!shards.includes(shard)) {
        const others = `must be one of ${shards.join(", ")}`;
        const message =
          shards.length > 1 ? others : "cannot be chosen: this deployment has one database for the enterprise";
        return invalid(c, [{ path: "shard", message }]);
      }
      const moved = await enterpriseStub(c.env, c.var.address).moveCopy(shard);
      return isRefusal(moved) ? refused(c, moved.refusal) : c.json(moved, 202);
    },
  );

// This route exists only in local demo mode. It is not part of the API, so the OpenAPI document omits it.
maintenanceRoutes.openapi(
  createRoute({
    ...declare({
      method: "post",
      path: "/v1/enterprises/{e}/demo/follow-real-clock",
      name: "followRealClock",
      summary: "End a demo enterprise's test clock and mark its history as demo data",
      tag: "Operator",
      access: { ...access, operatorScopes: ["enterprises"] },
      answers: { 200: { description: "The enterprise" } },
    }),
    request: { params: inEnterprise },
    hide: true,
  }),
  async (c) => {
    if (!isDemoMode(c.env)) return problem(c, "not_found");
    const state = await enterpriseStub(c.env, c.var.address).followRealClock();
    if (isRefusal(state)) return refused(c, state.refusal);
    await catalogOf(c.env).enrolDemo(state.identity.id);
    return c.json(await showEnterprise(c, state));
  },
);
