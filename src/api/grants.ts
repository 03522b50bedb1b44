/** The routes for grants of bonus credits. The operator adds and voids grants, and readers list them. */
import { byOf } from "../access/callers.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { grantRequestOf, grantSchema, newGrant } from "../wire/grant.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

/** A grant's id may be longer than other ids: the id of a referral's grant is a prefix and an enterprise's id. */
const inGrant = inEnterprise.extend({
  id: z
    .string()
    .min(1)
    .max(160)
    .openapi({ example: "welcome", param: { name: "id", in: "path" } }),
});

export const grantRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/grants",
        name: "addGrant",
        summary: "Grant bonus credits",
        details:
          "Idempotent by `id`: repeating the same request changes nothing. New credit pays this cycle's debt first. An enterprise has at most 10,000 grants with something left.",
        refusals: ["grant_conflict", "too_many_grants", "charge_too_large"],
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["grants"] },
        answers: {
          200: { description: "Granted by an earlier request", schema: grantSchema },
          201: { description: "Granted", schema: grantSchema },
        },
      }),
      request: {
        params: inEnterprise,
        body: body(newGrant, {
          id: "welcome",
          amount_micros: 100_000_000,
          source: "promotion",
          note: "Welcome",
          expires_at: "2099-12-31T00:00:00Z",
        }),
      },
    }),
    async (c) => {
      const added = await enterpriseStub(c.env, c.var.address).addGrant(
        grantRequestOf(c.req.valid("json")),
        byOf(c.var.caller),
      );
      if (isRefusal(added)) return refused(c, added.refusal);
      return c.json(added.grant, added.created ? 201 : 200);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/grants",
        name: "listGrants",
        summary: "List grants, newest first",
        tag: "Readers",
        access: { scope: "read", session: true, operatorScopes: ["grants", "metrics"] },
        answers: { 200: { description: "A page of grants", schema: listOf(grantSchema) } },
      }),
      request: { params: inEnterprise, query: listQuery(100, "number") },
    }),
    async (c) => {
      const { limit, cursor: [beforeSeq] = [FROM_NEWEST] } = c.req.valid("query");
      const grants = await enterpriseStub(c.env, c.var.address).grants(c.var.caller, beforeSeq, limit);
      if (isRefusal(grants)) return refused(c, grants.refusal);
      return c.json(
        pageOf(
          grants,
          limit,
          ({ seq }) => [seq],
          ({ view }) => view,
        ),
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/grants/{id}/void",
        name: "voidGrant",
        summary: "Void a grant: take back what remains of it",
        empty: true,
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["grants"] },
        answers: { 200: { description: "The grant", schema: grantSchema } },
      }),
      request: { params: inGrant },
    }),
    async (c) => {
      const grant = await enterpriseStub(c.env, c.var.address).voidGrant(c.req.valid("param").id, byOf(c.var.caller));
      return isRefusal(grant) ? refused(c, grant.refusal) : c.json(grant);
    },
  );
