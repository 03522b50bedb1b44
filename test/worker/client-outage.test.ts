// The client while the ledger is down, slow or restarting, answers are lost, requests arrive twice, clocks are wrong and
// processes are killed. In the end the charge is always the cost of the last totals, to the micro.
import { evictDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import type { Totals } from "../../packages/client/src/fuelgauge.ts";
import { seededRandom } from "../../tools/kit/random.ts";
import { auditFailures, CREDIT, objectOf, operator } from "./api.ts";
import { newWorld, output, type Sent } from "./client-world.ts";

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

describe("a wrong clock on the client's machine", () => {
  const DAY_MS = 86_400_000;
  const errors = { "a day ahead": DAY_MS, "two months behind": -60 * DAY_MS, "at 1970": -Date.now() };

  it.each(Object.entries(errors))(
    "does not matter (%s), whether or not the run was admitted",
    async (_name, errorMs) => {
      for (const down of [false, true]) {
        const { clock, network, connect, finish, used } = await newWorld();
        clock.wallMs = Date.now() + errorMs;
        network.fault = () => (down ? "down" : null);
        const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN }));
        run.report("gpt-5", output(1_000));
        await clock.pass(2_000);
        network.fault = () => null;
        expect(await finish(run, MINUTE_MS)).toMatchObject({ delivered: true, refused: [] });
        expect(await used()).toBe(CREDIT);
      }
    },
  );

  it.each([
    ["credits_exhausted", { monthly_allowance_micros: 0 }],
    ["enterprise_suspended", { suspended: true }],
  ])("does not prevent the charge of a run that is refused afterwards (%s)", async (reason, settings) => {
    for (const errorMs of Object.values(errors)) {
      const { clock, network, connect, finish, used } = await newWorld(settings);
      clock.wallMs = Date.now() + errorMs;
      network.fault = () => "down";
      const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN }));
      run.report("gpt-5", output(1_000));
      network.fault = () => null;
      expect(await finish(run, MINUTE_MS)).toMatchObject({ delivered: true, refused: [] });
      expect(run.state).toMatchObject({ action: "stop", reason });
      expect(await used()).toBe(CREDIT);
    }
  });

  it("does not matter for an enterprise with a test clock", async () => {
    const { clock, network, connect, finish, used } = await newWorld({ test_clock: "2031-05-01T00:00:00Z" });
    network.fault = () => "down";
    const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN }));
    run.report("gpt-5", output(1_000));
    network.fault = () => null;
    expect(await finish(run, MINUTE_MS)).toMatchObject({ delivered: true, refused: [] });
    expect(await used()).toBe(CREDIT);
  });
});

const OPEN = { policy: "open", maxRuns: 3, maxUnreported: 10_000 } as const;
type World = Awaited<ReturnType<typeof newWorld>>;
type Client = ReturnType<World["connect"]>;

async function startDuringOutage(clock: World["clock"], client: Client, run = "run-1", more = {}) {
  const starting = client.startRun({ run, surface: "web", workspace: "w1", user: "u1", ...more });
  await clock.pass(5_000);
  const started = await starting;
  if (!started.admitted) throw new Error(started.refusal.code);
  return started.run;
}

describe("the open policy", () => {
  it("lets up to maxRuns runs start during an outage and charges them afterwards", async () => {
    const { clock, network, connect, used, enterprise } = await newWorld();
    const client = connect({ whenUnreachable: OPEN });
    network.fault = () => "down";
    const runs = [];
    for (const id of ["a", "b", "c"]) runs.push(await startDuringOutage(clock, client, id));
    expect(runs.map(({ admittedBy }) => admittedBy)).toEqual(["policy", "policy", "policy"]);
    await expect(startDuringOutage(clock, client, "d")).rejects.toThrow("ledger_unreachable");
    for (const run of runs) run.report("gpt-5", output(1_000));
    const finishing = runs.map((run) => run.finish({ waitMs: 5 * MINUTE_MS }));
    await clock.pass(MINUTE_MS);
    network.fault = () => null;
    await clock.pass(MINUTE_MS);
    expect(await Promise.all(finishing)).toMatchObject(Array(3).fill({ delivered: true, charged_micros: CREDIT }));
    expect(await used()).toBe(3 * CREDIT);
    expect((await enterprise.get("runs/a")).final).toBe(true);
    expect((await startDuringOutage(clock, client, "d")).admittedBy).toBe("ledger");
  });

  it("asks runs to stop at more than maxUnreported, and still reports everything", async () => {
    const { clock, network, connect, finish, used } = await newWorld();
    const client = connect({
      whenUnreachable: { ...OPEN, maxUnreported: 10, weigh: (_, usage) => usage.output_tokens / 1_000 },
    });
    const run = await client.start("run-1");
    const actions: unknown[] = [];
    run.onAction(({ action, reason }) => actions.push([action, reason]));
    run.report("gpt-5", output(40_000));
    await clock.pass(250);
    network.fault = () => "down";
    for (const tokens of [42_000, 49_000, 50_000]) {
      run.report("gpt-5", output(tokens));
      await clock.pass(1_000);
    }
    expect([actions, run.signal.aborted]).toEqual([[], false]);
    run.report("gpt-5", output(50_001));
    expect([actions, run.signal.aborted]).toEqual([[["stop", "ledger_unreachable"]], true]);
    await expect(startDuringOutage(clock, client, "late")).rejects.toThrow("ledger_unreachable");
    network.fault = () => null;
    await finish(run, MINUTE_MS);
    expect(actions.at(-1)).toEqual(["continue", null]);
    expect(await used()).toBe(50.001 * CREDIT);
  });

  it("stops a run without credits once the ledger is back, and its usage becomes debt", async () => {
    const { clock, network, connect, finish, enterprise } = await newWorld({ monthly_allowance_micros: 0 });
    network.fault = () => "down";
    const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN }));
    run.report("gpt-5", output(1_000));
    await clock.pass(1_000);
    network.fault = () => null;
    await finish(run, MINUTE_MS);
    expect(run.state).toMatchObject({ action: "stop", reason: "credits_exhausted" });
    expect(run.signal.aborted).toBe(true);
    expect(await enterprise.gauge()).toMatchObject({ debt_micros: CREDIT });
  });

  it("does not override a refusal", async () => {
    const { clock, connect } = await newWorld({ monthly_allowance_micros: 0 });
    await expect(startDuringOutage(clock, connect({ whenUnreachable: OPEN }))).rejects.toThrow("credits_exhausted");
  });
});

