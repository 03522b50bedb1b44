/** Channels as JSON: the request that makes or changes one, and how one is shown, with a masked target where it is secret. */
import { z } from "@hono/zod-openapi";
import { CHANNEL_KINDS, type Channel, DEFAULT_THRESHOLDS, isActive, isChannelCode } from "../ledger/channels.ts";
import type { AtMs } from "../ledger/time.ts";
import { formatIso } from "./time.ts";
import { type LoggedWebhook, showWebhook, webhookSchema } from "./webhook.ts";
import { isPublicHttps, PUBLIC_HTTPS_RULE } from "./webhook-url.ts";

const MAX_THRESHOLDS = 20;
const MAX_EVENTS = 100;
const MAX_EMAIL = 254;
const MASK = "***";
/** A Slack URL is shown with the last characters of its secret part, if that leaves enough of it unknown. */
const SHOWN_CHARS = 4;
const MIN_SECRET_CHARS = 16;

const code = z
  .string()
  .refine(isChannelCode, "must be a code such as exhausted, usage_75 or cap_90; the documentation lists them");

export const channelPut = z
  .strictObject({
    kind: z.enum(CHANNEL_KINDS),
    target: z
      .string()
      .max(2_000)
      .describe("A Slack incoming-webhook URL, an email address, or a URL: https with a public host name"),
    events: z
      .array(code)
      .max(MAX_EVENTS)
      .nullable()
      .optional()
      .openapi({ type: ["array", "null"], items: { type: "string" } })
      .describe("The codes of the messages that it gets; null or omitted: all"),
    thresholds: z
      .array(z.int().min(1).max(100))
      .max(MAX_THRESHOLDS)
      .optional()
      .describe("Percentages of the balance at which it gets `usage_NN` or `cap_NN`; default: 50, 75, 90 and 100"),
    active: z.boolean().optional().describe("False pauses the channel; default: true"),
    rotate_secret: z.boolean().optional().describe("True replaces the signing secret of a webhook"),
  })
  .superRefine(({ kind, target, rotate_secret }, context) => {
    const fault = targetFault(kind, target);
    if (fault !== null) context.addIssue({ code: "custom", path: ["target"], message: fault });
    if (rotate_secret === true && kind !== "webhook") {
      context.addIssue({ code: "custom", path: ["rotate_secret"], message: "only a webhook has a signing secret" });
    }
  })
  .openapi("ChannelPut");

export type ChannelPut = z.infer<typeof channelPut>;

/** A channel as a request describes it. */
export type NewChannel = Pick<Channel, "kind" | "target" | "events" | "thresholds" | "active"> & {
  rotateSecret: boolean;
};

export const channelSchema = z
  .object({
    id: z.string(),
    kind: z.enum(CHANNEL_KINDS),
    target: z.string(),
    events: z.array(z.string()).nullable(),
    thresholds: z.array(z.int()),
    active: z.boolean().describe("Whether it gets messages: not paused, and confirmed if it is an email channel"),
    paused: z.boolean(),
    confirmed: z.boolean().nullable().describe("Of an email channel: whether its recipient has confirmed"),
    created_at: z.iso.datetime(),
    last_delivery: z.object(webhookSchema.shape).nullable(),
    webhook_secret: z.string().optional().describe("Signs what a webhook gets; shown only when it is new"),
  })
  .openapi("Channel");

export type ChannelJson = z.infer<typeof channelSchema>;

export function parseChannelPut(sent: ChannelPut): NewChannel {
  const { kind, target, events = null, thresholds = DEFAULT_THRESHOLDS, active = true, rotate_secret = false } = sent;
  return {
    kind,
    target,
    events: events === null ? null : [...new Set(events)],
    thresholds: [...new Set(thresholds)].sort((a, b) => a - b),
    active,
    rotateSecret: rotate_secret,
  };
}

export function showChannel(channel: Channel & { createdAtMs: AtMs }, last: LoggedWebhook | null): ChannelJson {
  const { id, kind, events, thresholds, active, confirmedAtMs, createdAtMs } = channel;
  return {
    id,
    kind,
    target: maskTarget(channel),
    events: events === null ? null : [...events],
    thresholds: [...thresholds],
    active: isActive(channel),
    paused: !active,
    confirmed: kind === "email" ? confirmedAtMs !== null : null,
    created_at: formatIso(createdAtMs),
    last_delivery: last === null ? null : showWebhook(last),
  };
}

/** Shows a Slack URL as `https://hooks.slack.com/***abcd`, because whoever knows the URL can post with it. */
export function maskTarget({ kind, target }: Pick<Channel, "kind" | "target">): string {
  if (kind !== "slack") return target;
  const { origin, pathname, search } = new URL(target);
  const secret = `${pathname.split("/").at(-1)}${search}`;
  return `${origin}/${MASK}${secret.length < MIN_SECRET_CHARS ? "" : secret.slice(-SHOWN_CHARS)}`;
}

function targetFault(kind: Channel["kind"], target: string): string | null {
  // A masked target, as answers show it, keeps the stored one.
  if (kind === "slack" && URL.canParse(target) && isMasked(target)) return null;
  if (kind !== "email") return URL.canParse(target) && isPublicHttps(target) ? null : PUBLIC_HTTPS_RULE;
  return z.email().max(MAX_EMAIL).safeParse(target).success ? null : "must be an email address";
}

export function isMasked(target: string): boolean {
  return new URL(target).pathname.startsWith(`/${MASK}`);
}
