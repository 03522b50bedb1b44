// The gauge (rule R9), with numbers worked out by hand, and the alerts of enterprises that are billed in credits.
import { describe, expect, it } from "vitest";
import { CREDIT, costing, type Enterprise, NOON, newEnterprise, start } from "./api.ts";

const alertCodes = async ({ gauge }: Enterprise) => (await gauge()).alerts.map(({ code }: { code: string }) => code);

describe("the gauge", () => {
  it("of a new enterprise has nothing used and no forecast", async () => {
    const { gauge, id } = await newEnterprise();
    expect(await gauge()).toEqual({
      enterprise: id,
      name: "Acme",
      billing_model: "credits",
      unit: "credits",
      plan: "pro",
      suspended: false,
      as_of: NOON,
      seq: 1,
      cycle: {
        starts_at: "2026-03-01T00:00:00.000Z",
        ends_at: "2026-04-01T00:00:00.000Z",
        days_elapsed: 9,
        days_remaining: 22,
        days_total: 31,
      },
      monthly: { allowance_micros: 5_000 * CREDIT, used_micros: 0, remaining_micros: 5_000 * CREDIT },
      bonus: { used_micros: 0, remaining_micros: 0, next_expiry: null },
      spend: null,
      used_micros: 0,
      total_micros: 5_000 * CREDIT,
      remaining_micros: 5_000 * CREDIT,
      debt_micros: 0,
      held_micros: 0,
      available_micros: 5_000 * CREDIT,
      used_percent: 0,
      avg_per_day_micros: 0,
      run_out_days: null,
      run_out_at: null,
      on_track_to_run_out: false,
      alerts: [],
    });
  });

  it("forecasts from the average per exact day elapsed", async () => {
    const e = await newEnterprise();
    // After 9.5 days, 950 credits are 100 a day, and the remaining 4050 last for 40.5 days.
    await e.debit(costing(950));
    expect(await e.gauge()).toMatchObject({
      used_percent: 19,
      avg_per_day_micros: 100 * CREDIT,
      run_out_days: 40.5,
      run_out_at: "2026-04-20T00:00:00.000Z",
      on_track_to_run_out: false,
    });
    // 300 a day: 2150 last for 7.1666… days, which is before the reset.
    await e.debit(costing(2_850));
    expect(await e.gauge()).toMatchObject({
      used_percent: 57,
      avg_per_day_micros: 300 * CREDIT,
      run_out_days: 7.17,
      run_out_at: "2026-03-17T16:00:00.000Z",
      on_track_to_run_out: true,
    });
    await e.debit(costing(5_000));
    expect(await e.gauge()).toMatchObject({ run_out_days: 0, run_out_at: NOON, on_track_to_run_out: true });
  });

  it("averages over at least one day", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-01T06:00:00Z" });
    await e.debit(costing(100, { started_at: "2026-03-01T05:00:00Z" }));
    expect(await e.gauge()).toMatchObject({
      cycle: { days_elapsed: 0, days_remaining: 31 },
      avg_per_day_micros: 100 * CREDIT,
      run_out_days: 49,
      run_out_at: "2026-04-19T06:00:00.000Z",
    });
  });

  it("names no run-out date more than ten years ahead", async () => {
    const e = await newEnterprise();
    await e.debit(costing(0.001));
    const gauge = await e.gauge();
    expect(gauge).toMatchObject({ run_out_at: null, on_track_to_run_out: false });
    expect(gauge.run_out_days).toBeGreaterThan(10 * 365);
  });

  it("includes in the total the bonus drawn in this cycle and the bonus that remains", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 100 * CREDIT });
    await e.grant({ id: "g", amount_micros: 60 * CREDIT });
    await e.grant({ id: "soon", amount_micros: 40 * CREDIT, expires_at: "2026-05-01T00:00:00Z" });
    await e.grant({ id: "same", amount_micros: 10 * CREDIT, expires_at: "2026-05-01T00:00:00Z" });
    await e.debit(costing(120));
    expect(await e.gauge()).toMatchObject({
      monthly: { used_micros: 100 * CREDIT, remaining_micros: 0 },
      bonus: {
        used_micros: 20 * CREDIT,
        remaining_micros: 90 * CREDIT,
        next_expiry: { at: "2026-05-01T00:00:00.000Z", micros: 30 * CREDIT },
      },
      total_micros: 210 * CREDIT,
      used_percent: 57.14,
    });
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({ total_micros: 190 * CREDIT, used_percent: 0, bonus: { used_micros: 0 } });
    await e.moveTo("2026-05-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({ total_micros: 160 * CREDIT, bonus: { next_expiry: null } });
  });

  it("counts whole local days, also when daylight saving begins", async () => {
    const { gauge, moveTo } = await newEnterprise({ time_zone: "Europe/Berlin" });
    await moveTo("2026-03-29T21:59:59Z");
    expect((await gauge()).cycle).toMatchObject({ days_elapsed: 28, days_remaining: 3, days_total: 31 });
    await moveTo("2026-03-29T22:00:00Z");
    expect((await gauge()).cycle).toMatchObject({ days_elapsed: 29, days_remaining: 2, days_total: 31 });
  });

  it("increases its seq with each change, and not for repeated requests", async () => {
    const { gauge, debit, grant, start: startRun } = await newEnterprise();
    const seqs: number[] = [];
    for (const change of [
      () => debit(costing(1)),
      () => startRun(start({ run: "r2", hold_micros: CREDIT })),
      () => grant({ id: "g" }),
    ]) {
      seqs.push((await gauge()).seq);
      await change();
      await change();
    }
    expect([...seqs, (await gauge()).seq]).toEqual([1, 2, 3, 4]);
  });
});

