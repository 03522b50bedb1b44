/** Finds where a queued message goes now: to the webhook URL, or to a channel as it is at this moment. */
import { isActive } from "../../ledger/channels.ts";
import { jurisdictionOf } from "../../ledger/regions.ts";
import type { StoredChannel } from "../books/channels.ts";
import type { Ledger } from "../books/ledger.ts";
import { type PendingWebhook, WEBHOOK_URL } from "../books/webhook-queue.ts";
import { loadWebhookSecret } from "../books/webhook-secret.ts";
import type { Platform } from "../platform.ts";

export type Receiver =
  | { kind: "webhook"; url: string; secret: string }
  | { kind: "slack"; url: string; site: string }
  /** `confirmUrl` is set for the email that asks the recipient to confirm the address. */
  | { kind: "email"; to: string; site: string; confirmUrl: string | null }
  /** There is no receiver any more. */
  | { kind: "none"; reason: string };

/** The type of the email that asks for confirmation. Only the delivery log shows it. */
export const CONFIRMATION = "confirmation";
/** The types that a channel gets even if it is paused or not confirmed. */
const ALWAYS_SENT: readonly string[] = ["test", CONFIRMATION];

type FindDeps = { ledger: Ledger; platform: Pick<Platform, "webhooks" | "emails"> };

export async function findReceiver(
  { ledger, platform }: FindDeps,
  { channel: id, type }: Pick<PendingWebhook, "channel" | "type">,
): Promise<Receiver> {
  if (id === WEBHOOK_URL) return findWebhookUrl({ ledger, platform });
  const channel = ledger.store.channels.find(id);
  if (channel === null) return { kind: "none", reason: "the channel was removed" };
  if (!isActive(channel) && !ALWAYS_SENT.includes(type)) return { kind: "none", reason: "the channel is paused" };
  const confirmUrl = type === CONFIRMATION ? await confirmUrlOf(ledger, channel, platform) : null;
  return receiverOf(channel, confirmUrl);
}

function receiverOf({ kind, target, secret, site }: StoredChannel, confirmUrl: string | null): Receiver {
  switch (kind) {
    case "webhook":
      return { kind, url: target, secret: secret ?? "" };
    case "slack":
      return { kind, url: target, site };
    case "email":
      return { kind, to: target, site, confirmUrl };
    default:
      return kind satisfies never;
  }
}

async function findWebhookUrl({ ledger, platform }: FindDeps): Promise<Receiver> {
  const url = ledger.books.settings.webhookUrl;
  if (url === null) return { kind: "none", reason: "no webhook_url is set" };
  const secret = loadWebhookSecret(ledger.sql, url) ?? (await platform.webhooks.secretOf(ledger.id, url));
  return { kind: "webhook", url, secret };
}

async function confirmUrlOf(
  { id: enterprise, books }: Ledger,
  { id, confirmId, site }: StoredChannel,
  { emails }: Pick<Platform, "emails">,
): Promise<string> {
  const region = jurisdictionOf(books.settings.region) ?? "";
  return emails.confirmUrl({ enterprise, region, channel: id, confirmId: confirmId ?? "", site });
}
