// What a caller passes to the client may be wrong or fail. The client says so at once where that is possible, and never
// throws into an agent that is at work.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { afterAll, describe, expect, it, vi } from "vitest";
import { createFuelgauge, type Fetch, type Trouble } from "../../packages/client/src/fuelgauge.ts";
import { noAnswer } from "../../packages/client/src/http.ts";
import { type Socket, socketTransport } from "../../packages/client/src/socket.ts";
import { startFakeLedger } from "./fake-ledger.ts";

const ledger = await startFakeLedger(() => ({}));
afterAll(() => ledger.close());

it.each(["", "fuelgauge.example.com", "/v1", "ftp://fuelgauge.example.com"])(
  "refuses the address %j at once",
  (url) => {
    expect(() => createFuelgauge({ url, enterprise: "acme", key: "k" })).toThrow(
      "url must begin with https:// or http://",
    );
  },
);

it.each(["", undefined as never])("refuses the enterprise %j at once", (enterprise) => {
  const client = () => createFuelgauge({ url: "https://fuelgauge.example.com", enterprise, key: "k" });
  expect(client).toThrow("enterprise must not be empty");
});

it.each(["", undefined as never])("refuses the key %j at once", (key) => {
  const client = () => createFuelgauge({ url: "https://fuelgauge.example.com", enterprise: "acme", key });
  expect(client).toThrow("key must not be empty");
});

it.each([
  ["throws", () => JSON.parse("no price")],
  ["returns NaN", () => Number.NaN],
])("counts tokens when `weigh` %s, says so once, and still stops runs at the limit", async (_name, weigh) => {
  const troubles: Trouble[] = [];
  const client = createFuelgauge({
    url: "http://127.0.0.1:9",
    enterprise: "acme",
    key: "k",
    startLimitMs: 1,
    whenUnreachable: { policy: "open", maxRuns: 1, maxUnreported: 1_000, weigh },
    onTrouble: (trouble) => troubles.push(trouble),
  });
  const started = await client.startRun({ run: "r1", surface: "cli", workspace: "w1", user: "u1" });
  if (!started.admitted) throw new Error(started.refusal.detail);
  const { run } = started;
  run.report("gpt-5", { input_tokens: 0, output_tokens: 600 });
  run.report("gpt-4", { input_tokens: 0, output_tokens: 600 });
  await new Promise((stopped) => run.signal.addEventListener("abort", stopped));
  client.close();
  expect(run.state).toMatchObject({ action: "stop", reason: "ledger_unreachable" });
  expect(troubles.filter(({ kind }) => kind === "weigh_failed")).toEqual([
    { kind: "weigh_failed", detail: expect.stringMatching(/JSON|NaN/) },
  ]);
});

/** A client whose ledger cannot be reached, and a run that it admitted. */
async function startUnreachable() {
  const troubles: Trouble[] = [];
  const client = createFuelgauge({
    url: "http://127.0.0.1:9",
    enterprise: "acme",
    key: "k",
    startLimitMs: 1,
    whenUnreachable: { policy: "open", maxRuns: 1, maxUnreported: 1_000 },
    onTrouble: (trouble) => troubles.push(trouble),
  });
  const started = await client.startRun({ run: "r1", surface: "cli", workspace: "w1", user: "u1" });
  if (!started.admitted) throw new Error(started.refusal.detail);
  return { client, run: started.run, troubles };
}

it("lets nobody wait after `close`, so that a process can end", async () => {
  const { client, run } = await startUnreachable();
  run.report("gpt-5", { input_tokens: 0, output_tokens: 1 });
  const waiting = Promise.all([run.finish(), client.flush()]);
  client.close();
  const outcome = Promise.race([waiting, new Promise((late) => setTimeout(late, 60_000, "late"))]);
  expect(await outcome).toEqual([expect.objectContaining({ delivered: false }), false]);
  expect([(await run.finish()).delivered, await client.flush()]).toEqual([false, false]);
});

it("says that usage which was reported after `close` was not sent", async () => {
  const { client, run } = await startUnreachable();
  client.close();
  expect(await client.flush()).toBe(true);
  run.report("gpt-5", { input_tokens: 0, output_tokens: 1 });
  expect(await client.flush()).toBe(false);
});

it("finishes a run and closes the client at the end of its scope, also when an error is thrown", async () => {
  let id = "";
  const work = async () => {
    await using client = ledger.connect();
    const started = await client.startRun({ surface: "cli", workspace: "w1", user: "u1" });
    if (!started.admitted) throw new Error(started.refusal.detail);
    await using run = started.run;
    id = run.id;
    run.report("gpt-5", { input_tokens: 0, output_tokens: 7 });
    throw new Error("the agent failed");
  };
  await expect(work()).rejects.toThrow("the agent failed");
  expect(id).toMatch(/^[0-9a-f-]{36}$/);
  expect(ledger.reports.filter(({ run }) => run === id)).toMatchObject([{ final: true, usage: { output_tokens: 7 } }]);
});

