/**
 * Sends one message to one receiver, in the form of its kind, and says how that went. An error is recorded by its kind
 * only, so that no log shows a URL or an address.
 */
import { Webhook } from "standardwebhooks";
import type { AtMs } from "../../ledger/time.ts";
import type { Envelope } from "../../wire/notice.ts";
import { confirmationEmail, emailOf, slackOf } from "../../wire/notice-text.ts";
import type { PendingWebhook } from "../books/webhook-queue.ts";
import type { Email } from "../platform.ts";
import type { Receiver } from "./receivers.ts";

export type Network = {
  fetch(url: string, init: RequestInit): Promise<Response>;
  sendEmail(email: Email): Promise<void>;
};

/** `error` is null if the receiver has accepted the message. */
export type Answer = { status: number | null; error: string | null };

type Sent = Pick<PendingWebhook, "id" | "type" | "body">;

const TIMEOUT_MS = 10_000;

export async function send(event: Sent, receiver: Receiver, network: Network, nowMs: AtMs): Promise<Answer> {
  try {
    switch (receiver.kind) {
      case "none":
        return { status: null, error: receiver.reason };
      case "webhook":
        return await post(network, receiver.url, event.body, {
          "webhook-id": event.id,
          "webhook-timestamp": String(Math.floor(nowMs / 1000)),
          "webhook-signature": new Webhook(receiver.secret).sign(event.id, new Date(nowMs), event.body),
        });
      case "slack":
        return await post(network, receiver.url, JSON.stringify(slackOf(envelopeOf(event), receiver.site)), {});
      case "email": {
        const { to, site, confirmUrl } = receiver;
        const envelope = envelopeOf(event);
        const text = confirmUrl === null ? emailOf(envelope, site) : confirmationEmail(envelope, confirmUrl);
        await network.sendEmail({ to, ...text });
        return { status: null, error: null };
      }
      default:
        return receiver satisfies never;
    }
  } catch (error) {
    return { status: null, error: kindOf(error) };
  }
}

async function post(network: Network, url: string, body: string, headers: Record<string, string>): Promise<Answer> {
  const response = await network.fetch(url, {
    method: "POST",
    headers: { "Content-Type": "application/json", "User-Agent": "Fuelgauge", ...headers },
    body,
    // Do not follow redirects: an admin chose this URL.
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  await response.body?.cancel();
  return { status: response.status, error: response.ok ? null : `answered ${response.status}` };
}

function envelopeOf({ body }: Sent): Envelope {
  return JSON.parse(body) as Envelope;
}

/** The kind of an error. The mail service's codes look like E_SENDER_NOT_VERIFIED; its messages may show an address. */
function kindOf(error: unknown): string {
  if (!(error instanceof Error)) return "unreachable";
  const { code } = error as { code?: unknown };
  return typeof code === "string" && /^[A-Z_]{1,60}$/.test(code) ? code : error.name;
}
