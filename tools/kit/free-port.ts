// Finds a port that nobody listens on, for a server that cannot choose its port itself.
import { once } from "node:events";
import { createServer } from "node:net";

/** A free local port. Another process may take it before the caller does, which is unlikely. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
