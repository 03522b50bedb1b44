// Byom enterprises (rule R8): spend in USD, the cap, its alerts, and changes of the billing model.
import { describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  invalidPaths,
  newEnterprise,
  operator,
  start,
} from "./api.ts";

const USD = 1_000_000;
const alertCodes = async ({ gauge }: Enterprise) => (await gauge()).alerts.map(({ code }: { code: string }) => code);

/** An enterprise that brings its own model, with a cap and an admin who can change it. */
async function newByom(capMicros: number | null, settings: Record<string, unknown> = {}) {
  const e = await newEnterprise({ billing_model: "byom", ...settings });
  const { send } = await e.createKey(["admin"]);
  const setCap = (monthly_cap_micros: unknown) => send("PUT", `${e.path}/spend-cap`, { monthly_cap_micros });
  if (capMicros !== null) expect((await setCap(capMicros)).status).toBe(200);
  return { ...e, setCap };
}

describe("a byom enterprise", () => {
  it("is shown in USD against its cap, without allowance, bonus or debt", async () => {
    const e = await newByom(100 * USD);
    // A report that costs 4000 credits costs 40 USD.
    const charged = await e.debit(costing(4_000));
    expect(charged.body).toMatchObject({
      charged_micros: 40 * USD,
      unit: "usd",
      remaining_micros: 60 * USD,
      available_micros: 60 * USD,
      used_percent: 40,
      action: "continue",
    });
    expect(await e.gauge()).toMatchObject({
      billing_model: "byom",
      unit: "usd",
      monthly: null,
      bonus: null,
      spend: { cap_micros: 100 * USD, used_micros: 40 * USD },
      used_micros: 40 * USD,
      total_micros: 100 * USD,
      remaining_micros: 60 * USD,
      debt_micros: 0,
      run_out_days: 14.25,
      on_track_to_run_out: true,
    });
    expect((await e.receipt("run-1")).meters[0].draws).toEqual([
      { bucket: "spend", id: "2026-03-01T00:00:00.000Z", micros: 40 * USD },
    ]);
  });

  it("without a cap admits every run and has no total", async () => {
    const e = await newByom(null);
    expect(await alertCodes(e)).toEqual(["cap_not_set"]);
    expect((await e.debit(costing(10 ** 6))).body).toMatchObject({
      remaining_micros: null,
      available_micros: null,
      used_percent: null,
      action: "continue",
    });
    expect(await e.gauge()).toMatchObject({
      spend: { cap_micros: null, used_micros: 10_000 * USD },
      total_micros: null,
      remaining_micros: null,
      available_micros: null,
      used_percent: null,
      run_out_days: null,
      run_out_at: null,
      on_track_to_run_out: false,
    });
    expect((await e.start(start({ run: "r2", hold_micros: 10 ** 12 }))).status).toBe(201);
  });

  it("applies a cap that is set, raised, removed or set to zero with the next request", async () => {
    const e = await newByom(null);
    await e.debit(costing(5_000));
    const set = await e.setCap(50 * USD);
    expect(set).toMatchObject({ status: 200, body: { monthly_cap_micros: 50 * USD } });
    expect((await e.debit(costing(5_000))).body).toMatchObject({ action: "stop", reason: "spend_cap_reached" });
    expectProblem(await e.start(start({ run: "r2" })), 402, "spend_cap_reached");
    await e.setCap(60 * USD);
    expect((await e.debit(costing(5_000))).body).toMatchObject({ action: "continue", reason: null });
    expect((await e.start(start({ run: "r2", hold_micros: 10 * USD }))).status).toBe(201);
    const full = expectProblem(await e.start(start({ run: "r3" })), 402, "spend_cap_reached");
    expect(full).toMatchObject({ resets_at: "2026-04-01T00:00:00.000Z", gauge: { held_micros: 10 * USD } });
    await e.setCap(null);
    expect((await e.start(start({ run: "r3" }))).status).toBe(201);
    await e.setCap(0);
    expectProblem(await e.start(start({ run: "r4" })), 402, "spend_cap_reached");
    expect(await e.gauge()).toMatchObject({ total_micros: 0, used_percent: null, remaining_micros: 0 });
    const changes = (await e.entries()).filter(({ type }) => type === "cap_changed");
    expect(changes.map(({ from_micros, to_micros }) => [from_micros, to_micros])).toEqual([
      [null, 50 * USD],
      [50 * USD, 60 * USD],
      [60 * USD, null],
      [null, 0],
    ]);
    for (const { by } of changes) expect(by).toMatch(/^key:/);
    for (const wrong of [-1, 0.5, "50", 2 ** 53, undefined]) {
      expect(invalidPaths(await e.setCap(wrong))).toEqual(["monthly_cap_micros"]);
    }
  });

  it("refuses a hold that does not fit under the cap with spend_cap_reached, and winds down from 95 %", async () => {
    const e = await newByom(100 * USD);
    expect((await e.start(start({ run: "a", hold_micros: 60 * USD }))).status).toBe(201);
    const refusal = await e.start(start({ run: "b", hold_micros: 40 * USD + 1 }));
    expectProblem(refusal, 402, "spend_cap_reached");
    expect((await e.start(start({ run: "b", hold_micros: 40 * USD }))).status).toBe(201);
    expect((await e.debit(costing(1, { run: "c" }))).body).toMatchObject({ action: "stop", available_micros: 0 });
    await e.agent("DELETE", `${e.path}/runs/a/hold`);
    await e.agent("DELETE", `${e.path}/runs/b/hold`);
    expect((await e.debit(costing(9_500, { run: "d" }))).body).toMatchObject({ action: "wind_down", reason: null });
    expect((await e.debit(costing(9_999, { run: "d" }))).body).toMatchObject({ action: "stop" });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("starts each cycle at zero under the same cap", async () => {
    const e = await newByom(10 * USD);
    await e.debit(costing(1_000));
    expectProblem(await e.start(start({ run: "r2" })), 402, "spend_cap_reached");
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({ used_micros: 0, total_micros: 10 * USD, available_micros: 10 * USD });
    expect((await e.start(start({ run: "r2" }))).status).toBe(201);
    expect((await e.debit(costing(0, { final: true }))).body.charged_micros).toBe(-10 * USD);
    expect((await e.gauge()).used_micros).toBe(0);
    expect((await e.receipt("run-1")).meters[0].draws).toEqual([
      { bucket: "spend", id: "2026-03-01T00:00:00.000Z", micros: 0, lapsed_micros: 10 * USD },
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("is alerted at 75 % and 90 % of the cap, when it is reached, and when it is on track to be", async () => {
    const e = await newByom(100 * USD, { test_clock: "2026-03-31T12:00:00Z" });
    const seen: string[][] = [];
    for (const percent of [74.999, 75, 89.999, 90, 100]) {
      await e.debit(costing(percent * 100));
      seen.push((await alertCodes(e)).filter((code: string) => code !== "on_track_to_reach_cap"));
    }
    expect(seen).toEqual([[], ["cap_75"], ["cap_75"], ["cap_90"], ["cap_reached"]]);
    const second = await newByom(100 * USD);
    await second.debit(costing(5_000));
    expect(await alertCodes(second)).toEqual(["on_track_to_reach_cap"]);
    const first = await newByom(100 * USD, { anchor_day: 10 });
    await first.debit(costing(5_000));
    expect(await alertCodes(first)).toEqual([]); // In the first 24 hours of a cycle.
  });

  it("keeps both histories when the billing model changes, and meters keep the unit they began with", async () => {
    const e = await newEnterprise();
    await e.debit(costing(100));
    await e.put({ billing_model: "byom" });
    expect(await e.gauge()).toMatchObject({ unit: "usd", used_micros: 0, spend: { used_micros: 0 } });
    expect((await e.debit(costing(150))).body).toMatchObject({ unit: "credits", charged_micros: 50 * CREDIT });
    const second = await e.debit(costing(200, { run: "run-2" }));
    expect(second.body).toMatchObject({ unit: "usd", charged_micros: 2 * USD });
    // Another model of the first run is another meter, so it is charged in USD.
    expect((await e.debit(costing(0, { model: "gpt-4.1" }))).body.unit).toBe("usd");
    expect((await e.gauge()).used_micros).toBe(2 * USD);
    await e.put({ billing_model: "credits" });
    expect(await e.gauge()).toMatchObject({ unit: "credits", used_micros: 150 * CREDIT });
    expect((await e.debit(costing(300, { run: "run-2" }))).body).toMatchObject({ unit: "usd", charged_micros: USD });
    expect((await e.gauge()).used_micros).toBe(150 * CREDIT);
    const switches = (await e.entries()).filter(({ type }) => type === "billing_model_changed");
    expect(switches.map(({ from, to }) => [from, to])).toEqual([
      ["credits", "byom"],
      ["byom", "credits"],
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("is the only kind that can have a cap", async () => {
    const { path } = await newEnterprise();
    const put = (body: unknown) => operator("PUT", `${path}/spend-cap`, body);
    expectProblem(await put({ monthly_cap_micros: 5 }), 409, "not_byom");
    expectProblem(await put({ monthly_cap_micros: null }), 409, "not_byom");
  });
});
