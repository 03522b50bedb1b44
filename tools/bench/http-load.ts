// Load over HTTP/1.1 on kept-alive connections. The client must cost little, because it shares the machine with what
// it measures: requests are bytes made beforehand, and of an answer only the status and the length are looked at.
// Closed: every connection sends its next request when it has its answer. Open: requests fall due at random moments
// of a given rate, and one that finds no free connection waits, with its clock running.
import { connect, type Socket } from "node:net";
import { percentile } from "./stats.ts";

/** Where to connect, and what to send: the next request of a connection. */
export interface Load {
  port: number;
  next(connection: number): Buffer;
  /** Looks at each answer, where somebody wants to. */
  onAnswer?(body: Buffer, sentMs: number): void;
}

export interface Measured {
  /** Requests answered per second. */
  perSecond: number;
  /** All answers, those of the lead included. */
  answers: number;
  p50Ms: number;
  p99Ms: number;
  /** How busy this process was, 0 … 1: near 1 the client was the bottleneck. */
  clientBusy: number;
}

export interface Timing {
  /** Load that is not counted, so that what happens in the background is under way. */
  leadMs: number;
  measureMs: number;
}

/** Every connection sends again as soon as it has its answer. */
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

/** Requests fall due at random moments, `perSecond` on average, whatever the answers do. */
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
    // Timers are a millisecond coarse, which is as long as an answer takes: so it spins.
    await new Promise((resolve) => setImmediate(resolve));
  }
  while (free.length < connections && failure === null) await new Promise((resolve) => setImmediate(resolve));
  if (failure !== null) throw failure;
  for (const { connection } of free) connection.close();
  return window.result();
}

/** The stretch of time in which answers are measured. */
export class Window {
  readonly #fromMs: number;
  readonly #toMs: number;
  readonly #latenciesMs: number[] = [];
  #answers = 0;
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
    if (nowMs >= this.#fromMs && nowMs < this.#toMs) this.#latenciesMs.push(nowMs - sentMs);
  }

  result(): Measured {
    const seconds = (this.#toMs - this.#fromMs) / 1000;
    return {
      perSecond: this.#latenciesMs.length / seconds,
      answers: this.#answers,
      p50Ms: percentile(this.#latenciesMs, 50),
      p99Ms: percentile(this.#latenciesMs, 99),
      clientBusy: performance.eventLoopUtilization(this.#utilization).utilization,
    };
  }
}

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** One connection, one request at a time. Anything but a 2xx ends the bench: errors are fast and prove nothing. */
export class HttpConnection {
  #got: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void; refusals: readonly string[] } | null = null;

  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () =>
      this.#waiting?.reject(new Error("the server closed a connection that waits for an answer")),
    );
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new HttpConnection(socket)));
      socket.once("error", reject);
    });
  }

  /** Sends a request; its answer's body. `refusals` are the statuses, besides those of success, that are answers too. */
  send(request: Buffer, refusals: readonly string[] = []): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) reject(new Error("the server closed the connection"));
      this.#waiting = { resolve, reject, refusals };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#got = this.#got.length === 0 ? chunk : Buffer.concat([this.#got, chunk]);
    const headEnd = this.#got.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const head = this.#got.toString("latin1", 0, headEnd);
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    // A body in chunks ends with an empty one; nothing else is under way on this connection.
    const chunked = length === undefined && this.#got.subarray(-5).equals(LAST_CHUNK);
    const end = chunked ? this.#got.length : headEnd + 4 + Number(length ?? Number.POSITIVE_INFINITY);
    if (this.#got.length < end) return;
    const body = this.#got.subarray(headEnd + 4, end);
    this.#got = this.#got.subarray(end);
    const waiting = this.#waiting;
    this.#waiting = null;
    if (head[9] === "2" || waiting?.refusals.includes(head.slice(9, 12))) waiting?.resolve(body);
    else waiting?.reject(new Error(`${head.split("\r\n", 1)[0]}: ${body.toString().slice(0, 300)}`));
  }
}
