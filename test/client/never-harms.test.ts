// What a caller passes to the client may be wrong or fail. The client says so at once where that is possible, and never
// throws into an agent that is at work.
import { afterAll, expect, it } from "vitest";
import { createFuelgauge, type Trouble } from "../../packages/client/src/fuelgauge.ts";
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
  const client = createFuelgauge({
    url: "http://127.0.0.1:9",
    enterprise: "acme",
    key: "k",
    startLimitMs: 1,
    whenUnreachable: { policy: "open", maxRuns: 1, maxUnreported: 1_000 },
  });
  const started = await client.startRun({ run: "r1", surface: "cli", workspace: "w1", user: "u1" });
  if (!started.admitted) throw new Error(started.refusal.detail);
  return { client, run: started.run };
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