it("does not keep a process alive for the whole of an outage", async () => {
  const client = JSON.stringify(new URL("../../packages/client/src/fuelgauge.ts", import.meta.url).href);
  // The time of this process passes twenty times as fast.
  const program = `import { createFuelgauge } from ${client};
const clock = {
  nowMs: Date.now,
  steadyMs: () => performance.now() * 20,
  after(ms, then, isBackground) {
    const timer = setTimeout(then, Math.max(0, ms / 20));
    if (isBackground) timer.unref();
    return () => clearTimeout(timer);
  },
};
const whenUnreachable = { policy: "open", maxRuns: 1, maxUnreported: 1e9 };
const options = { url: "http://127.0.0.1:9", enterprise: "acme", key: "k", startLimitMs: 1, whenUnreachable, clock };
const { run } = await createFuelgauge(options).startRun({ surface: "cli", workspace: "w1", user: "u1" });
run.report("gpt-5", { input_tokens: 0, output_tokens: 1 });
const { delivered } = await run.finish({ waitMs: 15_000 });
process.on("exit", () => console.log(delivered, performance.now() * 20 > 10_000));`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", program]);
  let printed = "";
  for (const output of [child.stdout, child.stderr]) output.on("data", (data) => (printed += data));
  const [status] = await once(child, "close");
  expect([status, printed]).toEqual([0, "false true\n"]);
});

it("keeps a key with a line break out of its messages, and accepts one at its end", async () => {
  const start = { surface: "cli", workspace: "w1", user: "u1" } as const;
  expect((await ledger.connect({ key: "secret\n" }).startRun(start)).admitted).toBe(true);
  for (const key of ["secret\nmore", "secret\u2026"]) {
    const started = await ledger.connect({ key, startLimitMs: 100 }).startRun(start);
    expect(started).toMatchObject({ admitted: false, refusal: { code: "ledger_unreachable" } });
    expect(JSON.stringify(started)).not.toContain("secret");
  }
});

it("starts no run after `close`, because its usage would never be sent", async () => {
  const fetch = vi.fn<Fetch>(globalThis.fetch);
  const client = ledger.connect({ fetch });
  client.close();
  const started = await client.startRun({ run: "r1", surface: "cli", workspace: "w1", user: "u1" });
  expect(started).toMatchObject({ admitted: false, refusal: { code: "client_closed", status: 0 } });
  expect(fetch).not.toHaveBeenCalled();
});

it("starts no run that is admitted after `close`, and releases its hold", async () => {
  const requests: string[] = [];
  const fetch: Fetch = async (url, { method, ...init }) => {
    requests.push(`${method} ${new URL(url).pathname}`);
    client.close();
    const response = await globalThis.fetch(url, { method, ...init });
    if (method === "DELETE") return response;
    const body = await response.json();
    return Response.json({ ...body, hold: { micros: 5, expires_at: "2026-11-27T00:00:00.000Z" } }, { status: 201 });
  };
  const client = ledger.connect({ fetch });
  const started = await client.startRun({ run: "a/b", surface: "cli", workspace: "w1", user: "u1", holdMicros: 5 });
  expect(started).toMatchObject({ admitted: false, refusal: { code: "client_closed" } });
  await expect.poll(() => requests[1]).toBe("DELETE /v1/enterprises/acme/runs/a%2Fb/hold");
});

it("reports once that a run went on after `close`", async () => {
  const { client, run, troubles } = await startUnreachable();
  client.close();
  for (const tokens of [1, 2]) run.report("gpt-5", { input_tokens: 0, output_tokens: tokens });
  const detail = "the client was closed before this run ended, so its last totals are not sent";
  expect(troubles).toEqual([{ kind: "reported_after_close", run: "r1", model: "gpt-5", detail }]);
});

it("follows no redirect, so that the key goes only to the given address", async () => {
  const elsewhere: string[] = [];
  const other = createServer((request, response) => void response.end(elsewhere.push(request.url ?? ""))).listen(0);
  const moved = createServer((_request, response) => {
    response.writeHead(307, { Location: `http://127.0.0.1:${(other.address() as AddressInfo).port}/taken` }).end();
  }).listen(0);
  await Promise.all([other, moved].map((server) => server.listening || once(server, "listening")));
  const client = ledger.connect({ url: `http://127.0.0.1:${(moved.address() as AddressInfo).port}` });
  const started = await client.startRun({ run: "r1", surface: "cli", workspace: "w1", user: "u1" });
  for (const server of [other, moved]) server.close();
  expect(started).toMatchObject({ admitted: false, refusal: { code: "unexpected_answer", status: 307 } });
  expect(elsewhere).toEqual([]);
});

