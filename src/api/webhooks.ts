/** The routes for webhooks. One lists deliveries, the other sends a test event to the enterprise's `webhook_url`. */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { FROM_NEWEST } from "../wire/paging.ts";
import { webhookSchema } from "../wire/webhook.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const access = { scope: "operator" } as const;

export const webhookRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/webhooks",
        name: "listWebhooks",
        summary: "List deliveries to the `webhook_url` and to channels, newest first",
        tag: "Readers",
        access: { scope: "read", session: true, operatorScopes: ["metrics"] },
        answers: { 200: { description: "A page of the log", schema: listOf(webhookSchema) } },
      }),
      request: { params: inEnterprise, query: listQuery(20, "number") },
    }),
    async (c) => {
      const { limit, cursor: [beforeNumber] = [FROM_NEWEST] } = c.req.valid("query");
      const log = await enterpriseStub(c.env, c.var.address).webhooks(beforeNumber, limit, c.var.caller);
      if (isRefusal(log)) return refused(c, log.refusal);
      return c.json(
        pageOf(
          log,
          limit,
          ({ number }) => [number],
          ({ view }) => view,
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
        summary: "Send a test event to the enterprise's `webhook_url`",
        empty: true,
        tag: "Operator",
        access: { ...access, costly: true, operatorScopes: ["enterprises"] },
        answers: { 202: { description: "Queued; see the delivery log", schema: z.object({ queued: z.boolean() }) } },
      }),
      request: { params: inEnterprise },
    }),
    async (c) => {
      const queued = await enterpriseStub(c.env, c.var.address).testWebhook();
      return isRefusal(queued) ? refused(c, queued.refusal) : c.json({ queued: true }, 202);
    },
  );
