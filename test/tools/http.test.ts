// Calls over a bad network: what is retried, for how long, and what is returned as an answer.
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { createCaller, describeProblem, Unreachable } from "../../tools/kit/http.ts";

type Behaviour = (response: ServerResponse) => void;

const answer =
  (status: number, body: object, headers: Record<string, string> = {}): Behaviour =>
  (response) =>
    response.writeHead(status, { "content-type": "application/problem+json", ...headers }).end(JSON.stringify(body));
const hangUp: Behaviour = (response) => response.destroy();

let server: Server | undefined;
afterEach(() => server?.close());

/** A server with one behaviour per request; the last one applies to all further requests. */
async function serve(...behaviours: Behaviour[]) {
  const seen: { method: string; url: string; authorization: string; body: string }[] = [];
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const { method = "", url = "", headers } = request;
    seen.push({ method, url, authorization: headers.authorization ?? "", body });
    behaviours[Math.min(seen.length, behaviours.length) - 1]!(response);
  });
  await new Promise<void>((ready) => server!.listen(0, "127.0.0.1", ready));
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { seen, call: createCaller({ baseUrl, key: "fg_key", giveUpAfterMs: 1500 }) };
}

describe("a call", () => {
  it("sends the key and the body, and returns status and body", async () => {
    const { call, seen } = await serve(answer(201, { id: "acme" }));
    expect(await call("PUT", "/v1/enterprises/acme", { name: "Acme" })).toEqual({ status: 201, body: { id: "acme" } });
    expect(seen).toEqual([
      { method: "PUT", url: "/v1/enterprises/acme", authorization: "Bearer fg_key", body: '{"name":"Acme"}' },
    ]);
  });

  it("is retried with the same body after a lost connection and while the server is busy", async () => {
    const { call, seen } = await serve(
      hangUp,
      answer(503, {}, { "retry-after": "0" }),
      answer(429, {}),
      answer(200, { ok: true }),
    );
    expect(await call("POST", "/debits", { run: "r" })).toEqual({ status: 200, body: { ok: true } });
    expect(seen.map(({ body }) => body)).toEqual(Array(4).fill('{"run":"r"}'));
  });

  it("is not retried after a refusal", async () => {
    const { call, seen } = await serve(answer(402, { code: "credits_exhausted", detail: "nothing left" }));
    const refused = await call("POST", "/runs", {});
    expect(describeProblem(refused)).toBe("402 credits_exhausted (nothing left)");
    expect(seen).toHaveLength(1);
  });

  it("returns a repeated 500 after a few attempts", async () => {
    const { call, seen } = await serve(answer(500, { code: "internal" }, { "retry-after": "0" }));
    expect((await call("GET", "/gauge")).status).toBe(500);
    expect(seen).toHaveLength(5);
  });

  it("gives up on a server that does not answer, and names it", async () => {
    const { call } = await serve(hangUp);
    await expect(call("GET", "/gauge")).rejects.toThrow(Unreachable);
    await expect(call("GET", "/gauge")).rejects.toThrow(/GET http:\/\/127.0.0.1:\d+\/gauge: .*gave up after 1.5 s/);
  });

  it("gives up at once if Retry-After is longer than it would wait", async () => {
    const { call, seen } = await serve(answer(429, {}, { "retry-after": "60" }));
    await expect(call("GET", "/gauge")).rejects.toThrow("429");
    expect(seen).toHaveLength(1);
  });
});