describe("a usage that cannot be right", () => {
  it.each([
    [{ outputTokens: 7 }, "outputTokens is not a kind of usage: it is named output_tokens"],
    [{ prompt_tokens: 7 }, "prompt_tokens is not a kind of usage"],
    [{ output_tokens: -1 }, "output_tokens must be an integer from 0 to 10^12, not -1"],
    [{ output_tokens: 1.5 }, "output_tokens must be an integer from 0 to 10^12, not 1.5"],
    [{ output_tokens: "7" }, "output_tokens must be an integer from 0 to 10^12, not 7"],
    [{ output_tokens: Number.NaN }, "output_tokens must be an integer from 0 to 10^12, not NaN"],
    [{ output_tokens: 1e13 }, "output_tokens must be an integer from 0 to 10^12, not 10000000000000"],
    [undefined, "a usage must be an object, not undefined"],
    [7, "a usage must be an object, not 7"],
  ])("does not throw into a stream, and is reported once: %j", async (usage, detail) => {
    const run = await ledger.startRun();
    run.report("gpt-5", { input_tokens: 4, output_tokens: 3 });
    for (let token = 0; token < 3; token++) run.report("gpt-5", usage as never);
    const said = ledger.troubles.filter((trouble) => "run" in trouble && trouble.run === run.id);
    expect(said).toEqual([{ kind: "invalid_usage", run: run.id, model: "gpt-5", detail }]);
    const refused = [{ model: "gpt-5", tier: "standard", status: 0, code: "invalid_usage", detail }];
    expect(await run.finish()).toMatchObject({ delivered: false, refused });
    expect(ledger.finals(run)["gpt-5"]).toMatchObject({ output_tokens: 3 });
  });

  it("loses nothing that was counted before it", async () => {
    const run = await ledger.startRun();
    run.report("gpt-5", { input_tokens: 4, output_tokens: 3 });
    run.report("gpt-5", { input_tokens: 5, output_tokens: Number.NaN, inputTokens: 6 } as never);
    await run.finish();
    expect(ledger.finals(run)["gpt-5"]).toMatchObject({ input_tokens: 5, output_tokens: 3 });
  });

  it("is forgotten once later totals are right", async () => {
    const run = await ledger.startRun();
    run.report("gpt-5", { input_tokens: 4, output_tokens: Number.NaN });
    run.report("gpt-5", { input_tokens: 4, output_tokens: 9 });
    expect(await run.finish()).toMatchObject({ delivered: true, refused: [] });
  });

  it("is named of a bounded number of calls", async () => {
    const run = await ledger.startRun();
    for (let i = 0; i < 150; i++) {
      const call = run.call();
      call.update("gpt-5", { input_tokens: 1, output_tokens: -1 });
      call.end();
    }
    expect((await run.finish()).refused).toHaveLength(100);
  });

  it("does not throw from a call either", async () => {
    const run = await ledger.startRun();
    const call = run.call();
    call.update("gpt-5", { input_tokens: 4, output_tokens: 3 });
    call.update("gpt-5", { input_tokens: 4, output_tokens: Number.NaN, outputTokens: 1 } as never);
    call.set([{ model: "gpt-5", usage: { input_tokens: 5, output_tokens: -1 } }]);
    call.end();
    expect(await run.finish()).toMatchObject({ delivered: false });
    expect(ledger.finals(run)["gpt-5"]).toMatchObject({ input_tokens: 5, output_tokens: 3 });
  });
});

it("ignores a message on the socket that is not an object", async () => {
  const listeners = new Map<string, (event: never) => void>();
  const open = async (): Promise<Socket> => ({
    send: () => {
      for (const data of ["null", "7", "[]", "{"]) listeners.get("message")?.({ data } as never);
      const results = [{ model: "gpt-5", action: "continue" }];
      listeners.get("message")?.({ data: JSON.stringify({ id: 1, results }) } as never);
    },
    close: () => {},
    addEventListener: (type, then) => void listeners.set(type, then),
  });
  const http = { send: async () => noAnswer("over HTTP"), close: () => {} };
  const clock = { nowMs: () => 0, steadyMs: () => 0, after: () => () => {} };
  const connection = { ledger: { base: "", headers: async () => ({}), call: async () => noAnswer("") }, clock, http };
  const transport = socketTransport(open)({ ...connection, random: () => 0, timeoutMs: 1_000 });
  const report = { run: "r1", model: "gpt-5", usage: { input_tokens: 1, output_tokens: 1 } };
  expect(await transport.send([report])).toEqual({ results: [{ model: "gpt-5", action: "continue" }] });
});
