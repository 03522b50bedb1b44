// Starting runs with the client: holds, repeated starts, and refusals.
import { describe, expect, it } from "vitest";
import { CREDIT, operator } from "./api.ts";
import { newWorld, OPEN_POLICY, output, startDuringOutage } from "./client-world.ts";

describe("starting a run", () => {
  it("returns the gauge and the hold, and the same when repeated", async () => {
    const { connect, enterprise } = await newWorld();
    const ask = { run: "run-1", surface: "cli", workspace: "w1", user: "u1", group: "g1" } as const;
    const started = await connect().startRun({ ...ask, holdMicros: 5 * CREDIT, holdTtlSeconds: 60, model: "gpt-5" });
    expect(started).toMatchObject({
      admitted: true,
      hold: { micros: 5 * CREDIT },
      gauge: { enterprise: enterprise.id },
    });
    expect(await connect().startRun(ask)).toMatchObject({ admitted: true, hold: { micros: 5 * CREDIT } });
    expect(await enterprise.gauge()).toMatchObject({ held_micros: 5 * CREDIT });
  });

  it("releases its hold at the end, even if nothing was reported", async () => {
    const { connect, enterprise, finish } = await newWorld();
    const client = connect();
    await finish(await client.start("idle", { holdMicros: CREDIT }));
    const busy = await client.start("busy", { holdMicros: CREDIT });
    busy.report("gpt-5", output(10));
    await finish(busy);
    expect(await enterprise.gauge()).toMatchObject({ held_micros: 0 });
  });

  it("returns a refusal with the code, the gauge and the upgrade URL", async () => {
    const { connect, enterprise, finish } = await newWorld({
      monthly_allowance_micros: CREDIT,
      upgrade_url: "https://platform.example/upgrade",
    });
    const client = connect();
    const ask = { run: "run-1", surface: "web", workspace: "w1", user: "u1" } as const;
    expect(await client.startRun({ ...ask, holdMicros: 2 * CREDIT })).toMatchObject({
      admitted: false,
      refusal: { code: "insufficient_credits", status: 402, available_micros: CREDIT },
    });
    expect(await client.startRun({ ...ask, model: "no-such-model" })).toMatchObject({
      admitted: false,
      refusal: { code: "unknown_model", status: 422 },
    });
    expect(await client.startRun({ ...ask, user: "not an id" })).toMatchObject({
      admitted: false,
      refusal: { code: "validation_failed", errors: [{ path: "user" }] },
    });
    const spender = await client.start("spender");
    spender.report("gpt-5", output(1_000));
    await finish(spender);
    expect(await client.startRun(ask)).toMatchObject({
      admitted: false,
      refusal: {
        code: "credits_exhausted",
        upgrade_url: "https://platform.example/upgrade",
        resets_at: expect.any(String),
        gauge: { available_micros: 0 },
      },
    });
    await enterprise.put({ suspended: true });
    expect(await client.startRun(ask)).toMatchObject({ refusal: { code: "enterprise_suspended", status: 403 } });
    const stranger = connect({ key: "fg_not_a_key" });
    expect(await stranger.startRun(ask)).toMatchObject({ refusal: { code: "key_invalid", status: 401 } });
  });

  it("returns the budget that has too little left, and stops a run whose budget is used up", async () => {
    const { connect, enterprise, clock, network, finish } = await newWorld();
    const client = connect({ whenUnreachable: OPEN_POLICY });
    await operator("PUT", `${enterprise.path}/budgets/user/*/cycle`, { limit_micros: 3 * CREDIT });
    const spender = await client.start("spender");
    spender.report("gpt-5", output(3_000));
    await clock.pass(1_000);
    expect(spender.state).toMatchObject({ action: "stop", reason: "budget_exhausted" });
    await finish(spender);
    const ask = { run: "next", surface: "web", workspace: "w1", user: "u1" } as const;
    const refused = await client.startRun(ask);
    const budget = { dimension: "user", id: "u1", period: "cycle", limit_micros: 3 * CREDIT, used_micros: 3 * CREDIT };
    expect(refused).toMatchObject({
      admitted: false,
      refusal: { code: "budget_exhausted", status: 402, budget: { ...budget, held_micros: 0 } },
    });
    if (!refused.admitted) expect(refused.refusal.resets_at).toBe(refused.refusal.budget?.resets_at);
    // Somebody else's budget has room.
    expect(await client.startRun({ ...ask, user: "u2", holdMicros: 3 * CREDIT })).toMatchObject({ admitted: true });
    // A run that the policy admits during an outage is stopped once the ledger refuses it.
    network.fault = () => "down";
    const blind = await startDuringOutage(clock, client);
    blind.report("gpt-5", output(10));
    network.fault = () => null;
    await clock.pass(60_000);
    expect(blind.state).toMatchObject({ action: "stop", reason: "budget_exhausted" });
    await finish(blind);
  });
});
