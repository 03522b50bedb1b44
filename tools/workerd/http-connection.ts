// A raw HTTP/1.1 client for benchmarks and tests: requests are bytes that are made beforehand, and of an answer only the
// status and the length are parsed. It is cheap, because it shares the machine with what it measures.
import { connect, type Socket } from "node:net";

const LAST_CHUNK = Buffer.from("0\r\n\r\n");

/** A connection that sends one request at a time. Rejects on any status but 2xx, because errors would look fast. */
export class HttpConnection {
  #received: Buffer = Buffer.alloc(0);
  #waiting: { resolve(body: Buffer): void; reject(error: Error): void; refusals: readonly string[] } | null = null;

  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk) => this.#read(chunk));
    socket.on("error", (error) => this.#waiting?.reject(error));
    socket.on("close", () =>
      this.#waiting?.reject(new Error("the server closed a connection while an answer was due")),
    );
  }

  static open(port: number): Promise<HttpConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new HttpConnection(socket)));
      socket.once("error", reject);
    });
  }

  /** Sends a request and returns the answer's body. `refusals` are statuses that are accepted besides 2xx. */
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
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd === -1) return;
    const head = this.#received.toString("latin1", 0, headEnd);
    const length = /content-length: (\d+)/i.exec(head)?.[1];
    // A chunked body ends with an empty chunk, and nothing else is in flight on this connection.
    const chunked = length === undefined && this.#received.subarray(-5).equals(LAST_CHUNK);
    const end = chunked ? this.#received.length : headEnd + 4 + Number(length ?? Number.POSITIVE_INFINITY);
    if (this.#received.length < end) return;
    const body = this.#received.subarray(headEnd + 4, end);
    this.#received = this.#received.subarray(end);
    const waiting = this.#waiting;
    this.#waiting = null;
    if (head[9] === "2" || waiting?.refusals.includes(head.slice(9, 12))) waiting?.resolve(body);
    else waiting?.reject(new Error(`${head.split("\r\n", 1)[0]}: ${body.toString().slice(0, 300)}`));
  }
}

/** An HTTP/1.1 request as bytes. */
export function requestBytes(method: string, path: string, headers: Record<string, string>, body = ""): Buffer {
  const content = body === "" ? {} : { "content-type": "application/json", "content-length": Buffer.byteLength(body) };
  const lines = Object.entries({ host: "localhost", ...headers, ...content }).map(
    ([name, value]) => `${name}: ${value}`,
  );
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("\r\n")}\r\n\r\n${body}`);
}

export function bearer(key: string): Record<string, string> {
  return { authorization: `Bearer ${key}` };
}
