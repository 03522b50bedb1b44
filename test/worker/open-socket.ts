/** Opens WebSockets of the Worker and reads them message by message. */
import { exports } from "cloudflare:workers";

export type OpenedSocket = {
  socket: WebSocket | null;
  status: number;
  next(): Promise<unknown>;
  closed: Promise<number>;
};

/** `socket` is null if the Worker refused; `status` says why. `next` waits for the next message, `closed` for the code. */
export async function openSocket(path: string, headers: Record<string, string>): Promise<OpenedSocket> {
  const response = await exports.default.fetch(`https://fuelgauge.test${path}`, {
    headers: { Upgrade: "websocket", ...headers },
  });
  const socket = response.webSocket;
  const messages: unknown[] = [];
  const waiting: ((message: unknown) => void)[] = [];
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  socket?.addEventListener("message", ({ data }) => {
    const message = data === "pong" ? data : JSON.parse(String(data));
    const next = waiting.shift();
    if (next === undefined) messages.push(message);
    else next(message);
  });
  socket?.addEventListener("close", ({ code }) => resolve(code));
  socket?.accept();
  const next = () =>
    messages.length > 0 ? Promise.resolve(messages.shift()) : new Promise<unknown>((done) => waiting.push(done));
  return { socket, status: response.status, next, closed };
}

export const bearer = (key: string) => ({ Authorization: `Bearer ${key}` });
