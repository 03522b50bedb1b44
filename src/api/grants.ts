/**
 * Grants of bonus credits: added and voided by the operator, listed for readers.
 */

import { MAX_MICROS } from "../ledger/micros.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { GRANT_SOURCES, grantRequestOf, newGrant } from "../wire/grant.ts";
import { cursorOf, limit, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const grantSchema = z
  .object({
    id: z.string(),
    amount_micros: z.int(),
    drawn_micros: z.int(),
    remaining_micros: z.int(),
    source: z.enum(GRANT_SOURCES),
    note: z.string().nullable(),
    granted_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    state: z.enum(["active", "used", "expired", "voided"]),
  })
  .openapi("Grant");

/** A grant's id in a path: those of referrals hold an enterprise's id and a prefix. */
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
        summary: "Grant bonus credits; the same again changes nothing",
        details: "Idempotent by `id`. New credit pays this cycle's debt first.",
        refusals: ["grant_conflict", "charge_too_large"],
        tag: "Operator",
        access: { scope: "operator" },
        answers: {
          200: { description: "The same grant was there", schema: grantSchema },
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
      const added = await enterpriseStub(c.env, c.var.enterprise).addGrant(grantRequestOf(c.req.valid("json")));
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
        access: { scope: "read", session: true },
        answers: {
          200: {
            description: "A page of grants",
            schema: z.object({ rows: z.array(grantSchema), next_cursor: z.string().nullable() }),
          },
        },
      }),
      request: {
        params: inEnterprise,
        query: z.strictObject({ limit: limit.default(100), cursor: cursorOf("number").optional() }),
      },
    }),
    async (c) => {
      const { limit: rows, cursor } = c.req.valid("query");
      const grants = await enterpriseStub(c.env, c.var.enterprise).grants(
        c.var.caller,
        Number(cursor?.[0] ?? MAX_MICROS),
        rows,
      );
      if (isRefusal(grants)) return refused(c, grants.refusal);
      return c.json(
        pageOf(
          grants,
          rows,
          ({ view }) => view,
          ({ seq }) => [seq],
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
        summary: "Take back what remains of a grant",
        empty: true,
        tag: "Operator",
        access: { scope: "operator" },
        answers: { 200: { description: "The grant", schema: grantSchema } },
      }),
      request: { params: inGrant },
    }),
    async (c) => {
      const grant = await enterpriseStub(c.env, c.var.enterprise).voidGrant(c.req.valid("param").id);
      return isRefusal(grant) ? refused(c, grant.refusal) : c.json(grant);
    },
  );
