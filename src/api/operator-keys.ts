/**
 * The routes to make, list and revoke operator keys with scopes. They declare no operator scope, so only OPERATOR_KEY may
 * call them: a key must not be able to make a stronger one.
 */
import { isRefusal } from "../ledger/refusals.ts";
import { listOperatorKeys, makeOperatorKey, revokeOperatorKey } from "../operations/operator-keys.ts";
import { newOperatorKey, operatorKeySchema, showOperatorKey } from "../wire/operator-key.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { problem, refused } from "./problem.ts";
import { body, createRoute, declare, newRouter, z } from "./route.ts";

const access = { scope: "operator" } as const;

export const operatorKeyRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/operator-keys",
        name: "makeOperatorKey",
        summary: "Make an operator key with scopes",
        details:
          "The key is shown only in this response. No scope permits debits. A key with the scope `keys` or `sessions` can act through the keys and sessions that it makes. A key with the scope `enterprises` can give credit through plans and allowances.",
        refusals: ["too_many_keys"],
        tag: "Operator",
        access,
        answers: {
          201: {
            description: "The key",
            schema: z.object({ id: z.string(), key: z.string() }).openapi("MadeOperatorKey"),
          },
        },
      }),
      request: { body: body(newOperatorKey, { name: "prometheus", scopes: ["metrics"] }) },
    }),
    async (c) => {
      const made = await makeOperatorKey(c.env, c.req.valid("json"));
      return isRefusal(made) ? refused(c, made.refusal) : c.json(made, 201);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/operator-keys",
        name: "listOperatorKeys",
        summary: "List operator keys, newest first, without their secrets",
        details:
          "`last_used_at` is exact to the hour. Replace a key that is `signed_with` the `previous` signing secret before you remove that secret.",
        tag: "Operator",
        access,
        answers: { 200: { description: "A page of keys", schema: listOf(operatorKeySchema) } },
        refusals: ["validation_failed"],
      }),
      request: { query: listQuery(100, "number") },
    }),
    async (c) => {
      const { limit, cursor: [before] = [FROM_NEWEST] } = c.req.valid("query");
      const { keys, currentSecretId } = await listOperatorKeys(c.env, before, limit + 1);
      return c.json(
        pageOf(
          keys,
          limit,
          ({ number }) => [number],
          (key) => showOperatorKey(key, currentSecretId),
        ),
        200,
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "delete",
        path: "/v1/operator-keys/{id}",
        name: "revokeOperatorKey",
        summary: "Revoke an operator key",
        details: "The next request with the key is refused.",
        tag: "Operator",
        access,
        answers: { 204: { description: "Revoked" } },
        refusals: ["not_found"],
      }),
      request: {
        params: z.object({
          id: z
            .string()
            .openapi({ example: "4b1e3ad6-2f0c-4c57-9c2f-0d6c1f6e1a55", param: { name: "id", in: "path" } }),
        }),
      },
    }),
    async (c) => {
      const revoked = await revokeOperatorKey(c.env, c.req.valid("param").id);
      return revoked ? c.body(null, 204) : problem(c, "not_found");
    },
  );