describe("a process that is killed and restarted", () => {
  it("continues the same run from its saved totals, charged as one run", async () => {
    const { clock, network, connect, finish, enterprise } = await newWorld();
    const disk: { totals: Record<string, Totals> } = { totals: {} };
    const keep = (totals: Record<string, Totals>) => {
      disk.totals = structuredClone(totals);
    };
    let spent = 0;
    let killed = 0;
    let count = 0;
    network.fault = (request) =>
      isDebit(request) ? (([null, "lost", null, "down"] as const)[count++ % 4] ?? null) : null;
    for (let life = 1; life <= 8; life++) {
      const client = connect();
      const run = await client.start("run-1", { totals: disk.totals, keep });
      // Usage that was not yet saved is lost with the process. The ledger never knows more than was saved.
      spent = disk.totals["gpt-5"]?.output_tokens ?? 0;
      expect((await enterprise.receipt("run-1")).charged_micros).toBeLessThanOrEqual(spent * 1_000);
      for (let call = 0; call < 3; call++) {
        const { update, end } = run.call();
        for (let tokens = 10; tokens <= 100; tokens += 10) {
          update("gpt-5", output(tokens));
          await clock.pass(40 * life);
        }
        end();
        spent += 100;
      }
      if (life < 8) {
        client.close();
        killed += 1;
      } else await finish(run, MINUTE_MS);
    }
    const { meters, charged_micros, final } = await enterprise.receipt("run-1");
    expect(killed).toBe(7);
    expect(meters).toMatchObject([{ usage: output(spent) }]);
    expect([charged_micros, final]).toEqual([spent * 1_000, true]);
    expect(spent).toBeGreaterThan(1_500);
  });

  it("has saved its totals before it reports them", async () => {
    const { clock, connect, used } = await newWorld();
    const keep = () => new Promise<void>((kept) => clock.after(500, kept));
    const run = await connect().start("run-1", { keep });
    run.report("gpt-5", output(1_000));
    await clock.pass(499);
    expect(await used()).toBe(0);
    await clock.pass(1);
    expect(await used()).toBe(CREDIT);
  });

  it("sends totals that were saved but not sent, and cannot restart a finished run", async () => {
    const { clock, connect, finish, used } = await newWorld();
    const first = connect();
    const run = await first.start("run-1");
    run.report("gpt-5", output(700));
    const kept = run.totals;
    first.close();
    const again = await connect().start("run-1", { totals: kept });
    await clock.pass(0);
    expect(await used()).toBe(0.7 * CREDIT);
    again.report("gpt-5", output(1_000));
    await finish(again);
    expect(await used()).toBe(CREDIT);
    const third = await connect().startRun({ run: "run-1", surface: "web", workspace: "w1", user: "u1" });
    expect(third).toMatchObject({ admitted: false, refusal: { code: "run_closed", status: 409 } });
  });

  it("is warned if it continues a run without passing its totals", async () => {
    const { connect, troubles } = await newWorld();
    await connect().start("run-1");
    await connect().start("run-1", { totals: {} });
    expect(troubles).toEqual([]);
    await connect().start("run-1");
    expect(troubles).toMatchObject([{ kind: "totals_missing", run: "run-1" }]);
  });

  it.each([
    ["fails", () => Promise.reject(new Error("disk full")), "Error: disk full"],
    ["throws", thrower("read-only"), "Error: read-only"],
    ["never ends", () => new Promise(() => {}), "not kept within 5000 ms"],
  ])("reports usage and a trouble even if saving the totals %s", async (_how, keep, detail) => {
    const { connect, finish, used, troubles } = await newWorld();
    const run = await connect().start("run-1", { keep });
    run.report("gpt-5", output(1_000));
    await finish(run, 15_000);
    expect(await used()).toBe(CREDIT);
    expect(troubles[0]).toMatchObject({ kind: "keep_failed", run: "run-1", detail });
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
      whenUnreachable: { ...OPEN, maxRuns: 100, maxUnreported: 1e9 },
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
      if (step % 30 === 29) await evictDurableObject(objectOf(enterprise.id));
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

function thrower(message: string): () => never {
  return () => {
    throw new Error(message);
  };
}
