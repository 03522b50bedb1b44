/** A network between an agent and the real Worker that fails as a test decides. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What happens to a request: it passes, it is refused, or its answer is lost or late. */
type Fault = "pass" | "down" | "lost" | "late";

/**
 * @param count how many requests arrived, this one included
 * @param elapsedMs the time since the first request
 */
export type FaultOf = (path: string, count: number, elapsedMs: number) => Fault;

const LATE_MS = 1_500;

/** @param workerUrl the Worker's address, which changes if its process is started again */
export async function startNetwork(workerUrl: () => string, faultOf: FaultOf) {
  let count = 0;
  let firstAtMs: number | null = null;
  const pass = async (request: IncomingMessage, response: ServerResponse) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { url: path = "", method = "" } = request;
    firstAtMs ??= performance.now();
    const fault = faultOf(path, ++count, performance.now() - firstAtMs);
    if (fault === "down") return request.socket.destroy();
    const headers = { Authorization: request.headers.authorization ?? "", "Content-Type": "application/json" };
    const answer = await fetch(workerUrl() + path, { method, headers, ...(method === "GET" ? {} : { body }) });
    const text = await answer.text();
    if (fault === "lost") return request.socket.destroy();
    if (fault === "late") await new Promise((late) => setTimeout(late, LATE_MS));
    response.writeHead(answer.status, { "Content-Type": "application/json" }).end(text);
  };
  const server = createServer(
    (request, response) => void pass(request, response).catch(() => request.socket.destroy()),
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
