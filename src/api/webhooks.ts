/**
 * Webhooks, for the operator: the delivery log, and a test event to see that the receiver listens.
 */

import { MAX_MICROS } from "../ledger/micros.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { cursorOf, limit, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const webhookSchema = z
  .object({
    id: z.string(),
    type: z.string(),
    state: z.enum(["pending", "delivered", "given_up"]),
    created_at: z.iso.datetime(),
    attempts: z.int(),
    next_attempt_at: z.iso.datetime().nullable(),
    delivered_at: z.iso.datetime().nullable(),
    last_status: z.int().nullable(),
    last_error: z.string().nullable(),
  })
  .openapi("Webhook");

const access = { scope: "operator" } as const;

export const webhookRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/webhooks",
        name: "listWebhooks",
        summary: "The delivery log of webhooks, newest first",
        tag: "Operator",
        access,
        answers: {
          200: {
            description: "A page of the log",
            schema: z.object({ rows: z.array(webhookSchema), next_cursor: z.string().nullable() }),
          },
        },
      }),
      request: {
        params: inEnterprise,
        query: z.strictObject({ limit: limit.default(20), cursor: cursorOf("number").optional() }),
      },
    }),
    async (c) => {
      const { limit: rows, cursor } = c.req.valid("query");
      const log = await enterpriseStub(c.env, c.var.enterprise).webhooks(Number(cursor?.[0] ?? MAX_MICROS), rows);
      if (isRefusal(log)) return refused(c, log.refusal);
      return c.json(
        pageOf(
          log,
          rows,
          ({ view }) => view,
          ({ number }) => [number],
        ),
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/webhooks/test",
        name: "testWebhook",
        summary: "Send a test event to the webhook_url",
        empty: true,
        tag: "Operator",
        access: { ...access, costly: true },
        answers: { 202: { description: "On its way; see the log", schema: z.object({ queued: z.boolean() }) } },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const queued = await enterpriseStub(c.env, c.var.enterprise).testWebhook();
      return isRefusal(queued) ? refused(c, queued.refusal) : c.json({ queued: true }, 202);
    },
  );
