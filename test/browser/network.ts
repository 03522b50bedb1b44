/**
 * A TCP proxy in front of the Worker that a test can break: it refuses connections or only WebSockets, cuts open ones, or
 * drops everything silently, like the dead connection of a laptop after sleep.
 */
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export type Network = Awaited<ReturnType<typeof startNetwork>>;

export async function startNetwork(targetUrl: string) {
  const { hostname, port } = new URL(targetUrl);
  const open = new Set<Socket>();
  let state: "up" | "refusing" | "without sockets" | "silent" = "up";
  const cut = () => {
    for (const socket of open) socket.destroy();
  };
  const server = createServer((client) => {
    if (state === "refusing") return client.destroy();
    const worker = connect(Number(port), hostname);
    for (const [from, to] of [
      [client, worker],
      [worker, client],
    ] as const) {
      open.add(from);
      from.on("data", (data) => {
        if (state === "without sockets" && /^upgrade: websocket/im.test(data.toString("latin1"))) client.destroy();
        else if (state !== "silent") to.write(data);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => open.delete(from) && to.destroy());
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Closes open connections. New ones get through. */
    cut,
    /** Closes open connections and refuses new ones. */
    refuse() {
      state = "refusing";
      cut();
    },
    /** Lets HTTP through but no WebSocket, as some proxies do. */
    refuseSockets() {
      state = "without sockets";
      cut();
    },
    /** Keeps connections open but drops all data in both directions. */
    silence() {
      state = "silent";
    },
    restore() {
      state = "up";
    },
    close() {
      cut();
      server.close();
    },
  };
}
