// A raw WebSocket client for benchmarks and tests, with as little work as the protocol allows: text frames, a zero mask,
// no extensions.
import { randomBytes } from "node:crypto";
import { connect, type Socket } from "node:net";

export interface SocketAddress {
  port: number;
  path: string;
  key: string;
}

/** The client's end of a WebSocket that sends and receives texts. */
export class RawSocket {
  readonly opened: Promise<void>;
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #open = false;
  #onOpen: () => void = () => {};
  #onRefused: (error: Error) => void = () => {};

  readonly #onMessage: (text: string) => void;
  readonly #onEnd: (error: Error) => void;

  constructor({ port, path, key }: SocketAddress, onMessage: (text: string) => void, onEnd: (error: Error) => void) {
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    this.opened = new Promise((resolve, reject) => {
      this.#onOpen = resolve;
      this.#onRefused = reject;
    });
    // The caller may learn of a refusal through `onEnd` alone.
    this.opened.catch(() => {});
    this.#socket = connect(port, "127.0.0.1", () => {
      this.#socket.write(
        `GET ${path} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
          `sec-websocket-version: 13\r\nsec-websocket-key: ${randomBytes(16).toString("base64")}\r\n` +
          `authorization: Bearer ${key}\r\n\r\n`,
      );
    });
    this.#socket.setNoDelay(true);
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("error", (error) => this.#onEnd(error));
    this.#socket.on("close", () => this.#onEnd(new Error("the server closed a socket")));
  }

  send(text: string): void {
    const length = Buffer.byteLength(text);
    const header = length < 126 ? 6 : length < 65_536 ? 8 : 14;
    const frame = Buffer.alloc(header + length);
    frame[0] = 0x81;
    if (header === 6) frame[1] = 0x80 | length;
    else if (header === 8) {
      frame[1] = 0x80 | 126;
      frame.writeUInt16BE(length, 2);
    } else {
      frame[1] = 0x80 | 127;
      frame.writeBigUInt64BE(BigInt(length), 2);
    }
    // The mask is four zero bytes, so the text is sent unchanged.
    frame.write(text, header);
    this.#socket.write(frame);
  }

  close(): void {
    this.#socket.removeAllListeners("close");
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    if (!this.#open) {
      const headEnd = this.#received.indexOf("\r\n\r\n");
      if (headEnd === -1) return;
      const head = this.#received.toString("latin1", 0, headEnd);
      if (!head.startsWith("HTTP/1.1 101")) {
        const refused = new Error(`the socket was refused: ${head.split("\r\n", 1)[0]}`);
        this.close();
        this.#onRefused(refused);
        this.#onEnd(refused);
        return;
      }
      this.#open = true;
      this.#received = this.#received.subarray(headEnd + 4);
      this.#onOpen();
    }
    while (this.#readFrame());
  }

  #readFrame(): boolean {
    const received = this.#received;
    if (received.length < 2) return false;
    const short = (received[1] as number) & 0x7f;
    const header = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (received.length < header) return false;
    const length = short < 126 ? short : short === 126 ? received.readUInt16BE(2) : Number(received.readBigUInt64BE(2));
    if (received.length < header + length) return false;
    this.#received = received.subarray(header + length);
    const opcode = (received[0] as number) & 0x0f;
    if (opcode === 1) this.#onMessage(received.toString("utf8", header, header + length));
    else if (opcode === 8) this.#onEnd(new Error("the server closed a socket"));
    return true;
  }
}
