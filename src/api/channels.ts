/**
 * The routes for channels: where Slack, email and webhooks get messages about the balance. A Slack URL is a secret, so
 * only the response to the request that contained it shows it.
 */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { putChannel } from "../operations/put-channel.ts";
import { channelPut, channelSchema } from "../wire/channel.ts";
import { id } from "../wire/fields.ts";
import { listOf, listQuery, pageOf } from "./listing.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const access = { scope: "admin", operatorScopes: ["enterprises"] } as const;

const inChannel = inEnterprise.extend({
  id: id.openapi({ example: "ops-alerts", param: { name: "id", in: "path", description: "The channel's id" } }),
});

const DETAILS = [
  "`events` lists the codes of the messages that the channel gets: `usage_NN` or `cap_NN` for its thresholds,",
  "`on_track_to_run_out`, `exhausted`, `recovered`, `bonus_expiring`, `budget_75`, `budget_90`, `budget_reached` and",
  "`cycle_report`. Without `events` it gets all of them. `thresholds` apply to the balance only. A webhook is signed as",
  "the Standard Webhooks spec says; the response that makes its secret contains `webhook_secret`, which is shown only",
  "then. Later responses mask the URL of a Slack channel; sending the masked URL keeps the stored one. An email channel",
  "becomes active once its recipient has confirmed the address with a link that is sent there. Sending the channel again",
  "sends a new email if the address is not confirmed, at most once a minute.",
].join(" ");

export const channelRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "put",
        path: "/v1/enterprises/{e}/channels/{id}",
        name: "putChannel",
        summary: "Create or change a channel",
        details: DETAILS,
        refusals: ["too_many_channels", "email_not_configured"],
        tag: "Operator",
        access: { ...access, costly: true },
        answers: {
          200: { description: "Changed", schema: channelSchema },
          201: { description: "Created", schema: channelSchema },
        },
      }),
      request: {
        params: inChannel,
        body: body(channelPut, {
          kind: "webhook",
          target: "https://hooks.acme.example/fuel",
          events: ["usage_90", "exhausted", "recovered"],
          thresholds: [90],
        }),
      },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const put = await putChannel(c.env, c.req.url, c.var.caller, c.var.address, id, c.req.valid("json"));
      return isRefusal(put) ? refused(c, put.refusal) : c.json(put.channel, put.created ? 201 : 200);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/channels",
        name: "listChannels",
        summary: "List channels, by id, with the last delivery of each",
        tag: "Operator",
        access,
        answers: { 200: { description: "A page of channels", schema: listOf(channelSchema) } },
      }),
      request: { params: inEnterprise, query: listQuery(100, "string") },
    }),
    async (c) => {
      const { limit, cursor: [afterId] = [""] } = c.req.valid("query");
      const channels = await enterpriseStub(c.env, c.var.address).channels(c.var.caller);
      if (isRefusal(channels)) return refused(c, channels.refusal);
      // The object answers with all channels, at most 50 and by id. The page is cut here.
      const after = channels.filter(({ id }) => id > afterId);
      return c.json(
        pageOf(
          after,
          limit,
          ({ id }) => [id],
          (channel) => channel,
        ),
      );
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "delete",
        path: "/v1/enterprises/{e}/channels/{id}",
        name: "deleteChannel",
        summary: "Remove a channel",
        details: "Messages that wait for it are given up.",
        tag: "Operator",
        access,
        answers: { 204: { description: "Removed" } },
      }),
      request: { params: inChannel },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const deleted = await enterpriseStub(c.env, c.var.address).deleteChannel(c.var.caller, id);
      return isRefusal(deleted) ? refused(c, deleted.refusal) : c.body(null, 204);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/channels/{id}/test",
        name: "testChannel",
        summary: "Send a test message to a channel",
        details: "The message is sent at once and is not retried. A paused channel gets it too.",
        empty: true,
        tag: "Operator",
        access: { ...access, costly: true },
        answers: {
          200: {
            description: "How the delivery went",
            schema: z.object({ delivered: z.boolean(), detail: z.string() }).openapi("ChannelTest"),
          },
        },
      }),
      request: { params: inChannel },
    }),
    async (c) => {
      const { id } = c.req.valid("param");
      const tested = await enterpriseStub(c.env, c.var.address).testChannel(c.var.caller, id);
      return isRefusal(tested) ? refused(c, tested.refusal) : c.json(tested);
    },
  );
