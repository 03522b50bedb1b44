// Sends load over WebSockets. Many runs share a socket, so several messages may be in flight; each waits for the reply
// with its id.
import { RawSocket, type SocketAddress } from "../workerd/raw-socket.ts";
import { type Measured, type Timing, Window } from "./http-load.ts";

/** Sends over `sockets` sockets, each with `inFlight` messages in flight. `next` returns the text of a message. */
export async function runSockets(
  address: SocketAddress,
  { sockets, inFlight, next }: { sockets: number; inFlight: number; next(socket: number, id: number): string },
  timing: Timing,
): Promise<Measured> {
  const window = new Window(timing);
  await Promise.all(
    Array.from({ length: sockets }, async (_, index) => {
      const sentMs = new Map<number, number>();
      let lastId = 0;
      await new Promise<void>((resolve, reject) => {
        const sendNext = (): void => {
          lastId += 1;
          sentMs.set(lastId, performance.now());
          socket.send(next(index, lastId));
        };
        const onMessage = (text: string): void => {
          const id = Number(/"id":(\d+)/.exec(text)?.[1]);
          const startMs = sentMs.get(id);
          if (startMs === undefined || text.includes('"status":')) {
            reject(new Error(`a refusal, or a reply with an unknown id: ${text}`));
            return;
          }
          sentMs.delete(id);
          window.answered(startMs);
          if (!window.over) sendNext();
          else if (sentMs.size === 0) {
            socket.close();
            resolve();
          }
        };
        const socket = new RawSocket(address, onMessage, reject);
        socket.opened.then(() => {
          for (let i = 0; i < inFlight; i++) sendNext();
        }, reject);
      });
    }),
  );
  return window.result();
}
