/** The delivery log of webhooks as JSON. */
import { z } from "@hono/zod-openapi";
import type { AtMs } from "../ledger/time.ts";
import { formatIso, formatIsoOrNull, parseIso, parseIsoOrNull } from "./time.ts";

const WEBHOOK_STATES = ["pending", "delivered", "given_up"] as const;

/** One event in the delivery log. */
export type LoggedWebhook = {
  id: string;
  /** The channel that it went to; null for the enterprise's webhook URL. */
  channel: string | null;
  type: string;
  state: (typeof WEBHOOK_STATES)[number];
  createdAtMs: AtMs;
  attempts: number;
  /** Null once there is nothing to retry. */
  nextAttemptAtMs: AtMs | null;
  deliveredAtMs: AtMs | null;
  lastStatus: number | null;
  lastError: string | null;
};

export const webhookSchema = z
  .object({
    id: z.string(),
    channel: z.string().nullable().describe("The channel that it goes to; null: the `webhook_url`"),
    type: z.string(),
    state: z.enum(WEBHOOK_STATES),
    created_at: z.iso.datetime(),
    attempts: z.int(),
    next_attempt_at: z.iso.datetime().nullable(),
    delivered_at: z.iso.datetime().nullable(),
    last_status: z.int().nullable(),
    last_error: z.string().nullable(),
  })
  .openapi("Webhook");

export type WebhookJson = z.infer<typeof webhookSchema>;

export function showWebhook(webhook: LoggedWebhook): WebhookJson {
  return {
    id: webhook.id,
    channel: webhook.channel,
    type: webhook.type,
    state: webhook.state,
    created_at: formatIso(webhook.createdAtMs),
    attempts: webhook.attempts,
    next_attempt_at: formatIsoOrNull(webhook.nextAttemptAtMs),
    delivered_at: formatIsoOrNull(webhook.deliveredAtMs),
    last_status: webhook.lastStatus,
    last_error: webhook.lastError,
  };
}

export function parseWebhook(json: WebhookJson): LoggedWebhook {
  return {
    id: json.id,
    channel: json.channel ?? null,
    type: json.type,
    state: json.state,
    createdAtMs: parseIso(json.created_at),
    attempts: json.attempts,
    nextAttemptAtMs: parseIsoOrNull(json.next_attempt_at),
    deliveredAtMs: parseIsoOrNull(json.delivered_at),
    lastStatus: json.last_status,
    lastError: json.last_error,
  };
}
