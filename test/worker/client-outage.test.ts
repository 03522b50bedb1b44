// The client while the ledger is down, slow or restarting, answers are lost, requests arrive twice and keys are revoked.
// In the end the charge is always the cost of the last totals, to the micro.
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../tools/kit/random.ts";
import { auditFailures, CREDIT, objectOf, operator } from "./api.ts";
import { newWorld, OPEN_POLICY, output, type Sent, startDuringOutage } from "./client-world.ts";

const MINUTE_MS = 60_000;
const isDebit = ({ path }: Sent) => path.endsWith("/debits");

describe("while the ledger is down", () => {
  it("a run continues and is charged in full afterwards, in one report", async () => {
    const { clock, network, connect, finish, used, batches } = await newWorld();
    const run = await connect().start("run-1");
    network.fault = () => "down";
    for (let second = 1; second <= 90; second++) {
      run.report("gpt-5", output(second * 100));
      await clock.pass(1_000);
    }
    expect(await used()).toBe(0);
    const attempts = batches().length;
    expect(attempts).toBeLessThan(15);
    network.fault = () => null;
    expect(await finish(run, 40_000)).toMatchObject({ delivered: true, charged_micros: 9 * CREDIT });
    expect(await used()).toBe(9 * CREDIT);
    // One report carries all ninety seconds.
    expect(batches().length).toBeLessThanOrEqual(attempts + 2);
  });

  it("the pauses between attempts double up to 30 s, and start over after an answer", async () => {
    const { clock, network, connect, sent, troubles } = await newWorld();
    const run = await connect({ random: () => 1 }).start("run-1");
    network.fault = () => "down";
    run.report("gpt-5", output(1));
    await clock.pass(3 * MINUTE_MS);
    const atMs = sent.filter(isDebit).map((request) => request.atMs);
    const pauses = atMs.slice(1).map((ms, i) => ms - (atMs[i] as number));
    expect(pauses).toEqual([250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000, 30_000]);
    expect(troubles.map((trouble) => (trouble.kind === "unreachable" ? trouble.failures : 0))).toEqual(
      Array.from({ length: 12 }, (_, i) => i + 1),
    );
    network.fault = () => null;
    await clock.pass(MINUTE_MS);
    network.fault = () => "down";
    run.report("gpt-5", output(2));
    await clock.pass(500);
    expect(troubles.at(-1)).toMatchObject({ failures: 2, pauseMs: 500 });
  });

  it("no new run starts, and the refusal says ledger_unreachable", async () => {
    const { clock, network, connect, sent } = await newWorld();
    network.fault = () => "down";
    const starting = connect().startRun({ run: "run-1", surface: "web", workspace: "w1", user: "u1" });
    await clock.pass(5_000);
    expect(await starting).toMatchObject({
      admitted: false,
      refusal: { code: "ledger_unreachable", status: 0, detail: expect.stringContaining("fetch failed") },
    });
    expect(sent.length).toBeGreaterThan(3);
  });

  it("finish() returns after its time limit, and the report is delivered later", async () => {
    const { clock, network, connect, used } = await newWorld();
    const run = await connect().start("run-1");
    network.fault = () => "down";
    run.report("gpt-5", output(1_000));
    const finishing = run.finish({ waitMs: 2_000 });
    await clock.pass(2_000);
    expect(await finishing).toMatchObject({ delivered: false, refused: [] });
    network.fault = () => null;
    await clock.pass(MINUTE_MS);
    expect(await used()).toBe(CREDIT);
  });

  it("the number of runs with unreported usage is limited", async () => {
    const { clock, connect } = await newWorld();
    const client = connect({ maxRuns: 2 });
    const runs = [await client.start("a"), await client.start("b")];
    for (const run of runs) run.report("gpt-5", output(1));
    const ask = { surface: "web", workspace: "w1", user: "u1" } as const;
    expect(await client.startRun({ run: "c", ...ask })).toMatchObject({ refusal: { code: "too_many_runs" } });
    await clock.pass(250);
    expect(await client.startRun({ run: "c", ...ask })).toMatchObject({ admitted: true });
  });
});

