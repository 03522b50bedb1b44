/**
 * A site that attacks signed-in browsers. It has two addresses: one is another site, the other is another origin of the
 * same site, which differs from Fuelgauge's only by its port.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export type OtherSite = Awaited<ReturnType<typeof startOtherSite>>;

/** @param attackedUrl the URL of the Fuelgauge under attack */
export async function startOtherSite(attackedUrl: string) {
  const server = createServer((_, response) =>
    response
      .setHeader("Content-Type", "text/html; charset=utf-8")
      .end('<!doctype html><title>Other site</title><form method="post"></form>'),
  );
  await new Promise<void>((done) => server.listen(0, done));
  const { hostname } = new URL(attackedUrl);
  const otherName = hostname === "localhost" ? "127.0.0.1" : "localhost";
  const { port } = server.address() as AddressInfo;
  return {
    origins: {
      "another site": `http://${otherName}:${port}`,
      "another origin of this site": `http://${hostname}:${port}`,
    },
    close: () => server.close(),
  };
}
