/**
 * The routes for budgets: what a workspace, a group or a user may be charged on a local day or in a billing cycle. Read
 * from the enterprise's Durable Object, so the numbers shown are the numbers that block.
 */

import { BUDGET_ACTIONS, BUDGET_PERIODS, EVERY_ID } from "../ledger/budget.ts";
import { DIMENSIONS } from "../ledger/dimensions.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { budgetSchema } from "../wire/budget.ts";
import { ID_RULE, isId, micros, orNull } from "../wire/fields.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const scopeParams = inEnterprise.extend({
  dimension: z.enum(DIMENSIONS).openapi({ example: "user", param: { name: "dimension", in: "path" } }),
  id: z
    .string()
    .refine((text) => text === EVERY_ID || isId(text), `${ID_RULE}, or be ${EVERY_ID}`)
    .openapi({
      example: "ada",
      param: { name: "id", in: "path", description: "`*` is the default of the dimension. Percent-encode a `/`." },
    }),
});
const budgetParams = scopeParams.extend({
  period: z.enum(BUDGET_PERIODS).openapi({ example: "day", param: { name: "period", in: "path" } }),
});

export const budgetRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/enterprises/{e}/budgets/{dimension}/{id}/{period}",
        name: "setBudget",
        summary: "Set a budget",
        details:
          'Limits what a workspace, a group or a user may be charged on a local day (`day`) or in the billing cycle (`cycle`). The id `*` is the default for every id of its dimension that has no other budget for that period. `limit_micros: null` exempts one id from the default. `action: "block"` refuses new runs that do not fit; `warn` only alerts. A budget keeps the unit in which it was set, counts all charges of the period, and applies to the next request.',
        refusals: ["too_many_budgets"],
        tag: "Operator",
        access: { scope: "admin", operatorScopes: ["enterprises"] },
        answers: {
          200: { description: "The changed budget", schema: budgetSchema },
          201: { description: "The new budget", schema: budgetSchema },
        },
      }),
      request: {
        params: budgetParams,
        body: body(
          z
            .strictObject({ limit_micros: orNull(micros, "integer"), action: z.enum(BUDGET_ACTIONS).default("block") })
            .openapi("BudgetTerms"),
          { limit_micros: 50_000_000 },
        ),
      },
    }),
    async (c) => {
      const { e: _, ...key } = c.req.valid("param");
      const { limit_micros, action } = c.req.valid("json");
      const set = await enterpriseStub(c.env, c.var.address).putBudget(c.var.caller, key, {
        limitMicros: limit_micros,
        action,
      });
      return isRefusal(set) ? refused(c, set.refusal) : c.json(set.budget, set.created ? 201 : 200);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "delete",
        path: "/v1/enterprises/{e}/budgets/{dimension}/{id}/{period}",
        name: "removeBudget",
        summary: "Remove a budget",
        details: "From the next request on, the default of its dimension applies to the id again, if there is one.",
        tag: "Operator",
        access: { scope: "admin", operatorScopes: ["enterprises"] },
        answers: { 204: { description: "Removed" } },
      }),
      request: { params: budgetParams },
    }),
    async (c) => {
      const { e: _, ...key } = c.req.valid("param");
      const removed = await enterpriseStub(c.env, c.var.address).removeBudget(c.var.caller, key);
      return isRefusal(removed) ? refused(c, removed.refusal) : c.body(null, 204);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/budgets",
        name: "listBudgets",
        summary: "List budgets by dimension, id and period",
        details:
          "The default of a dimension (`*`) comes first. Its `used_micros`, `held_micros`, `remaining_micros` and `used_percent` are null, because it applies to many ids. The session of a member lists only the member's own budgets.",
        tag: "Readers",
        access: { scope: "read", session: true, operatorScopes: ["enterprises", "metrics"] },
        answers: { 200: { description: "A page of budgets", schema: listOf(budgetSchema) } },
      }),
      request: {
        params: inEnterprise,
        query: listQuery(100, "string", "string", "string").extend({ dimension: z.enum(DIMENSIONS).optional() }),
      },
    }),
    async (c) => {
      const { limit, cursor, dimension = null } = c.req.valid("query");
      const after = cursor === undefined ? null : keySchema.safeParse(cursor).data;
      if (after === undefined) {
        const errors = [{ path: "cursor", message: "must be a next_cursor of this list" }];
        return refused(c, { code: "validation_failed", errors });
      }
      const page = { dimension, after, limit };
      const budgets = await enterpriseStub(c.env, c.var.address).budgets(c.var.caller, page);
      if (isRefusal(budgets)) return refused(c, budgets.refusal);
      return c.json(
        pageOf(
          budgets,
          limit,
          ({ dimension, id, period }) => [dimension, id, period],
          (budget) => budget,
        ),
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/budgets/{dimension}/{id}",
        name: "readBudgets",
        summary: "Read what applies to a workspace, a group or a user",
        details:
          "Lists the budgets that apply to this id, by period. A default that applies is listed under this id with `inherited: true`. The session of a member reads only its own user.",
        tag: "Readers",
        access: { scope: "read", session: true, operatorScopes: ["enterprises", "metrics"] },
        answers: {
          200: { description: "The budgets that apply", schema: z.object({ rows: z.array(budgetSchema) }) },
        },
      }),
      request: { params: scopeParams },
    }),
    async (c) => {
      const { dimension, id } = c.req.valid("param");
      const rows = await enterpriseStub(c.env, c.var.address).budgetsOf(c.var.caller, { dimension, id });
      return isRefusal(rows) ? refused(c, rows.refusal) : c.json({ rows });
    },
  );

/** The parts of a cursor as the key of a budget. */
const keySchema = z
  .tuple([z.enum(DIMENSIONS), z.string(), z.enum(BUDGET_PERIODS)])
  .transform(([dimension, id, period]) => ({ dimension, id, period }));