describe("a busy ledger", () => {
  it.each([
    ["3", 3_000],
    ["Wed, 21 Oct 2026 07:28:07 GMT", 7_000],
  ])("is not called again before its Retry-After: %s", async (header, waitMs) => {
    const { clock, network, connect, sent, used } = await newWorld();
    const run = await connect({ random: () => 0 }).start("run-1");
    let busy = 1;
    // Retry-After as a date is relative to the server's Date header.
    const headers = { "Retry-After": header, Date: "Wed, 21 Oct 2026 07:28:00 GMT" };
    network.fault = () => (busy-- > 0 ? { status: busy === 0 ? 503 : 429, headers } : null);
    run.report("gpt-5", output(1_000));
    await clock.pass(MINUTE_MS);
    expect(sent.filter(isDebit).map(({ atMs }) => atMs)).toEqual([0, waitMs]);
    expect(await used()).toBe(CREDIT);
  });

  it("is asked again before the start of a run is refused", async () => {
    const { clock, network, connect } = await newWorld();
    const faults = [{ status: 503, headers: { "Retry-After": "1" } }, { status: 429 }, "down", "lost"] as const;
    let asked = 0;
    network.fault = () => faults[asked++] ?? null;
    const starting = connect().startRun({ run: "run-1", surface: "web", workspace: "w1", user: "u1" });
    await clock.pass(5_000);
    expect(await starting).toMatchObject({ admitted: true });
    expect(asked).toBe(5);
  });

  it("is retried when something else answers in its place, whatever the status", async () => {
    const { clock, network, connect, finish, used } = await newWorld();
    const run = await connect().start("run-1");
    const bodies = ["<html>Welcome to our hotel</html>", '{"results": []}', '{"results": [{}]}', "null", ""];
    const statuses = [404, 401, 403, 500, 302];
    const faults = [...bodies.map((body) => ({ status: 200, body })), ...statuses.map((status) => ({ status }))];
    network.fault = () => faults.shift() ?? null;
    run.report("gpt-5", output(1_000));
    await clock.pass(5 * MINUTE_MS);
    expect(faults).toEqual([]);
    expect(await finish(run, 40_000)).toMatchObject({ delivered: true });
    expect(await used()).toBe(CREDIT);
  });
});

