/**
 * Delivers queued messages: to each receiver in order, to different receivers at the same time, so that a slow or dead
 * one delays no other. A failed delivery is retried with growing pauses for a day. Then it is given up, and the delivery
 * log shows this. Deliveries run in the background and never delay a debit.
 */
import type { AtMs } from "../../ledger/time.ts";
import type { Sql } from "../books/sql.ts";
import { type AttemptOutcome, loadPendingWebhooks, type PendingWebhook, putAttempt } from "../books/webhook-queue.ts";
import type { Receiver } from "./receivers.ts";
import { type Answer, type Network, send } from "./send.ts";

type DelivererDeps = {
  sql: Sql;
  /**
   * Returns the current receiver of an event, or why it has none. This is called before each attempt, because the
   * receiver may be changed while earlier deliveries wait for their responses.
   */
  receiver(event: Pick<PendingWebhook, "channel" | "type">): Promise<Receiver>;
  network: Network;
  realNowMs(): AtMs;
  /** Called after each delivery, when something else may be due. */
  onDone(): void;
  onError(error: unknown): void;
};

/** The pause after each failed attempt; the last one repeats. */
const PAUSES_MS = [5_000, 30_000, 120_000, 600_000, 1_800_000, 3_600_000, 7_200_000, 14_400_000];
const GIVE_UP_AFTER_MS = 86_400_000;
/** While deliveries are under way, the alarm runs this often to check whether they were cut off. */
const CHECK_AGAIN_MS = 30_000;
/** The platform lets an object wait for six responses at once. Receivers that have just failed get half of these. */
const MAX_AT_ONCE = 6;
const MAX_RETRIES_AT_ONCE = 3;
/** How many events one alarm sends. The next alarm continues, with the requests that the platform gives each alarm. */
const MAX_SENT = 200;
/** 410 Gone: in the Standard Webhooks spec, a receiver sends this status to refuse further attempts. */
const GONE = 410;

export class Deliverer {
  /**
   * The receivers that an event is being sent to, and whether it is a retry. In memory only: after an eviction the event
   * is still pending, and is sent again.
   */
  readonly #busy = new Map<string, boolean>();
  #left = 0;

  constructor(readonly deps: DelivererDeps) {}

  /** Starts to deliver what is due. Each delivery, when it ends, starts the next. */
  start(): void {
    this.#left = MAX_SENT;
    this.#startDue();
  }

  /** Returns when `start` must be called next; Infinity if nothing is pending. */
  nextDueAtMs(): AtMs {
    const nowMs = this.deps.realNowMs();
    const pending = loadPendingWebhooks(this.deps.sql).filter(({ channel }) => !this.#busy.has(channel));
    if (this.#busy.size === 0) return pending[0]?.nextAtMs ?? Number.POSITIVE_INFINITY;
    // What is due but waits for one of the deliveries to end is started then.
    const later = pending.filter(({ nextAtMs }) => nextAtMs > nowMs).map(({ nextAtMs }) => nextAtMs);
    return Math.min(nowMs + CHECK_AGAIN_MS, ...later);
  }

  #startDue(): void {
    const nowMs = this.deps.realNowMs();
    for (const event of loadPendingWebhooks(this.deps.sql)) {
      if (event.nextAtMs > nowMs || this.#busy.size >= MAX_AT_ONCE || this.#left === 0) return;
      if (this.#busy.has(event.channel) || (event.attempts > 0 && this.#retries() >= MAX_RETRIES_AT_ONCE)) continue;
      this.#left -= 1;
      this.#busy.set(event.channel, event.attempts > 0);
      void this.#deliver(event);
    }
  }

  async #deliver(event: PendingWebhook): Promise<void> {
    try {
      const receiver = await this.deps.receiver(event);
      const answer = await send(event, receiver, this.deps.network, this.deps.realNowMs());
      putAttempt(this.deps.sql, event, outcomeOf(event, answer, receiver, this.deps.realNowMs()));
      this.#busy.delete(event.channel);
      this.#startDue();
    } catch (error) {
      // Nobody awaits this promise. The alarm checks again, so the event is not lost.
      this.#busy.delete(event.channel);
      this.deps.onError(error);
    } finally {
      this.deps.onDone();
    }
  }

  #retries(): number {
    return [...this.#busy.values()].filter(Boolean).length;
  }
}

function outcomeOf(event: PendingWebhook, answer: Answer, receiver: Receiver, nowMs: AtMs): AttemptOutcome {
  if (answer.error === null) return { ...answer, nextAtMs: null, deliveredAtMs: nowMs, givenUpAtMs: null };
  const final = receiver.kind === "none" || answer.status === GONE;
  const nextAtMs = final ? null : nextAttemptAtMs(event, nowMs);
  return { ...answer, nextAtMs, deliveredAtMs: null, givenUpAtMs: nextAtMs === null ? nowMs : null };
}

/** Returns when to retry a failed event, or null if its day of retries is over. */
function nextAttemptAtMs({ attempts, createdAtMs }: PendingWebhook, nowMs: AtMs): AtMs | null {
  const atMs = nowMs + (PAUSES_MS[Math.min(attempts, PAUSES_MS.length - 1)] as number);
  return atMs > createdAtMs + GIVE_UP_AFTER_MS ? null : atMs;
}
