// The core's rules about callers: who is refused is decided in the turn of the commit, not when the call arrived.
import { expect, it, vi } from "vitest";
import type { Caller } from "../../src/access/callers.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import type { Platform } from "../../src/enterprise/platform.ts";
import type { Socket } from "../../src/enterprise/sockets/sockets.ts";
import { CopyDb } from "../simulation/copy-db.ts";
import { NOON, report, settings, UNIT_PRICE } from "../support/books.ts";
import { stubPlatform } from "./stub-platform.ts";

const KEY: Caller = { kind: "key", id: "k1", hash: "hash", scopes: ["debit"] };
const PRICES = { find: (model: string) => ({ model, price: UNIT_PRICE }) };
const MESSAGE = JSON.stringify({
  id: 7,
  run: "r1",
  model: "m1",
  usage: { input_tokens: 10, output_tokens: 0 },
  surface: "web",
  workspace: "w1",
  user: "u1",
});

function openCore(prices: Platform["prices"] = async () => PRICES, live: Socket[] = []) {
  const platform = stubPlatform({
    prices,
    sockets: { countLive: () => live.length, live: () => live, all: () => live, of: () => [], countLiveOf: () => 0 },
  });
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  core.access.addKey(
    { kind: "operator" },
    { id: "k1", name: "agents", scopes: ["debit"], hash: "hash", expiresAtMs: null },
  );
  return { core, platform, logged: platform.logged, usedMicros: () => core.ledger.gauge().usedMicros };
}

function openSocket(kind: Socket["owner"]["kind"] = "stream", expiresAtMs: number | null = null) {
  const sent: unknown[] = [];
  const closed: number[] = [];
  const socket: Socket = {
    owner: { kind, caller: KEY, expiresAtMs },
    send: (message) => sent.push(JSON.parse(message)),
    close: (code) => closed.push(code),
  };
  return { socket, sent, closed };
}

it("charges nothing for a debit whose key is revoked before its commit", async () => {
  const { core, usedMicros } = openCore();
  const answer = core.debit(KEY, [report(10)]);
  core.access.revokeKey({ kind: "operator" }, "k1");
  expect(await answer).toEqual({ refusal: { code: "key_revoked" } });
  expect(usedMicros()).toBe(0);
});

it("closes a socket whose key is revoked while it waits for prices, and charges nothing", async () => {
  const arrivals: (() => void)[] = [];
  const { core, usedMicros } = openCore(() => new Promise((resolve) => arrivals.push(() => resolve(PRICES))));
  const { socket, sent, closed } = openSocket();
  const received = Array.from({ length: 24 }, () => core.receive(socket, MESSAGE));
  core.access.revokeKey({ kind: "operator" }, "k1");
  for (const arrive of arrivals) arrive();
  await Promise.all(received);
  expect(closed).toEqual(received.map(() => 4401));
  expect(sent).toEqual([]);
  expect(usedMicros()).toBe(0);
});

it("answers a message when prices cannot be read, and logs why", async () => {
  const { core, logged } = openCore(async () => {
    throw new Error("no catalog");
  });
  const { socket, sent } = openSocket();
  await core.receive(socket, MESSAGE);
  expect(sent).toMatchObject([{ id: 7, status: 503, code: "ledger_busy" }]);
  expect(logged).toMatchObject([{ event: "message_failed", error: "Error: no catalog" }]);
});

it("answers a message when its commit fails", async () => {
  const { core } = openCore();
  vi.spyOn(core.ledger, "debit").mockImplementation(() => {
    throw new Error("disk full");
  });
  const { socket, sent } = openSocket();
  await core.receive(socket, MESSAGE);
  expect(sent).toMatchObject([{ id: 7, status: 503, code: "ledger_busy" }]);
});

it("closes the socket of a watcher within a minute of its expiry, though nothing changes", async () => {
  const { socket, closed } = openSocket("live", NOON + 5_000);
  const later = openSocket("live", NOON + 90_000);
  const forever = openSocket("live");
  const { core, platform } = openCore(undefined, [socket, later.socket, forever.socket]);
  for (const opened of [socket, later.socket, forever.socket]) core.openSocket(opened.owner, () => opened);
  expect(platform.alarms.at(-1)).toBeLessThanOrEqual(NOON + 5_000);
  platform.nowMs = NOON + 5_000;
  // The alarm also waits for the copy, which never answers.
  void core.alarm();
  await expect.poll(() => closed).toContain(4401);
  expect([later.closed, forever.closed]).toEqual([[], []]);
});

it("closes the socket of a watcher that sends anything but ping", async () => {
  const { core } = openCore();
  const { socket, sent, closed } = openSocket("live");
  for (const message of ["hello", "", new ArrayBuffer(8)]) await core.receive(socket, message);
  expect(sent).toEqual([]);
  expect(closed).toEqual([1008, 1008, 1008]);
});

it("notes in the catalog that the copy is late once it is a minute behind, and when it no longer is", async () => {
  const notes: [string, boolean][] = [];
  const note = async (enterprise: string, isLate: boolean) => notes.push([enterprise, isLate]);
  const copy = new CopyDb(async (apply) => apply());
  let works = false;
  const batch: D1Database["batch"] = async (statements) => {
    if (!works) throw new Error("D1_ERROR");
    return copy.batch(statements as never) as never;
  };
  const platform = stubPlatform({
    lateCopies: { note },
    copy: { prepare: (statement: string) => copy.prepare(statement) as never, batch },
  });
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  core.ledger.debit([report(10)]);
  await core.jobs.runNow("project");
  expect(notes).toEqual([]);
  platform.nowMs += 61_000;
  await core.jobs.runNow("project");
  await core.jobs.runNow("project");
  expect(notes).toEqual([["acme", true]]);
  works = true;
  core.jobs.deps.projector.notBeforeMs = 0;
  await core.jobs.runNow("project");
  expect(notes).toEqual([
    ["acme", true],
    ["acme", false],
  ]);
});
