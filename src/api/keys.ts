/**
 * The routes to make, list and revoke enterprise keys. A key is shown once, lists omit its secret, and revoking it is
 * permanent. The operator may make keys with any scope. An admin key may make and revoke `debit` and `read` keys of its
 * enterprise.
 */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { listKeys, makeKey, signingSecretIds } from "../operations/make-key.ts";
import { keySchema, newKey, showListedKey } from "../wire/key.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const access = { scope: "admin" } as const;

export const keyRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/keys",
        name: "makeKey",
        summary: "Make a key",
        details:
          "The key is shown only in this response. The operator may make keys with any scope. An admin key may make `debit` and `read` keys of its enterprise.",
        refusals: ["too_many_keys"],
        tag: "Operator",
        access: { ...access, operatorScopes: ["keys"] },
        answers: {
          201: { description: "The key", schema: z.object({ id: z.string(), key: z.string() }).openapi("MadeKey") },
        },
      }),
      request: { params: inEnterprise, body: body(newKey, { name: "agents", scopes: ["debit", "read"] }) },
    }),
    async (c) => {
      const made = await makeKey(c.env, c.var.caller, c.var.address, c.req.valid("json"));
      return isRefusal(made) ? refused(c, made.refusal) : c.json({ id: made.id, key: made.key }, 201);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/keys",
        name: "listKeys",
        summary: "List keys, newest first, without their secrets",
        tag: "Operator",
        access: { ...access, operatorScopes: ["keys"] },
        answers: { 200: { description: "A page of keys", schema: listOf(keySchema) } },
      }),
      request: { params: inEnterprise, query: listQuery(100, "string") },
    }),
    async (c) => {
      const { limit, cursor: [afterId = null] = [] } = c.req.valid("query");
      const keys = await listKeys(c.env, c.var.caller, c.var.address, { afterId, limit });
      if (isRefusal(keys)) return refused(c, keys.refusal);
      const secrets = await signingSecretIds(c.env);
      return c.json(
        pageOf(
          keys,
          limit,
          ({ id }) => [id],
          (key) => showListedKey(key, secrets),
        ),
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "delete",
        path: "/v1/enterprises/{e}/keys/{id}",
        name: "revokeKey",
        summary: "Revoke a key",
        details:
          "The next request with the key is refused. The server closes sockets that were opened with it, using code 4401.",
        tag: "Operator",
        access: { ...access, operatorScopes: ["keys"] },
        answers: { 204: { description: "Revoked" } },
      }),
      request: {
        params: inEnterprise.extend({
          id: z
            .string()
            .openapi({ example: "4b1e3ad6-2f0c-4c57-9c2f-0d6c1f6e1a55", param: { name: "id", in: "path" } }),
        }),
      },
    }),
    async (c) => {
      const revoked = await enterpriseStub(c.env, c.var.address).revokeKey(c.var.caller, c.req.valid("param").id);
      return isRefusal(revoked) ? refused(c, revoked.refusal) : c.body(null, 204);
    },
  );
