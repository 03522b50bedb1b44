// Reports through a socket of the real Worker, and over HTTP when the socket does not open or breaks.
import { evictDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { expect, it } from "vitest";
import { type OpenSocket, type Socket, socketTransport } from "../../packages/client/src/socket.ts";
import { CREDIT, objectOf, operator } from "./api.ts";
import { newWorld, output, type World } from "./client-world.ts";

/** Opens sockets of the Worker. The test can make opening fail or hang, and drop replies. */
function socketOpener(clock: World["clock"]) {
  const line = {
    opened: 0,
    messages: 0,
    refuse: false,
    hang: false,
    loseReplies: false,
    last: null as WebSocket | null,
  };
  const open: OpenSocket = async (url, headers) => {
    if (line.hang) return new Promise(() => {});
    if (line.refuse) throw new Error("refused");
    const response = await exports.default.fetch(url, { headers: { ...headers, Upgrade: "websocket" } });
    const socket = response.webSocket;
    if (socket === null) throw new Error(`refused: ${response.status}`);
    socket.accept();
    line.opened += 1;
    line.last = socket;
    return {
      send(text: string) {
        line.messages += 1;
        clock.requestsInFlight += 1;
        socket.send(text);
      },
      close: () => socket.close(),
      addEventListener(type: string, then: (event: never) => void) {
        socket.addEventListener(type as "message", (event) => {
          if (type === "message") clock.requestsInFlight -= 1;
          if (type === "message" && line.loseReplies) return;
          then(event as never);
        });
      },
    } as Socket;
  };
  return { line, open };
}

it("sends the reports of many runs through one socket and obeys its actions", async () => {
  const { clock, connect, sent, finish, used } = await newWorld({ monthly_allowance_micros: 10 * CREDIT });
  const { line, open } = socketOpener(clock);
  const client = connect({ transport: socketTransport(open) });
  const runs = [await client.start("a"), await client.start("b"), await client.start("c")];
  for (let step = 1; step <= 10; step++) {
    for (const run of runs) run.report("gpt-5", output(step * 400));
    await clock.pass(250);
  }
  for (const run of runs) expect(await finish(run)).toMatchObject({ delivered: true, charged_micros: 4 * CREDIT });
  expect(runs.map(({ signal }) => signal.aborted)).toEqual([true, true, true]);
  expect(await used()).toBe(12 * CREDIT);
  expect(sent.filter(({ path }) => path.endsWith("/debits"))).toEqual([]);
  expect([line.opened, line.messages]).toEqual([1, 13]);
  client.close();
});

it.each(["refuse", "hang"] as const)(
  "reports over HTTP if the socket does not open (%s), and tries the socket again later",
  async (how) => {
    const { clock, connect, batches, finish, used } = await newWorld();
    const { line, open } = socketOpener(clock);
    line[how] = true;
    const client = connect({ transport: socketTransport(open), timeoutMs: 1_000 });
    const run = await client.start("run-1");
    run.report("gpt-5", output(100));
    await clock.pass(5_000);
    expect([line.messages, batches().length]).toEqual([0, 1]);
    line[how] = false;
    run.report("gpt-5", output(200));
    await clock.pass(9_000);
    expect([line.messages, batches().length]).toEqual([0, 2]);
    await clock.pass(2_000);
    run.report("gpt-5", output(300));
    await clock.pass(1_000);
    expect([line.messages, batches().length]).toEqual([1, 2]);
    await finish(run);
    expect(await used()).toBe(0.3 * CREDIT);
    client.close();
  },
);

it("repeats over HTTP what a broken socket left unanswered, charged once", async () => {
  const { clock, connect, batches, finish, used, troubles } = await newWorld();
  const { line, open } = socketOpener(clock);
  const client = connect({ transport: socketTransport(open), timeoutMs: 2_000 });
  const run = await client.start("run-1");
  run.report("gpt-5", output(400));
  await clock.pass(250);
  line.loseReplies = true;
  run.report("gpt-5", output(1_000));
  await clock.pass(5_000);
  expect([line.messages, batches().length]).toEqual([2, 1]);
  expect(troubles).toMatchObject([{ kind: "unreachable", detail: "no answer: no reply arrived over the socket" }]);
  expect(await finish(run)).toMatchObject({ delivered: true, charged_micros: CREDIT });
  expect(await used()).toBe(CREDIT);
  client.close();
});

it("survives evictions of the object behind the socket", async () => {
  const { clock, connect, finish, used, enterprise } = await newWorld();
  const { line, open } = socketOpener(clock);
  const client = connect({ transport: socketTransport(open), timeoutMs: 2_000 });
  const run = await client.start("run-1");
  for (let step = 1; step <= 6; step++) {
    run.report("gpt-5", output(step * 100));
    await clock.pass(250);
    if (step % 2 === 0) await evictDurableObject(objectOf(enterprise.id));
  }
  await finish(run, 5_000);
  expect(await used()).toBe(0.6 * CREDIT);
  expect(line.messages).toBeGreaterThan(0);
  client.close();
});

it("reports a revoked key as a trouble and continues with the next key", async () => {
  const { clock, connect, finish, used, enterprise, troubles } = await newWorld();
  const { open } = socketOpener(clock);
  const old = await enterprise.createKey(["debit"]);
  let key = old.key;
  const client = connect({ transport: socketTransport(open), key: () => key });
  const run = await client.start("run-1");
  run.report("gpt-5", output(100));
  await clock.pass(250);
  await operator("DELETE", `${enterprise.path}/keys/${old.id}`);
  await clock.settle();
  run.report("gpt-5", output(1_000));
  await clock.pass(1_000);
  expect(troubles.at(-1)).toMatchObject({ kind: "unreachable", status: 401 });
  key = enterprise.key;
  await finish(run, 60_000);
  expect(await used()).toBe(CREDIT);
  client.close();
});
