/** POST …/users/{user}/erase replaces a person's id and name in everything that is stored about an enterprise. */
import { byOf } from "../access/callers.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { refused } from "./problem.ts";
import { aboutUser, createRoute, declare, newRouter, z } from "./route.ts";

export const erasureRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "post",
      path: "/v1/enterprises/{e}/users/{user}/erase",
      name: "eraseUser",
      summary: "Erase a person",
      details:
        "Replaces the person's id and name by `erased-XXXXXXXX` in the ledger, the journal and the copy. Sums stay. Ends the person's sessions, unused sign-in links and embed tokens. Late reports of the person's runs are booked under the replacement; new runs count as those of a new person. The ids of runs, workspaces, groups and keys, and free text, are not searched: do not put a person's id there. Cloudflare's own recovery keeps the old data for 30 days.",
      empty: true,
      refusals: ["not_found"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["maintenance"] },
      answers: { 202: { description: "Started; see the job", schema: z.object({ job: z.string() }) } },
    }),
    request: { params: aboutUser },
  }),
  async (c) => {
    const erased = await enterpriseStub(c.env, c.var.address).eraseUser(c.req.valid("param").user, byOf(c.var.caller));
    return isRefusal(erased) ? refused(c, erased.refusal) : c.json(erased, 202);
  },
);