describe("each token is charged once", () => {
  it("when answers are lost and requests arrive twice", async () => {
    const { clock, network, connect, finish, used, enterprise } = await newWorld();
    const client = connect();
    let count = 0;
    network.fault = () => ([null, "lost", "twice", "lost", null, "down"] as const)[count++ % 6] ?? null;
    const run = await client.start("run-1");
    for (let step = 1; step <= 40; step++) {
      run.report("gpt-5", output(step * 25));
      await clock.pass(300);
    }
    expect(await finish(run, 40_000)).toMatchObject({ delivered: true });
    expect(await used()).toBe(CREDIT);
    expect(await auditFailures(enterprise)).toEqual([]);
  });

  it("when answers take longer than the timeout", async () => {
    const { clock, network, connect, finish, used } = await newWorld();
    const run = await connect({ timeoutMs: 5_000 }).start("run-1");
    network.fault = (request) => (isDebit(request) && request.atMs < MINUTE_MS ? { slowMs: 20_000 } : null);
    for (let step = 1; step <= 20; step++) {
      run.report("gpt-5", output(step * 50));
      await clock.pass(5_000);
    }
    expect(await finish(run, 40_000)).toMatchObject({ delivered: true });
    expect(await used()).toBe(CREDIT);
  });

  it("when an old report arrives after the final one", async () => {
    const { clock, network, connect, finish, used, release } = await newWorld();
    const run = await connect({ timeoutMs: 1_000 }).start("run-1");
    let held = 0;
    network.fault = (request) => (isDebit(request) && held++ < 2 ? "held" : null);
    run.report("gpt-5", output(900));
    await clock.pass(1_100);
    run.report("gpt-5", output(3_000));
    await clock.pass(2_000);
    run.final("gpt-5", output(1_000));
    expect(await finish(run, 40_000)).toMatchObject({ delivered: true, charged_micros: CREDIT });
    await release();
    expect(held).toBeGreaterThan(2);
    expect(await used()).toBe(CREDIT);
  });

  it("when the ledger restarts in the middle of a run", async () => {
    const { clock, connect, finish, used, enterprise } = await newWorld();
    const run = await connect().start("run-1", { holdMicros: 5 * CREDIT });
    for (let step = 1; step <= 10; step++) {
      run.report("gpt-5", output(step * 100));
      await clock.pass(200);
      if (step % 3 === 0) await evictDurableObject(objectOf(enterprise.id));
    }
    await finish(run);
    expect(await used()).toBe(CREDIT);
    expect(await enterprise.gauge()).toMatchObject({ held_micros: 0 });
  });

  it("when the key is revoked and reports wait for the next one", async () => {
    const { clock, connect, finish, used, enterprise, troubles } = await newWorld();
    const old = await enterprise.createKey(["debit"]);
    let key = old.key;
    const run = await connect({ key: () => key }).start("run-1");
    await operator("DELETE", `${enterprise.path}/keys/${old.id}`);
    run.report("gpt-5", output(1_000));
    await clock.pass(10_000);
    expect(troubles.at(-1)).toMatchObject({
      kind: "unreachable",
      status: 401,
      detail: expect.stringMatching(/^401 key_/),
    });
    key = (await enterprise.createKey(["debit"])).key;
    expect(await finish(run, 40_000)).toMatchObject({ delivered: true });
    expect(await used()).toBe(CREDIT);
  });
});

it("charges the cost of the last totals after any mixture of faults, agents and models", async () => {
  for (const seed of [1, 2, 3]) {
    const random = seededRandom(seed);
    const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
    const { clock, network, connect, used, enterprise, release } = await newWorld();
    const faults = [null, null, null, "down", "lost", "twice", "held", { slowMs: 3_000 }, { status: 503 }] as const;
    network.fault = () => pick(faults);
    const client = connect({
      random,
      timeoutMs: 2_000,
      whenUnreachable: { ...OPEN_POLICY, maxRuns: 100, maxUnreported: 1e9 },
    });
    const runs = [];
    for (let i = 0; i < 6; i++) runs.push(await startDuringOutage(clock, client, `run-${i}`));
    const totals = new Map<string, number>();
    for (let step = 0; step < 90; step++) {
      const run = pick(runs);
      const model = pick(["gpt-5", "gpt-5.1"]);
      const tokens = (totals.get(`${run.id} ${model}`) ?? 0) + Math.floor(random() * 200);
      totals.set(`${run.id} ${model}`, tokens);
      run.report(model, output(tokens));
      await clock.pass(random() * 300);
      if (step % 30 !== 29) continue;
      // The object may not be running while the network is down.
      await enterprise.gauge();
      await evictDurableObject(objectOf(enterprise.id));
    }
    const finishing = runs.map((run) => run.finish({ waitMs: 60 * MINUTE_MS }));
    await clock.pass(2 * MINUTE_MS);
    network.fault = () => null;
    await clock.pass(2 * MINUTE_MS);
    expect(
      (await Promise.all(finishing)).every(({ delivered }) => delivered),
      `seed ${seed}`,
    ).toBe(true);
    await release();
    const spent = [...totals.values()].reduce((sum, tokens) => sum + tokens, 0);
    expect(await used(), `seed ${seed}`).toBe(spent * 1_000);
    expect(await auditFailures(enterprise), `seed ${seed}`).toEqual([]);
  }
});
