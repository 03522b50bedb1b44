/**
 * A site of somebody else, for the tests of what its pages can do with a signed-in browser: nothing. It is reached
 * under two names, as another site (127.0.0.1) and as another origin of the same site (another port of localhost).
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type ForeignSite = Awaited<ReturnType<typeof startForeignSite>>;

export async function startForeignSite() {
  const server = createServer((_, response) =>
    response
      .setHeader("Content-Type", "text/html; charset=utf-8")
      .end('<!doctype html><title>Elsewhere</title><form method="post"></form>'),
  );
  await new Promise<void>((done) => server.listen(0, done));
  const { port } = server.address() as AddressInfo;
  return {
    origins: { "another site": `http://127.0.0.1:${port}`, "another origin of this site": `http://localhost:${port}` },
    close: () => server.close(),
  };
}
