/**
 * How long the ledger asks an agent to collect usage before it reports again (`report_after_ms`). The calls of all agents
 * together must not exceed what one object should take, so the pause grows with the number of senders. That number is
 * estimated by Little's law: senders = calls a second · seconds between two calls of a sender. Near a limit a pause is
 * short as long as the object can take it, because a run must stop in time. This file knows no clock.
 */
import type { AtMs } from "./time.ts";

export const MIN_REPORT_AFTER_MS = 250;
const MAX_REPORT_AFTER_MS = 5_000;
/** How many calls a second one object should take, and how many near a limit. It can take about 1,000. */
const CALLS_PER_SECOND = 400;
const CALLS_PER_SECOND_NEAR_LIMIT = 800;
/** A run is near a limit if about this many further reports of the same charge would reach it. */
const NEAR_REPORTS = 20;
/** Calls of this long are summed. It must be as long as the longest pause, or slow senders would not be seen. */
const WINDOW_SECONDS = 5;
/** A sender that was not seen before counts as if it called once a second. */
const NEW_SENDER_MS = 1_000;
/** Runs are remembered in two generations, so that forgetting the older ones is one step. */
const MAX_REMEMBERED = 5_000;

/** Returns the pause for one run. */
export function reportAfterMs(senders: number, nearLimit: boolean): number {
  const perSecond = nearLimit ? CALLS_PER_SECOND_NEAR_LIMIT : CALLS_PER_SECOND;
  const neededMs = Math.ceil((senders / perSecond) * 1_000);
  return Math.min(MAX_REPORT_AFTER_MS, Math.max(MIN_REPORT_AFTER_MS, neededMs));
}

/** Whether a run is near a limit: `leftMicros` is what is left of its hold, else what is available; null without a cap. */
export function isNearLimit(action: string, leftMicros: number | null, chargedMicros: number): boolean {
  return action !== "continue" || (leftMicros !== null && leftMicros <= NEAR_REPORTS * Math.max(0, chargedMicros));
}

/** Estimates how many agents send to one object. In memory only: a new instance starts with the shortest pause. */
export class Senders {
  /** For each of the last seconds, the sum of the times between two calls of a sender. */
  readonly #sumsMs: number[] = new Array(WINDOW_SECONDS).fill(0);
  #second = 0;
  #recent = new Map<string, AtMs>();
  #older = new Map<string, AtMs>();

  /** Notes a call. `run` is the run of its first report: a sender of many runs sends them in turns. */
  note(run: string, nowMs: AtMs): void {
    this.#advance(nowMs);
    const seenMs = this.#recent.get(run) ?? this.#older.get(run);
    const betweenMs = seenMs === undefined ? NEW_SENDER_MS : Math.max(0, nowMs - seenMs);
    const place = this.#second % WINDOW_SECONDS;
    this.#sumsMs[place] = (this.#sumsMs[place] ?? 0) + Math.min(betweenMs, WINDOW_SECONDS * 1_000);
    if (this.#recent.size >= MAX_REMEMBERED && !this.#recent.has(run)) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(run, nowMs);
  }

  /** Returns the estimate: the sum of the times between calls, divided by the time in which the calls came. */
  count(): number {
    return this.#sumsMs.reduce((sum, ms) => sum + ms, 0) / (WINDOW_SECONDS * 1_000);
  }

  /** Forgets the seconds that are no longer in the window. If the clock steps back, the current second goes on. */
  #advance(nowMs: AtMs): void {
    const second = Math.floor(nowMs / 1_000);
    const passed = Math.min(WINDOW_SECONDS, second - this.#second);
    for (let i = 1; i <= passed; i++) this.#sumsMs[(second - passed + i) % WINDOW_SECONDS] = 0;
    if (passed > 0) this.#second = second;
  }
}
