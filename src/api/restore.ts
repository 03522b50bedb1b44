/**
 * POST …/restore takes an enterprise's object back to a moment of the last 30 days. This needs the platform's recovery,
 * and what was revoked since then must be revoked again first. This release has no such restore and says so.
 */
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
        "Takes the enterprise back to a moment of the last 30 days. It is not available yet: the response is 501 `not_supported`. See docs/operate.md for what to do instead.",
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
    const restored = await restoreEnterprise(c.env, c.var.address, c.req.valid("json").at);
    return isRefusal(restored) ? refused(c, restored.refusal) : c.json(restored, 202);
  },
);
