/**
 * The outbox of webhooks. An event is written in the same commit as the change that caused it, and delivered later by
 * the alarm: in order, signed by the Standard Webhooks spec, retried with growing pauses for a day, then given up where
 * the operator can see it. Nothing here ever touches a debit.
 */
import { Webhook } from "standardwebhooks";
import type { AtMs } from "../../ledger/time.ts";
import { formatIso, formatIsoOrNull } from "../../wire/time.ts";
import type { Sql, SqlRow } from "../books/sql.ts";

export type WebhookEvent = { type: "threshold.crossed" | "test"; timestamp: string; data: Record<string, unknown> };

export type WebhookView = {
  id: string;
  type: string;
  state: "pending" | "delivered" | "given_up";
  created_at: string;
  attempts: number;
  next_attempt_at: string | null;
  delivered_at: string | null;
  last_status: number | null;
  last_error: string | null;
};

/** Where events go, and the secret that signs them. */
export type Receiver = { url: string; secret: string };
type Outcome = { status: number | null; error: string | null };

const PAUSES_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000];
const GIVE_UP_AFTER_MS = 86_400_000;
const TIMEOUT_MS = 10_000;
/** The receiver wants no more of it (Standard Webhooks): trying again would only annoy. */
const GONE = 410;
const KEPT = 200;

/** Puts an event into the outbox; part of the caller's transaction. */
export function putWebhook(sql: Sql, event: WebhookEvent, realNowMs: AtMs): void {
  const statement = `INSERT INTO webhooks (id, type, body, created_at_ms, attempts, next_at_ms) VALUES (?, ?, ?, ?, 0, ?)`;
  sql.run(statement, `msg_${crypto.randomUUID()}`, event.type, JSON.stringify(event), realNowMs, realNowMs);
}

/** When the oldest event that is still to be delivered is due; null when there is none. */
export function nextWebhookAtMs(sql: Sql): AtMs | null {
  return (oldestPending(sql)?.next_at_ms ?? null) as AtMs | null;
}

/**
 * Delivers what is due, oldest first; one that fails holds up those behind it until it is delivered or given up. Where
 * to is asked for each of them (null: nowhere any more), because it may be changed while a receiver takes its time.
 */
export async function deliverWebhooks(
  sql: Sql,
  receiverNow: () => Promise<Receiver | null>,
  realNowMs: () => AtMs,
): Promise<void> {
  for (;;) {
    const row = oldestPending(sql);
    if (row === undefined || (row.next_at_ms as number) > realNowMs()) return;
    const receiver = await receiverNow();
    const outcome = receiver === null ? { status: null, error: "no webhook_url is set" } : await send(row, receiver);
    const final = receiver === null || outcome.status === GONE;
    noteOutcome(sql, row, outcome, final, realNowMs());
  }
}

/** The delivery log, newest first, those before `beforeNumber`. */
export function listWebhooks(sql: Sql, beforeNumber: number, limit: number): { number: number; view: WebhookView }[] {
  const rows = sql.all("SELECT * FROM webhooks WHERE number < ? ORDER BY number DESC LIMIT ?", beforeNumber, limit);
  return rows.map((row) => ({ number: row.number as number, view: viewOf(row) }));
}

async function send(row: SqlRow, { url, secret }: Receiver): Promise<Outcome> {
  const body = row.body as string;
  const sentAt = new Date();
  try {
    const response = await fetch(url, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "User-Agent": "Fuelgauge",
        "webhook-id": row.id as string,
        "webhook-timestamp": String(Math.floor(sentAt.getTime() / 1000)),
        "webhook-signature": new Webhook(secret).sign(row.id as string, sentAt, body),
      },
      body,
      // Somewhere else is not where the operator said.
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    await response.body?.cancel();
    return { status: response.status, error: response.ok ? null : `answered ${response.status}` };
  } catch (error) {
    return { status: null, error: error instanceof Error ? error.name : "unreachable" };
  }
}

function noteOutcome(sql: Sql, row: SqlRow, { status, error }: Outcome, final: boolean, nowMs: AtMs): void {
  const attempts = (row.attempts as number) + 1;
  const pauseMs = PAUSES_MS[Math.min(attempts, PAUSES_MS.length) - 1] as number;
  const givenUp = error !== null && (final || nowMs + pauseMs > (row.created_at_ms as number) + GIVE_UP_AFTER_MS);
  sql.run(
    `UPDATE webhooks SET attempts = ?, last_status = ?, last_error = ?, next_at_ms = ?, delivered_at_ms = ?, given_up_at_ms = ?
      WHERE number = ?`,
    attempts,
    status,
    error,
    error === null || givenUp ? null : nowMs + pauseMs,
    error === null ? nowMs : null,
    givenUp ? nowMs : null,
    row.number as number,
  );
  sql.run("DELETE FROM webhooks WHERE number <= ? AND next_at_ms IS NULL", (row.number as number) - KEPT);
}

function oldestPending(sql: Sql): SqlRow | undefined {
  return sql.all("SELECT * FROM webhooks WHERE next_at_ms IS NOT NULL ORDER BY number LIMIT 1")[0];
}

function viewOf(row: SqlRow): WebhookView {
  return {
    id: row.id as string,
    type: row.type as string,
    state: row.delivered_at_ms !== null ? "delivered" : row.given_up_at_ms !== null ? "given_up" : "pending",
    created_at: formatIso(row.created_at_ms as number),
    attempts: row.attempts as number,
    next_attempt_at: formatIsoOrNull(row.next_at_ms as number | null),
    delivered_at: formatIsoOrNull(row.delivered_at_ms as number | null),
    last_status: row.last_status as number | null,
    last_error: row.last_error as string | null,
  };
}