describe("the alerts of a credits enterprise", () => {
  it("show only the highest threshold reached, and only exhausted at 100 %", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 100 * CREDIT, test_clock: "2026-03-31T12:00:00Z" });
    const seen: [number, string[]][] = [];
    for (const credits of [49.999, 50, 74.999, 75, 89.999, 90, 99.999, 100]) {
      await e.debit(costing(credits));
      seen.push([credits, (await alertCodes(e)).filter((code: string) => code !== "on_track_to_run_out")]);
    }
    expect(seen).toEqual([
      [49.999, []],
      [50, ["usage_50"]],
      [74.999, ["usage_50"]],
      [75, ["usage_75"]],
      [89.999, ["usage_75"]],
      [90, ["usage_90"]],
      [99.999, ["usage_90"]],
      [100, ["exhausted"]],
    ]);
  });

  it("show a run-out before the reset, bonus in use, bonus that expires within seven days, and the free plan", async () => {
    const e = await newEnterprise({
      plan: "free",
      monthly_allowance_micros: 100 * CREDIT,
      upgrade_url: "https://acme.example/up",
      referral_url: "https://acme.example/invite",
    });
    expect(await alertCodes(e)).toEqual(["free_tier"]);
    await e.grant({ id: "g", amount_micros: 900 * CREDIT, expires_at: "2026-04-20T12:00:00Z" });
    await e.debit(costing(101));
    expect((await alertCodes(e)).sort()).toEqual(["bonus_in_use", "free_tier"]);
    await e.debit(costing(600));
    expect((await alertCodes(e)).sort()).toEqual(["bonus_in_use", "free_tier", "on_track_to_run_out", "usage_50"]);
    await e.put({ plan: "pro" });
    await e.moveTo("2026-04-13T11:59:59Z");
    expect(await alertCodes(e)).toEqual([]);
    await e.moveTo("2026-04-13T12:00:00Z");
    expect(await alertCodes(e)).toEqual(["bonus_expiring"]);
    await e.debit(costing(5_000));
    const { alerts } = await e.gauge();
    for (const { code, level, message, action } of alerts) {
      expect(["info", "warning", "critical"]).toContain(level);
      expect(message).toMatch(/^[A-Z0-9].*\.$/);
      if (code === "exhausted") expect(action).toEqual({ label: expect.any(String), url: "https://acme.example/up" });
    }
    expect(alerts[0]).toMatchObject({ code: "exhausted", level: "critical" });
  });
});
