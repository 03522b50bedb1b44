/**
 * The queue of messages for the webhook URL and for the channels. A message is queued in the same commit as the change
 * that caused it, so neither can exist without the other. Each receiver has its own order. jobs/deliverer.ts sends the
 * messages. Rows that are done are the delivery log; the newest 1,000 of the last 35 days are kept.
 */
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import type { LoggedWebhook } from "../../wire/webhook.ts";
import { addProgress } from "./progress.ts";
import type { Sql, SqlRow } from "./sql.ts";

/** The receiver of an event: the id of a channel, or this for the enterprise's webhook URL. No channel has this id. */
export const WEBHOOK_URL = "";

/** An event that has not been delivered or given up yet. */
export type PendingWebhook = {
  number: number;
  id: string;
  channel: string;
  type: string;
  body: string;
  createdAtMs: AtMs;
  attempts: number;
  nextAtMs: AtMs;
};

/** The outcome of one delivery attempt. Times are by the real clock. `nextAtMs` is null if there will be no retry. */
export type AttemptOutcome = {
  status: number | null;
  error: string | null;
  nextAtMs: AtMs | null;
  deliveredAtMs: AtMs | null;
  givenUpAtMs: AtMs | null;
};

/** How many events the delivery log keeps, and for how long. Pruning is by `created_at_ms` of the table `webhooks`. */
const MAX_LOG_ROWS = 1_000;
const LOG_RETENTION_MS = 35 * DAY_MS;
const SEARCHED_ROWS = 1_000;
/** How many events may wait for one receiver that does not respond. The oldest are given up. */
const MAX_PENDING = 200;

/** An event as it is sent. */
export type QueuedEvent = { type: string; timestamp: string; data: object };

/** Queues an event, as part of the caller's transaction. */
export function putWebhook(sql: Sql, event: QueuedEvent, realNowMs: AtMs, channel = WEBHOOK_URL): void {
  const statement = `INSERT INTO webhooks (id, channel, type, body, created_at_ms, attempts, next_at_ms)
    VALUES (?, ?, ?, ?, ?, 0, ?)`;
  const id = `msg_${crypto.randomUUID()}`;
  sql.run(statement, id, channel, event.type, JSON.stringify(event), realNowMs, realNowMs);
  giveUpOldest(sql, channel, realNowMs);
}

/** Loads the oldest pending event of each receiver, in the order in which they are due. */
export function loadPendingWebhooks(sql: Sql): PendingWebhook[] {
  const statement = `SELECT * FROM webhooks WHERE number IN
    (SELECT min(number) FROM webhooks WHERE next_at_ms IS NOT NULL GROUP BY channel) ORDER BY next_at_ms, number`;
  return sql.all(statement).map(pendingOfRow);
}

/** Returns when the next event is due; null if none is pending. */
export function nextWebhookAtMs(sql: Sql): AtMs | null {
  return loadPendingWebhooks(sql)[0]?.nextAtMs ?? null;
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
  if (outcome.givenUpAtMs !== null) addProgress(sql, "deliveries_failed", 1);
  const doneAtMs = outcome.deliveredAtMs ?? outcome.givenUpAtMs;
  if (doneAtMs !== null) pruneLog(sql, doneAtMs);
}

/** Records a message that was tried once and is not retried. */
export function putAttempted(
  sql: Sql,
  event: Pick<PendingWebhook, "id" | "channel" | "type" | "body" | "createdAtMs">,
  { status, error }: Pick<AttemptOutcome, "status" | "error">,
  nowMs: AtMs,
): void {
  const { id, channel, type, body, createdAtMs } = event;
  sql.run(
    `INSERT INTO webhooks (id, channel, type, body, created_at_ms, attempts, last_status, last_error, delivered_at_ms,
      given_up_at_ms) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?)`,
    id,
    channel,
    type,
    body,
    createdAtMs,
    status,
    error,
    error === null ? nowMs : null,
    error === null ? null : nowMs,
  );
  pruneLog(sql, nowMs);
}

/** Gives up everything that waits for a receiver that no longer exists. */
export function giveUpAll(sql: Sql, channel: string, error: string, nowMs: AtMs): void {
  sql.run(
    "UPDATE webhooks SET next_at_ms = NULL, given_up_at_ms = ?, last_error = ? WHERE channel = ? AND next_at_ms IS NOT NULL",
    nowMs,
    error,
    channel,
  );
}

/** Returns the events of the delivery log before `beforeNumber`, newest first. */
export function listWebhooks(sql: Sql, beforeNumber: number, limit: number): (LoggedWebhook & { number: number })[] {
  const rows = sql.all("SELECT * FROM webhooks WHERE number < ? ORDER BY number DESC LIMIT ?", beforeNumber, limit);
  return rows.map((row) => ({ number: row.number as number, ...loggedOfRow(row) }));
}

/** Returns the last event of each receiver. */
export function lastWebhooks(sql: Sql): Map<string, LoggedWebhook> {
  const statement = "SELECT * FROM webhooks WHERE number IN (SELECT max(number) FROM webhooks GROUP BY channel)";
  return new Map(sql.all(statement).map((row) => [row.channel as string, loggedOfRow(row)]));
}

/** Counts the events of a type that were queued since then. */
export function countWebhooks(sql: Sql, type: string, sinceMs: AtMs): number {
  const statement = "SELECT count(*) AS n FROM webhooks WHERE type = ? AND created_at_ms >= ?";
  return Number(sql.all(statement, type, sinceMs)[0]?.n);
}

function giveUpOldest(sql: Sql, channel: string, nowMs: AtMs): void {
  const waiting = "FROM webhooks WHERE channel = ? AND next_at_ms IS NOT NULL";
  const newest = `SELECT number ${waiting} ORDER BY number DESC LIMIT 1 OFFSET ${MAX_PENDING}`;
  const last = sql.all(newest, channel)[0]?.number;
  if (last === undefined) return;
  const dropped = Number(sql.all(`SELECT count(*) AS n ${waiting} AND number <= ?`, channel, last as number)[0]?.n);
  sql.run(
    `UPDATE webhooks SET next_at_ms = NULL, given_up_at_ms = ?, last_error = 'too many messages are waiting'
      WHERE channel = ? AND next_at_ms IS NOT NULL AND number <= ?`,
    nowMs,
    channel,
    last as number,
  );
  addProgress(sql, "deliveries_failed", dropped);
  pruneLog(sql, nowMs);
}

/** Deletes some events that the log no longer keeps. */
function pruneLog(sql: Sql, nowMs: AtMs): void {
  const old = `SELECT number FROM (SELECT number, next_at_ms, created_at_ms FROM webhooks ORDER BY number LIMIT ?)
    WHERE next_at_ms IS NULL AND (created_at_ms < ? OR number <= (SELECT max(number) FROM webhooks) - ?)`;
  sql.run(`DELETE FROM webhooks WHERE number IN (${old})`, SEARCHED_ROWS, nowMs - LOG_RETENTION_MS, MAX_LOG_ROWS);
}

function pendingOfRow(row: SqlRow): PendingWebhook {
  return {
    number: row.number as number,
    id: row.id as string,
    channel: row.channel as string,
    type: row.type as string,
    body: row.body as string,
    createdAtMs: row.created_at_ms as number,
    attempts: row.attempts as number,
    nextAtMs: row.next_at_ms as number,
  };
}

function loggedOfRow(row: SqlRow): LoggedWebhook {
  return {
    id: row.id as string,
    channel: row.channel === WEBHOOK_URL ? null : (row.channel as string),
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
