// The delivery of queued webhooks to a real HTTP server: order, signatures, retries, and giving up.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it } from "vitest";
import { migrate } from "../../../src/enterprise/books/schema.ts";
import { listWebhooks, nextWebhookAtMs, putWebhook } from "../../../src/enterprise/books/webhook-queue.ts";
import { deliverWebhooks } from "../../../src/enterprise/jobs/deliver-webhooks.ts";
import { openSql } from "../../support/node-sql.ts";

const SECRET = `whsec_${Buffer.from("a secret of thirty-two bytes, ok").toString("base64")}`;
const HOUR_MS = 3_600_000;

let server: Server;
let url: string;
let received: { headers: IncomingMessage["headers"]; body: string }[];
let respond: (response: ServerResponse) => void;

beforeEach(async () => {
  received = [];
  respond = (response) => response.writeHead(204).end();
  server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    received.push({ headers: request.headers, body });
    respond(response);
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

function queueOf(...names: string[]) {
  const sql = openSql();
  migrate(sql);
  const clock = { nowMs: Date.now() };
  for (const name of names) {
    putWebhook(sql, { type: "test", timestamp: "2026-03-10T12:00:00.000Z", data: { name } }, clock.nowMs);
  }
  const deliver = (to: string | null = url) =>
    deliverWebhooks({
      sql,
      receiver: async () => (to === null ? null : { url: to, secret: SECRET }),
      fetch,
      realNowMs: () => clock.nowMs,
    });
  const log = () => listWebhooks(sql, Number.MAX_SAFE_INTEGER, 100);
  return { sql, clock, deliver, log };
}

it("delivers in order, with signatures that the library of the spec accepts", async () => {
  const { deliver, log } = queueOf("first", "second");
  await deliver();
  expect(received.map(({ body }) => JSON.parse(body).data.name)).toEqual(["first", "second"]);
  for (const { headers, body } of received) {
    const signed = headers as Record<string, string>;
    expect(new Webhook(SECRET).verify(body, signed)).toMatchObject({ type: "test" });
    expect(() => new Webhook(SECRET).verify(body.replace("test", "tent"), signed)).toThrow();
  }
  expect(log()).toMatchObject([{ state: "delivered", attempts: 1, lastStatus: 204 }, { state: "delivered" }]);
});

it("keeps the order while a receiver fails, and delivers everything once it works again", async () => {
  const { clock, deliver, log, sql } = queueOf("first", "second");
  respond = (response) => response.writeHead(500).end();
  for (let hour = 0; hour < 6; hour++) {
    await deliver();
    clock.nowMs += HOUR_MS;
  }
  expect(new Set(received.map(({ body }) => JSON.parse(body).data.name))).toEqual(new Set(["first"]));
  expect(log()[1]).toMatchObject({ state: "pending", lastStatus: 500, lastError: "answered 500" });
  respond = (response) => response.writeHead(200).end();
  clock.nowMs = nextWebhookAtMs(sql) ?? 0;
  await deliver();
  expect(log()).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
});

it("sends the same id with every attempt, so that a receiver can recognize a repetition", async () => {
  const { clock, deliver, sql } = queueOf("only");
  respond = (response) => response.writeHead(503).end();
  await deliver();
  clock.nowMs = nextWebhookAtMs(sql) ?? 0;
  await deliver();
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(received).toHaveLength(2);
});

it("gives up after a day, visibly, and continues with the next", async () => {
  const { clock, deliver, log, sql } = queueOf("dead");
  respond = (response) => response.writeHead(500).end();
  const startedMs = clock.nowMs;
  for (let at = nextWebhookAtMs(sql); at !== null; at = nextWebhookAtMs(sql)) {
    clock.nowMs = at;
    await deliver();
  }
  expect(log()).toMatchObject([{ state: "given_up", lastError: "answered 500", nextAttemptAtMs: null }]);
  expect(clock.nowMs - startedMs).toBeLessThanOrEqual(24 * HOUR_MS);
  expect(clock.nowMs - startedMs).toBeGreaterThan(16 * HOUR_MS);
  respond = (response) => response.writeHead(200).end();
  putWebhook(sql, { type: "test", timestamp: "2026-03-11T12:00:00.000Z", data: {} }, clock.nowMs);
  await deliver();
  expect(log()[0]).toMatchObject({ state: "delivered" });
});

it.each([301, 302, 303, 307, 308])("follows no redirect %i, and counts it as a failure", async (status) => {
  const { deliver, log } = queueOf("only");
  respond = (response) => response.writeHead(status, { Location: `${url}/elsewhere` }).end();
  await deliver();
  expect(received).toHaveLength(1);
  expect(log()[0]).toMatchObject({ state: "pending", lastStatus: status, lastError: `answered ${status}` });
});

it.each([400, 401, 404, 429])("retries after %i: a receiver may be fixed within the day", async (status) => {
  const { clock, deliver, log, sql } = queueOf("only");
  respond = (response) => response.writeHead(status).end();
  await deliver();
  expect(log()[0]).toMatchObject({ state: "pending", attempts: 1, lastStatus: status });
  respond = (response) => response.writeHead(200).end();
  clock.nowMs = nextWebhookAtMs(sql) ?? 0;
  await deliver();
  expect(log()[0]).toMatchObject({ state: "delivered", attempts: 2, lastStatus: 200, lastError: null });
});

it("gives up at once after 410 Gone, visibly, and continues with the next", async () => {
  const { deliver, log } = queueOf("first", "second");
  respond = (response) => response.writeHead(received.length === 1 ? 410 : 200).end();
  await deliver();
  expect(log()).toMatchObject([
    { state: "delivered" },
    { state: "given_up", attempts: 1, lastStatus: 410, lastError: "answered 410" },
  ]);
});

it("waits ten seconds for a slow receiver, and retries", async () => {
  const { deliver, log } = queueOf("only", "behind");
  respond = () => {};
  const startedMs = Date.now();
  await deliver();
  expect(Date.now() - startedMs).toBeLessThan(15_000);
  expect(log()).toMatchObject([
    { state: "pending", attempts: 0 },
    { state: "pending", attempts: 1, lastStatus: null, lastError: "TimeoutError" },
  ]);
}, 20_000);

it("sends each event to the URL of that moment, signed with its secret", async () => {
  const { sql, clock, log } = queueOf("first", "second");
  const secrets = [SECRET, `whsec_${Buffer.from("another secret, of thirty bytes").toString("base64")}`];
  const receivers = secrets.map((secret, i) => ({ url: `${url}/${i}`, secret }));
  await deliverWebhooks({
    sql,
    receiver: async () => receivers[received.length] ?? null,
    fetch,
    realNowMs: () => clock.nowMs,
  });
  for (const [i, { headers, body }] of received.entries()) {
    expect(new Webhook(secrets[i] as string).verify(body, headers as Record<string, string>)).toBeTruthy();
  }
  expect(log()).toMatchObject([{ state: "delivered" }, { state: "delivered" }]);
});

it("records an unreachable receiver by the kind of error only", async () => {
  const { deliver, log } = queueOf("only");
  server.close();
  server.closeAllConnections();
  await deliver();
  expect(log()[0]).toMatchObject({ state: "pending", lastStatus: null, lastError: "TypeError" });
});

it("gives up at once when the URL was removed", async () => {
  const { deliver, log } = queueOf("only");
  await deliver(null);
  expect(log()[0]).toMatchObject({ state: "given_up", lastError: "no webhook_url is set" });
});
