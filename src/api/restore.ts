/** POST …/restore takes an enterprise back to a moment of the last 30 days, with the platform's point-in-time recovery. */
import { byOf } from "../access/callers.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { restoreEnterprise } from "../operations/restore.ts";
import { time } from "../wire/fields.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

export const restoreRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "post",
      path: "/v1/enterprises/{e}/restore",
      name: "restoreEnterprise",
      summary: "Restore an enterprise to an earlier moment",
      details:
        "Takes the enterprise's ledger back to a moment of the last 30 days and rebuilds its copy. It begins a minute after this call. Until then and until the ledger is back, every call for the enterprise is 503 `ledger_busy`; after that, charts and lists are 503 `copy_unavailable` until the copy is rebuilt, which ends the job. Debits, grants, caps, budgets and settings since then are undone. Keys made or revoked, sign-outs, used sign-in links and erasures since then are not. The next report of a run in progress charges its totals again. `seq` continues above every number ever issued, behind a `checkpoint` of the journal, and export cursors from before are 410 `cursor_expired`. 501 where the platform has no recovery, as in local development. docs/operate.md says what to consider first.",
      refusals: ["not_found", "not_supported"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["maintenance"] },
      answers: { 202: { description: "Started; see the job", schema: z.object({ job: z.string() }) } },
    }),
    request: {
      params: inEnterprise,
      body: body(z.strictObject({ at: time }).openapi("Restore"), { at: "2026-11-23T14:05:12Z" }),
    },
  }),
  async (c) => {
    const begun = await restoreEnterprise(c.env, c.var.address, c.req.valid("json").at, byOf(c.var.caller));
    return isRefusal(begun) ? refused(c, begun.refusal) : c.json(begun, 202);
  },
);
