/**
 * Delivers queued webhooks in order, signed as the Standard Webhooks spec requires. A failed delivery is retried with
 * growing pauses for a day. After that it is given up, and the delivery log shows this to the operator. Deliveries run
 * in the background and never delay a debit.
 */
import { Webhook } from "standardwebhooks";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql } from "../books/sql.ts";
import { oldestPendingWebhook, type PendingWebhook, putAttempt } from "../books/webhook-queue.ts";

/** Where events go, and the secret that signs them. */
export type Receiver = { url: string; secret: string };

type DeliveryDeps = {
  sql: Sql;
  /**
   * Returns the current receiver, or null if webhooks are switched off. This is called before each event, because the
   * receiver may be changed while an earlier delivery waits for its response.
   */
  receiver(): Promise<Receiver | null>;
  fetch(url: string, init: RequestInit): Promise<Response>;
  realNowMs(): AtMs;
};

type Answer = { status: number | null; error: string | null };

/** The pause after each failed attempt; the last one repeats. */
const PAUSES_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000];
const GIVE_UP_AFTER_MS = 86_400_000;
const TIMEOUT_MS = 10_000;
/** How many events one run of the job sends. The next run continues at once. */
const MAX_SENT = 50;
/** 410 Gone: in the Standard Webhooks spec, a receiver sends this status to refuse further attempts. */
const GONE = 410;

/** Delivers due events, oldest first. An event that fails delays later events until it is delivered or given up. */
export async function deliverWebhooks(deps: DeliveryDeps): Promise<void> {
  const { sql, receiver: receiverNow, realNowMs } = deps;
  for (let sent = 0; sent < MAX_SENT; sent++) {
    const event = oldestPendingWebhook(sql);
    if (event === null || event.nextAtMs > realNowMs()) return;
    const receiver = await receiverNow();
    const answer =
      receiver === null ? { status: null, error: "no webhook_url is set" } : await send(event, receiver, deps);
    const final = receiver === null || answer.status === GONE;
    const nowMs = realNowMs();
    const retryAtMs = answer.error === null || final ? null : nextAttemptAtMs(event, nowMs);
    putAttempt(sql, event, {
      ...answer,
      nextAtMs: retryAtMs,
      deliveredAtMs: answer.error === null ? nowMs : null,
      givenUpAtMs: answer.error !== null && retryAtMs === null ? nowMs : null,
    });
  }
}

/** Returns when to retry a failed event, or null if its day of retries is over. */
function nextAttemptAtMs({ attempts, createdAtMs }: PendingWebhook, nowMs: AtMs): AtMs | null {
  const atMs = nowMs + (PAUSES_MS[Math.min(attempts, PAUSES_MS.length - 1)] as number);
  return atMs > createdAtMs + GIVE_UP_AFTER_MS ? null : atMs;
}

async function send(event: PendingWebhook, { url, secret }: Receiver, deps: DeliveryDeps): Promise<Answer> {
  const sentAt = new Date(deps.realNowMs());
  try {
    const response = await deps.fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": "Fuelgauge",
        "webhook-id": event.id,
        "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
        "webhook-signature": new Webhook(secret).sign(event.id, sentAt, event.body),
      },
      body: event.body,
      // Do not follow redirects: the operator chose this URL.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return { status: response.status, error: response.ok ? null : `answered ${response.status}` };
  } catch (error) {
    return { status: null, error: error instanceof Error ? error.name : "unreachable" };
  }
}
