// Sends load over HTTP/1.1 on kept-alive connections, and measures throughput and latency.
// Closed loop: each connection sends its next request when it has its answer. Open loop: requests are due at random
// moments of a given rate; one that finds no free connection waits, and its waiting time counts.
import { HttpConnection } from "../workerd/http-connection.ts";
import { percentile } from "./stats.ts";

/** Where to connect, and what each connection sends next. */
export interface Load {
  port: number;
  next(connection: number): Buffer;
  /** Called with each answer. */
  onAnswer?(body: Buffer, sentMs: number): void;
}

export interface Measured {
  /** Requests answered per second. */
  perSecond: number;
  /** All answers, including those of the lead time. */
  answers: number;
  p50Ms: number;
  p95Ms: number;
  p99Ms: number;
  /** How busy this process was, from 0 to 1. Near 1, the client was the bottleneck. */
  clientBusy: number;
}

export interface Timing {
  /** Load before the measurement, so that background work has started. */
  leadMs: number;
  measureMs: number;
}

/** Runs a closed loop: each connection sends again as soon as it has its answer. */
export async function runClosed(load: Load, connections: number, timing: Timing): Promise<Measured> {
  const window = new Window(timing);
  await Promise.all(
    Array.from({ length: connections }, async (_, index) => {
      const connection = await HttpConnection.open(load.port);
      while (!window.over) {
        const sentMs = performance.now();
        const body = await connection.send(load.next(index));
        window.answered(sentMs);
        load.onAnswer?.(body, sentMs);
      }
      connection.close();
    }),
  );
  return window.result();
}

/** Runs an open loop: requests are due at random moments, `perSecond` on average, independent of the answers. */
export async function runOpen(load: Load, connections: number, perSecond: number, timing: Timing): Promise<Measured> {
  const free = await Promise.all(
    Array.from({ length: connections }, async (_, index) => ({
      index,
      connection: await HttpConnection.open(load.port),
    })),
  );
  const window = new Window(timing);
  const due: number[] = [];
  let nextDueMs = performance.now();
  let failure: unknown = null;
  const sendDue = (): void => {
    while (due.length > 0 && free.length > 0) {
      const dueMs = due.shift() as number;
      const sender = free.pop() as (typeof free)[number];
      sender.connection.send(load.next(sender.index)).then(
        (body) => {
          window.answered(dueMs);
          load.onAnswer?.(body, dueMs);
          free.push(sender);
          sendDue();
        },
        (error: unknown) => {
          failure = error;
        },
      );
    }
  };
  while (!window.over && failure === null) {
    while (nextDueMs <= performance.now()) {
      due.push(nextDueMs);
      nextDueMs += (-Math.log(1 - Math.random()) * 1000) / perSecond;
    }
    sendDue();
    // Spins, because timers have a resolution of a millisecond, which is as long as an answer takes.
    await new Promise((resolve) => setImmediate(resolve));
  }
  // A load that cannot be met leaves requests behind. They have waited until now, and are not sent any more.
  for (const dueMs of due.splice(0)) window.gaveUp(dueMs);
  while (free.length < connections && failure === null) await new Promise((resolve) => setImmediate(resolve));
  if (failure !== null) throw failure;
  for (const { connection } of free) connection.close();
  return window.result();
}

/** The period in which answers are measured. */
export class Window {
  readonly #fromMs: number;
  readonly #toMs: number;
  readonly #latenciesMs: number[] = [];
  #answers = 0;
  /** Answers within the period. */
  #measured = 0;
  readonly #utilization = performance.eventLoopUtilization();

  constructor({ leadMs, measureMs }: Timing) {
    this.#fromMs = performance.now() + leadMs;
    this.#toMs = this.#fromMs + measureMs;
  }

  get over(): boolean {
    return performance.now() >= this.#toMs;
  }

  answered(sentMs: number): void {
    const nowMs = performance.now();
    this.#answers += 1;
    if (nowMs < this.#fromMs || nowMs >= this.#toMs) return;
    this.#latenciesMs.push(nowMs - sentMs);
    this.#measured += 1;
  }

  /** Counts a request that was not sent when the period ended, with the time it had waited by then. */
  gaveUp(dueMs: number): void {
    if (dueMs >= this.#fromMs && dueMs < this.#toMs) this.#latenciesMs.push(this.#toMs - dueMs);
  }

  result(): Measured {
    const seconds = (this.#toMs - this.#fromMs) / 1000;
    return {
      perSecond: this.#measured / seconds,
      answers: this.#answers,
      p50Ms: percentile(this.#latenciesMs, 50),
      p95Ms: percentile(this.#latenciesMs, 95),
      p99Ms: percentile(this.#latenciesMs, 99),
      clientBusy: performance.eventLoopUtilization(this.#utilization).utilization,
    };
  }
}
