// The delivery of queued webhooks to a real HTTP server: order, signatures, retries, and giving up.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { migrate } from "../../../src/enterprise/books/schema.ts";
import { listWebhooks, nextWebhookAtMs, putWebhook } from "../../../src/enterprise/books/webhook-queue.ts";
import { Deliverer } from "../../../src/enterprise/jobs/deliverer.ts";
import type { Receiver } from "../../../src/enterprise/jobs/receivers.ts";
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

type Queued = { channel: string; type: string };

function openQueue() {
  const sql = openSql();
  migrate(sql);
  const clock = { nowMs: Date.now() };
  const put = (name: string, channel?: string) =>
    putWebhook(sql, { type: "test", timestamp: "2026-03-10T12:00:00.000Z", data: { name } }, clock.nowMs, channel);
  /** Delivers what is due, and resolves once nothing is under way. */
  const deliverTo = async (receiver: (event: Queued) => Promise<Receiver>) => {
    if ((nextWebhookAtMs(sql) ?? Number.POSITIVE_INFINITY) > clock.nowMs) return;
    let open = 0;
    await new Promise<void>((resolve, reject) => {
      const deliverer = new Deliverer({
        sql,
        receiver: (event) => {
          open += 1;
          return receiver(event);
        },
        network: { fetch, sendEmail: async () => {} },
        realNowMs: () => clock.nowMs,
        onDone: () => {
          open -= 1;
          if (open === 0) resolve();
        },
        onError: reject,
      });
      deliverer.start();
    });
  };
  const log = () => listWebhooks(sql, Number.MAX_SAFE_INTEGER, 100);
  return { sql, clock, put, deliverTo, log };
}

function queueOf(...names: string[]) {
  const queue = openQueue();
  for (const name of names) queue.put(name);
  const deliver = (to: string | null = url) =>
    queue.deliverTo(async () =>
      to === null ? { kind: "none", reason: "no webhook_url is set" } : { kind: "webhook", url: to, secret: SECRET },
    );
  return { ...queue, deliver };
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

it("waits ten seconds for a slow receiver, and retries, while other receivers get theirs at once", async () => {
  const { put, deliverTo, log } = openQueue();
  respond = (response) => {
    if (!received.at(-1)?.body.includes("slow")) response.writeHead(204).end();
  };
  put("slow", "slow");
  put("behind", "slow");
  for (const name of ["a", "b", "c"]) put(name, "quick");
  // The test does not wait ten seconds: it ends the time limits when the other receivers have theirs.
  const limitsMs: number[] = [];
  const timeLimit = new AbortController();
  const timeout = vi.spyOn(AbortSignal, "timeout").mockImplementation((ms) => {
    limitsMs.push(ms);
    return timeLimit.signal;
  });
  const delivered = deliverTo(async () => ({ kind: "webhook", url, secret: SECRET }));
  await expect.poll(() => log().filter(({ state }) => state === "delivered").length).toBe(3);
  timeLimit.abort(new DOMException("The operation was aborted due to timeout", "TimeoutError"));
  await delivered;
  timeout.mockRestore();
  expect([...new Set(limitsMs)]).toEqual([10_000]);
  expect(log().slice(3)).toMatchObject([
    { state: "pending", attempts: 0 },
    { state: "pending", attempts: 1, lastStatus: null, lastError: "TimeoutError" },
  ]);
});

it("keeps half of the connections for receivers that have not failed", async () => {
  const { clock, put, deliverTo } = openQueue();
  const open = new Set<string>();
  let maxOpen = 0;
  respond = (response) => response.writeHead(500).end();
  for (let n = 0; n < 5; n++) put("dead", `dead-${n}`);
  await deliverTo(async () => ({ kind: "webhook", url, secret: SECRET }));
  clock.nowMs += 6_000;
  await deliverTo(async ({ channel }) => {
    open.add(channel);
    maxOpen = Math.max(maxOpen, open.size);
    await new Promise((resolve) => setTimeout(resolve, 20));
    open.delete(channel);
    return { kind: "webhook", url, secret: SECRET };
  });
  expect(maxOpen).toBe(3);
});

it("sends each event to the URL of that moment, signed with its secret", async () => {
  const { put, deliverTo, log } = openQueue();
  put("first");
  put("second");
  const secrets = [SECRET, `whsec_${Buffer.from("another secret, of thirty bytes").toString("base64")}`];
  const receivers = secrets.map((secret, i) => ({ kind: "webhook", url: `${url}/${i}`, secret }) as const);
  await deliverTo(async () => receivers[received.length] as Receiver);
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
