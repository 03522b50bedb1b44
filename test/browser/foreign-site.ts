/**
 * A site of somebody else, for the tests of what its pages can do with a signed-in browser: nothing. It is reached
 * under two names: as another site, and as another origin of the same site, which differs from ours by its port only.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type ForeignSite = Awaited<ReturnType<typeof startForeignSite>>;

/** @param ours the address of the site whose visitors it is after */
export async function startForeignSite(ours: string) {
  const server = createServer((_, response) =>
    response
      .setHeader("Content-Type", "text/html; charset=utf-8")
      .end('<!doctype html><title>Elsewhere</title><form method="post"></form>'),
  );
  await new Promise<void>((done) => server.listen(0, done));
  const { hostname } = new URL(ours);
  const theirs = hostname === "localhost" ? "127.0.0.1" : "localhost";
  const { port } = server.address() as AddressInfo;
  return {
    origins: {
      "another site": `http://${theirs}:${port}`,
      "another origin of this site": `http://${hostname}:${port}`,
    },
    close: () => server.close(),
  };
}
