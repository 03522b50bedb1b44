/**
 * A stretch of network in front of the Worker that a test can break: refuse connections or only sockets, cut those
 * that are open, or swallow everything without a word, as a sleeping laptop's dead connection does.
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
  const server = createServer((near) => {
    if (state === "refusing") return near.destroy();
    const far = connect(Number(port), hostname);
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(from);
      from.on("data", (data) => {
        if (state === "without sockets" && /^upgrade: websocket/im.test(data.toString("latin1"))) near.destroy();
        else if (state !== "silent") to.write(data);
      });
      from.on("error", () => to.destroy());
      from.on("close", () => open.delete(from) && to.destroy());
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Ends what is open; what comes next gets through. */
    cut,
    /** Ends what is open and lets nothing through. */
    refuse() {
      state = "refusing";
      cut();
    },
    /** Lets pages through, and no socket: as some proxies do. */
    refuseSockets() {
      state = "without sockets";
      cut();
    },
    /** Keeps what is open, and lets nothing through either way. */
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
