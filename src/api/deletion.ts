/** DELETE of an enterprise, which removes it from its object, from the copy and from the catalog's lists. */
import { isRefusal } from "../ledger/refusals.ts";
import { deleteEnterprise } from "../operations/delete-enterprise.ts";
import { id } from "../wire/fields.ts";
import { invalid, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

export const deletionRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "delete",
      path: "/v1/enterprises/{e}",
      name: "deleteEnterprise",
      summary: "Delete an enterprise",
      details:
        "Deletes everything that Fuelgauge has stored about the enterprise: its ledger, its copy, its keys and its place in lists. This cannot be undone. Keys, links and sessions stop with the next request, and open sockets are closed. The id cannot be used again for 35 days. Cloudflare's own recovery keeps deleted data for 30 days.",
      refusals: ["not_found"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["maintenance"] },
      answers: { 202: { description: "Started; see the job", schema: z.object({ job: z.string() }) } },
    }),
    request: {
      params: inEnterprise,
      query: z.strictObject({
        confirm: id.openapi({
          example: "acme",
          description: "The enterprise's id again, so that no mistake deletes it.",
        }),
      }),
    },
  }),
  async (c) => {
    if (c.req.valid("query").confirm !== c.var.enterprise) {
      return invalid(c, [{ path: "confirm", message: "must be the enterprise's id" }]);
    }
    const deleted = await deleteEnterprise(c.env, c.var.address);
    return isRefusal(deleted) ? refused(c, deleted.refusal) : c.json(deleted, 202);
  },
);
