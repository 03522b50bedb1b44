// Both sockets of an enterprise: `live` pushes the gauge, `debits/stream` takes reports.
import { evictDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { expect, it } from "vitest";
import { CREDIT, costing, newEnterprise, objectOf, operator, report, senderWith } from "./api.ts";
import { bearer, openSocket } from "./open-socket.ts";
import { EDITOR_ORIGIN, sessionCookie } from "./sessions.ts";

it("pushes the gauge at once and after each change, also after the object was evicted", async () => {
  const { id, path, key, debit, gauge } = await newEnterprise();
  const live = await openSocket(`${path}/live`, bearer(key));
  expect(await live.next()).toMatchObject({ enterprise: id, used_micros: 0 });
  await debit(report());
  expect(await live.next()).toMatchObject({ used_micros: 225_000 });
  await evictDurableObject(objectOf(id));
  await debit(report({ usage: { input_tokens: 2_000, output_tokens: 100 } }));
  expect(await live.next()).toEqual(await gauge());
});

it("pushes the gauge when a test clock moves, even if nothing is due", async () => {
  const { path, key, moveTo } = await newEnterprise();
  const live = await openSocket(`${path}/live`, bearer(key));
  expect(await live.next()).toMatchObject({ cycle: { days_elapsed: 9 } });
  await moveTo("2026-03-12T12:00:00.000Z");
  expect(await live.next()).toMatchObject({ as_of: "2026-03-12T12:00:00.000Z", cycle: { days_elapsed: 11 } });
});

it("pushes at most four times a second, and always the last state", async () => {
  const { path, key, debit } = await newEnterprise();
  const live = await openSocket(`${path}/live`, bearer(key));
  await live.next();
  const startedMs = Date.now();
  for (let n = 1; n <= 40; n++) await debit(report({ usage: { input_tokens: n * 1_000, output_tokens: 0 } }));
  let pushes = 0;
  for (let used = 0; used !== 40 * 125_000; pushes++)
    used = ((await live.next()) as { used_micros: number }).used_micros;
  expect(pushes).toBeLessThanOrEqual(Math.ceil((Date.now() - startedMs) / 250) + 1);
});

it("pushes to everyone else while the socket of a revoked key has not closed yet", async () => {
  const { path, key, createKey, debit } = await newEnterprise();
  const revoked = await createKey(["read"]);
  // This client never accepts the socket, so it does not answer the closing handshake.
  await exports.default.fetch(`https://fuelgauge.test${path}/live`, {
    headers: { Upgrade: "websocket", ...bearer(revoked.key) },
  });
  const live = await openSocket(`${path}/live`, bearer(key));
  await live.next();
  await operator("DELETE", `${path}/keys/${revoked.id}`);
  for (const credits of [1, 2]) {
    await debit(costing(credits));
    expect(await live.next()).toMatchObject({ used_micros: credits * CREDIT });
  }
});

it("lets a watcher leave with any close code and stays open to the others", async () => {
  const { path, key, debit } = await newEnterprise();
  const live = await openSocket(`${path}/live`, bearer(key));
  await live.next();
  for (const code of [undefined, 1000, 1001, 1011, 3000, 4999]) {
    const leaving = await openSocket(`${path}/live`, bearer(key));
    leaving.socket?.close(code);
    expect(await leaving.closed).toBeTypeOf("number");
  }
  await debit(costing(1));
  expect(await live.next()).toMatchObject({ used_micros: CREDIT });
});

it("answers ping with pong", async () => {
  const { path, key } = await newEnterprise();
  const live = await openSocket(`${path}/live`, bearer(key));
  await live.next();
  live.socket?.send("ping");
  expect(await live.next()).toBe("pong");
});

it("refuses to push without a key, with a debit key, with another enterprise's key, or without an upgrade", async () => {
  const { path } = await newEnterprise();
  const other = await newEnterprise();
  const debitKey = await operator("POST", `${path}/keys`, { name: "d", scopes: ["debit"] });
  expect((await openSocket(`${path}/live`, {})).status).toBe(401);
  expect((await openSocket(`${path}/live`, bearer(debitKey.body.key))).status).toBe(403);
  expect((await openSocket(`${path}/live`, bearer(other.key))).status).toBe(404);
  expect((await senderWith(other.key)("GET", `${other.path}/live`)).status).toBe(426);
});

it("pushes to a signed-in browser only from the Worker's own origin", async () => {
  const { id, path } = await newEnterprise();
  const cookie = await sessionCookie(id, { role: "member" });
  expect((await openSocket(`${path}/live`, { ...cookie, Origin: "https://fuelgauge.test" })).status).toBe(101);
  for (const origin of ["https://evil.example", "https://app.fuelgauge.test", "null"]) {
    expect((await openSocket(`${path}/live`, { ...cookie, Origin: origin })).status).toBe(403);
  }
});

it("pushes to an embed token sent as subprotocol only from the token's origin", async () => {
  const { path } = await newEnterprise();
  const claims = { user: "u1", role: "member", origin: EDITOR_ORIGIN };
  const { body } = await operator("POST", `${path}/embed-tokens`, claims);
  const offered = { "Sec-WebSocket-Protocol": `fuelgauge, ${body.token}` };
  const live = await openSocket(`${path}/live`, { ...offered, Origin: EDITOR_ORIGIN });
  expect(live.status).toBe(101);
  expect(await live.next()).toMatchObject({ used_micros: 0 });
  expect((await openSocket(`${path}/live`, { ...offered, Origin: "https://evil.example" })).status).toBe(403);
  expect((await openSocket(`${path}/live`, offered)).status).toBe(403);
});

it("takes reports and batches through the debit socket and answers each under its id", async () => {
  const { path, key, gauge } = await newEnterprise();
  const stream = await openSocket(`${path}/debits/stream`, bearer(key));
  stream.socket?.send(JSON.stringify({ id: 7, ...report() }));
  expect(await stream.next()).toMatchObject({ id: 7, run: "run-1", charged_micros: 225_000, action: "continue" });
  stream.socket?.send(JSON.stringify({ id: "b", reports: [report(), report({ run: "run-2", user: undefined })] }));
  expect(await stream.next()).toMatchObject({
    id: "b",
    results: [{ charged_micros: 0 }, { status: 422, code: "validation_failed" }],
  });
  expect((await gauge()).used_micros).toBe(225_000);
});

it("refuses invalid messages to the debit socket without changing anything", async () => {
  const { path, key, gauge } = await newEnterprise();
  const before = await gauge();
  const stream = await openSocket(`${path}/debits/stream`, bearer(key));
  const messages = [
    "{",
    "NaN",
    '"text"',
    "{}",
    '{"id":[]}',
    '{"id":1,"reports":[]}',
    `{"id":1,"run":"${"x".repeat(200)}"}`,
  ];
  const replies = [];
  for (const message of messages) {
    stream.socket?.send(message);
    replies.push(await stream.next());
  }
  expect(replies).toMatchObject([
    { id: null, status: 400, code: "malformed_json" },
    { id: null, status: 400, code: "malformed_json" },
    { id: null, status: 422, code: "validation_failed" },
    { id: null, status: 422, code: "validation_failed" },
    { id: null, status: 422, code: "validation_failed" },
    { id: 1, status: 422, code: "validation_failed" },
    { id: 1, status: 422, code: "validation_failed" },
  ]);
  stream.socket?.send(new Uint8Array([1, 2, 3]));
  expect(await stream.next()).toMatchObject({ id: null, status: 400 });
  expect((await gauge()).seq).toBe(before.seq);
});

it("closes the debit socket of a revoked key with 4401 and charges nothing more", async () => {
  const { path, gauge } = await newEnterprise();
  const made = (await operator("POST", `${path}/keys`, { name: "d", scopes: ["debit"] })).body;
  const stream = await openSocket(`${path}/debits/stream`, bearer(made.key));
  stream.socket?.send(JSON.stringify({ id: 1, ...report() }));
  await stream.next();
  expect((await operator("DELETE", `${path}/keys/${made.id}`)).status).toBe(204);
  expect(await stream.closed).toBe(4401);
  expect((await openSocket(`${path}/debits/stream`, bearer(made.key))).status).toBe(401);
  expect((await gauge()).used_micros).toBe(225_000);
});

it("answers 3,000 messages sent at once through one socket, each once and in order", async () => {
  const { path, key, gauge } = await newEnterprise();
  const stream = await openSocket(`${path}/debits/stream`, bearer(key));
  const messages = 3_000;
  for (let id = 0; id < messages; id++) {
    const usage = { input_tokens: 1_000 * Math.ceil((id + 1) / 30), output_tokens: 0 };
    stream.socket?.send(JSON.stringify({ id, ...report({ run: `run-${id % 30}`, usage }) }));
  }
  let charged = 0;
  for (let id = 0; id < messages; id++) {
    const answer = (await stream.next()) as { id: number; charged_micros: number };
    expect(answer.id).toBe(id);
    charged += answer.charged_micros;
  }
  // Thirty runs with a hundred reports each end at 100,000 tokens of 1.25 USD per million.
  expect(charged).toBe(30 * 12.5 * CREDIT);
  expect((await gauge()).used_micros).toBe(charged);
});
