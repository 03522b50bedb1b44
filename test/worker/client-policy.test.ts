// Runs that start while the ledger is down, under the open policy, and clients whose clock is wrong.
import { describe, expect, it } from "vitest";
import { CREDIT } from "./api.ts";
import { newWorld, OPEN_POLICY, output, startDuringOutage } from "./client-world.ts";

const MINUTE_MS = 60_000;

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
        const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN_POLICY }));
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
      const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN_POLICY }));
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
    const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN_POLICY }));
    run.report("gpt-5", output(1_000));
    network.fault = () => null;
    expect(await finish(run, MINUTE_MS)).toMatchObject({ delivered: true, refused: [] });
    expect(await used()).toBe(CREDIT);
  });
});

describe("the open policy", () => {
  it("lets up to maxRuns runs start during an outage and charges them afterwards", async () => {
    const { clock, network, connect, used, enterprise } = await newWorld();
    const client = connect({ whenUnreachable: OPEN_POLICY });
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
      whenUnreachable: { ...OPEN_POLICY, maxUnreported: 10, weigh: (_, usage) => usage.output_tokens / 1_000 },
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
    const run = await startDuringOutage(clock, connect({ whenUnreachable: OPEN_POLICY }));
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
    await expect(startDuringOutage(clock, connect({ whenUnreachable: OPEN_POLICY }))).rejects.toThrow(
      "credits_exhausted",
    );
  });
});
