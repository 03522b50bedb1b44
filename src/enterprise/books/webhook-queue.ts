/**
 * The queue of webhook events. An event is queued in the same commit as the change that caused it, so neither can exist
 * without the other. jobs/deliver-webhooks.ts sends the events.
 */
import type { AtMs } from "../../ledger/time.ts";
import type { LoggedWebhook } from "../../wire/webhook.ts";
import type { Sql, SqlRow } from "./sql.ts";

export type WebhookEvent = { type: "threshold.crossed" | "test"; timestamp: string; data: Record<string, unknown> };

/** An event that has not been delivered or given up yet. */
export type PendingWebhook = {
  number: number;
  id: string;
  body: string;
  createdAtMs: AtMs;
  attempts: number;
  nextAtMs: AtMs;
};

/** The outcome of one delivery attempt. Times are by the real clock. `nextAtMs` is null if there will be no retry. */
type AttemptOutcome = {
  status: number | null;
  error: string | null;
  nextAtMs: AtMs | null;
  deliveredAtMs: AtMs | null;
  givenUpAtMs: AtMs | null;
};

/** How many events the delivery log keeps. */
const MAX_LOG_ROWS = 200;
/** How many events may wait for a receiver that does not respond. The oldest are dropped. */
const MAX_PENDING = 1_000;

/** Queues an event, as part of the caller's transaction. */
export function putWebhook(sql: Sql, event: WebhookEvent, realNowMs: AtMs): void {
  const statement = `INSERT INTO webhooks (id, type, body, created_at_ms, attempts, next_at_ms) VALUES (?, ?, ?, ?, 0, ?)`;
  sql.run(statement, `msg_${crypto.randomUUID()}`, event.type, JSON.stringify(event), realNowMs, realNowMs);
  sql.run("DELETE FROM webhooks WHERE number <= (SELECT max(number) FROM webhooks) - ?", MAX_PENDING);
}

/** Loads the oldest pending event; null if there is none. */
export function oldestPendingWebhook(sql: Sql): PendingWebhook | null {
  const row = sql.all("SELECT * FROM webhooks WHERE next_at_ms IS NOT NULL ORDER BY number LIMIT 1")[0];
  if (row === undefined) return null;
  return {
    number: row.number as number,
    id: row.id as string,
    body: row.body as string,
    createdAtMs: row.created_at_ms as number,
    attempts: row.attempts as number,
    nextAtMs: row.next_at_ms as number,
  };
}

/** Returns when the oldest pending event is due; null if there is none. */
export function nextWebhookAtMs(sql: Sql): AtMs | null {
  return oldestPendingWebhook(sql)?.nextAtMs ?? null;
}

/** Stores the outcome of a delivery attempt, and deletes events that the log no longer keeps. */
export function putAttempt(sql: Sql, { number, attempts }: PendingWebhook, outcome: AttemptOutcome): void {
  sql.run(
    `UPDATE webhooks SET attempts = ?, last_status = ?, last_error = ?, next_at_ms = ?, delivered_at_ms = ?, given_up_at_ms = ?
      WHERE number = ?`,
    attempts + 1,
    outcome.status,
    outcome.error,
    outcome.nextAtMs,
    outcome.deliveredAtMs,
    outcome.givenUpAtMs,
    number,
  );
  sql.run("DELETE FROM webhooks WHERE number <= ? AND next_at_ms IS NULL", number - MAX_LOG_ROWS);
}

/** Returns the events of the delivery log before `beforeNumber`, newest first. */
export function listWebhooks(sql: Sql, beforeNumber: number, limit: number): (LoggedWebhook & { number: number })[] {
  const rows = sql.all("SELECT * FROM webhooks WHERE number < ? ORDER BY number DESC LIMIT ?", beforeNumber, limit);
  return rows.map((row) => ({ number: row.number as number, ...loggedOfRow(row) }));
}

function loggedOfRow(row: SqlRow): LoggedWebhook {
  return {
    id: row.id as string,
    type: row.type as string,
    state: row.delivered_at_ms !== null ? "delivered" : row.given_up_at_ms !== null ? "given_up" : "pending",
    createdAtMs: row.created_at_ms as number,
    attempts: row.attempts as number,
    nextAttemptAtMs: row.next_at_ms as number | null,
    deliveredAtMs: row.delivered_at_ms as number | null,
    lastStatus: row.last_status as number | null,
    lastError: row.last_error as string | null,
  };
}
