/**
 * Sends reports through one WebSocket, which costs less per report on a host with many runs. The opening request must
 * carry the Authorization header. Workers send it in a `fetch` that upgrades to a WebSocket. Node ≥ 22, Deno and Bun
 * accept it as an option of `new WebSocket`. Browsers cannot send it. If the socket fails to open or breaks, reports
 * go over HTTP for a random time of up to 30 s, or of up to 5 minutes after several failures in a row.
 */
import { type Clock, reopenAfterMs, withTimeout } from "./clock.ts";
import { type Ledger, noAnswer, parseBody } from "./http.ts";
import { type MakeTransport, type Outcome, outcomeOf, type Transport } from "./transport.ts";
import type { Report } from "./wire.ts";

/** The part of a WebSocket that the client uses. */
export type Socket = {
  send(text: string): void;
  close(): void;
  addEventListener(type: "open" | "message" | "close" | "error", then: (event: never) => void): void;
};

/** Opens a socket. Resolves once it is open, and rejects if it does not open. */
export type OpenSocket = (url: string, headers: Record<string, string>) => Promise<Socket>;

/** A transport for `createFuelgauge`: `{ transport: socketTransport() }`. */
export function socketTransport(open: OpenSocket = openSocket): MakeTransport {
  return (connection) => new SocketTransport(connection, open);
}

type Waiting = (outcome: Outcome | null) => void;

class SocketTransport implements Transport {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #timeoutMs: number;
  readonly #http: Transport;
  readonly #open: OpenSocket;
  readonly #waiting = new Map<number, { reports: Report[]; done: Waiting }>();
  #socket: Socket | null = null;
  #httpUntilMs = 0;
  /** How often in a row a socket did not open, or broke before its first reply. */
  #failures = 0;
  #lastId = 0;

  constructor(connection: Parameters<MakeTransport>[0], open: OpenSocket) {
    this.#ledger = connection.ledger;
    this.#clock = connection.clock;
    this.#random = connection.random;
    this.#timeoutMs = connection.timeoutMs;
    this.#http = connection.http;
    this.#open = open;
  }

  async send(reports: Report[]): Promise<Outcome> {
    const socket = await this.#connectedSocket();
    if (socket === null) return this.#http.send(reports);
    return (await this.#request(socket, reports)) ?? noAnswer("no reply arrived over the socket");
  }

  close(): void {
    this.#drop(this.#socket);
  }

  /** Returns the open socket, and opens it first if necessary. Returns null while reports go over HTTP. */
  async #connectedSocket(): Promise<Socket | null> {
    if (this.#socket !== null || this.#clock.steadyMs() < this.#httpUntilMs) return this.#socket;
    let late = false;
    try {
      const opening = this.#ledger
        .headers()
        .then((headers) => this.#open(`${this.#ledger.base}/debits/stream`, headers));
      opening.then((socket) => late && socket.close()).catch(() => {});
      const socket = await withTimeout(this.#clock, this.#timeoutMs, opening);
      if (socket === null) throw new Error("the socket does not open");
      socket.addEventListener("message", (event: { data: unknown }) => this.#handleReply(event.data));
      socket.addEventListener("close", () => this.#drop(socket));
      socket.addEventListener("error", () => this.#drop(socket));
      this.#socket = socket;
    } catch {
      late = true;
      this.#useHttp();
    }
    return this.#socket;
  }

  /** Sends a batch and returns its outcome. Returns null if no reply arrived; the ledger may have recorded the batch. */
  async #request(socket: Socket, reports: Report[]): Promise<Outcome | null> {
    const id = ++this.#lastId;
    const reply = new Promise<Outcome | null>((done) => this.#waiting.set(id, { reports, done }));
    try {
      socket.send(JSON.stringify({ id, reports }));
    } catch {
      this.#drop(socket);
    }
    const outcome = await withTimeout(this.#clock, this.#timeoutMs, reply);
    this.#waiting.delete(id);
    if (outcome === null) this.#drop(socket);
    return outcome;
  }

  #handleReply(data: unknown): void {
    const reply = parseBody(String(data));
    const waiting = this.#waiting.get(reply.id as number);
    if (waiting === undefined) return;
    this.#failures = 0;
    const { status } = reply;
    const refused = typeof status === "number";
    waiting.done(refused ? { ...noAnswer(""), status, body: reply } : outcomeOf(reply, waiting.reports));
  }

  /** Sends reports over HTTP for a while, because the socket has failed. */
  #useHttp(): void {
    this.#failures += 1;
    this.#httpUntilMs = this.#clock.steadyMs() + reopenAfterMs(this.#failures, this.#random);
  }

  #drop(socket: Socket | null): void {
    if (socket === null || socket !== this.#socket) return;
    this.#socket = null;
    this.#useHttp();
    for (const { done } of this.#waiting.values()) done(null);
    try {
      socket.close();
    } catch {
      // The socket is already closed.
    }
  }
}

type Upgraded = { status: number; webSocket?: (Socket & { accept(): void }) | null };
type SocketClass = new (url: string, options: { headers: Record<string, string> }) => Socket;

/** Opens a socket in the way that the current runtime supports. */
export const openSocket: OpenSocket = (url, headers) => {
  const runtime = globalThis as unknown as { WebSocketPair?: unknown; WebSocket?: SocketClass };
  if (runtime.WebSocketPair !== undefined) return openByUpgrade(url, headers);
  if (runtime.WebSocket !== undefined) return openByConstructor(runtime.WebSocket, url, headers);
  return Promise.reject(new Error("this runtime has no WebSocket"));
};

async function openByUpgrade(url: string, headers: Record<string, string>): Promise<Socket> {
  const response = (await fetch(url, { headers: { ...headers, Upgrade: "websocket" } })) as unknown as Upgraded;
  const socket = response.webSocket;
  if (socket === null || socket === undefined) throw new Error(`the socket was refused: ${response.status}`);
  socket.accept();
  return socket;
}

function openByConstructor(WebSocket: SocketClass, url: string, headers: Record<string, string>): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url.replace(/^http/, "ws"), { headers });
    socket.addEventListener("open", () => resolve(socket));
    socket.addEventListener("close", () => reject(new Error("the socket was refused")));
    socket.addEventListener("error", () => reject(new Error("the socket was refused")));
  });
}
