// Single reports and their charges (rules R1, R2, R10).
import { describe, expect, it } from "vitest";
import { CREDIT, costing, expectProblem, invalidPaths, MAX_MICROS, newEnterprise, report, start } from "./api.ts";

const usage = (input: number, output: number, read = 0, write = 0) => ({
  input_tokens: input,
  output_tokens: output,
  cache_read_tokens: read,
  cache_write_tokens: write,
});

describe("one report", () => {
  it("is charged once when sent twice", async () => {
    const { debit, gauge, id } = await newEnterprise();
    const first = await debit(report());
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      run: "run-1",
      model: "gpt-5",
      tier: "standard",
      priced: true,
      charged_micros: 225_000,
      run_total_micros: 225_000,
      unit: "credits",
      remaining_micros: 5_000 * CREDIT - 225_000,
      available_micros: 5_000 * CREDIT - 225_000,
      used_percent: 0,
      action: "continue",
      reason: null,
      seq: expect.any(Number),
      report_after_ms: 250,
    });
    const again = await debit(report());
    expect(again.body).toEqual({ ...first.body, charged_micros: 0 });
    expect(await gauge()).toMatchObject({ enterprise: id, used_micros: 225_000, seq: first.body.seq });
  });

  it("of running totals adds up to the lump-sum cost in any order, with losses and repeats", async () => {
    const chunks = [usage(10, 1, 3, 1), usage(700, 30, 5_001, 7), usage(1_333, 77, 9_999, 13)];
    // 1333 · 1.25 + 77 · 10 + 9999 · 0.125 + 13 · 1.25 = 3702.375 micro-USD, times 100 in micro-credits.
    for (const order of [[0, 1, 2], [2, 1, 0], [2], [1, 2, 2, 0, 1], [0, 2, 1]]) {
      const { debit, gauge } = await newEnterprise();
      let sum = 0;
      for (const i of order) sum += (await debit(report({ usage: chunks[i] }))).body.charged_micros;
      expect(sum).toBe(370_238);
      expect((await gauge()).used_micros).toBe(370_238);
    }
  });

  it("raises each usage kind to the largest total seen, even from different reports", async () => {
    const { debit, receipt } = await newEnterprise();
    await debit(report({ usage: usage(100, 5) }));
    await debit(report({ usage: usage(50, 9, 40) }));
    expect((await receipt("run-1")).meters[0].usage).toEqual(usage(100, 9, 40));
  });

  it("that is final closes the meter at exactly its totals and refunds the difference", async () => {
    const { debit, gauge, receipt } = await newEnterprise();
    await debit(costing(10));
    expect((await debit(costing(4, { final: true }))).body).toMatchObject({
      charged_micros: -6 * CREDIT,
      run_total_micros: 4 * CREDIT,
    });
    expect((await debit(costing(9))).body).toMatchObject({ charged_micros: 0, run_total_micros: 4 * CREDIT });
    expect((await receipt("run-1")).final).toBe(true);
    // Two finals with different totals join to the larger of each kind.
    await debit(report({ usage: usage(800, 1_000), final: true }));
    expect((await receipt("run-1")).meters[0].usage).toEqual(usage(800, 4_000));
    expect((await gauge()).used_micros).toBe(4_100_000);
  });

  it("may omit the attribution of a known run; for an unknown run the missing fields are named", async () => {
    const { debit, start: startRun } = await newEnterprise();
    const { surface: _s, workspace: _w, user: _u, started_at: _at, ...bare } = report();
    expect(invalidPaths(await debit(bare))).toEqual(["started_at", "surface", "user", "workspace"]);
    expect(invalidPaths(await debit({ ...bare, surface: "cli", user: "u1" }))).toEqual(["started_at", "workspace"]);
    await debit(report());
    expect((await debit({ ...bare, usage: usage(2_000, 100) })).body.charged_micros).toBe(125_000);
    await startRun(start({ run: "run-2" }));
    expect((await debit({ ...bare, run: "run-2" })).body.charged_micros).toBe(225_000);
  });

  it("cannot move its run to another workspace, user or surface", async () => {
    const { debit, gauge } = await newEnterprise();
    await debit(report());
    const before = await gauge();
    for (const other of [{ workspace: "w2" }, { user: "u2" }, { surface: "cli" }]) {
      const refusal = await debit(report({ ...other, usage: usage(9_999, 9_999) }));
      expectProblem(refusal, 409, "run_attribution_conflict");
    }
    expect(await gauge()).toEqual(before);
    // Another start time or group is not a conflict. The first one stays.
    expect((await debit(report({ started_at: "2026-03-09T00:00:00Z", group: "g9" }))).status).toBe(200);
  });

  it("is refused if its run starts more than five minutes in the future", async () => {
    const { debit } = await newEnterprise();
    expectProblem(await debit(report({ started_at: "2026-03-10T12:05:00.001Z" })), 422, "started_in_future");
    expect((await debit(report({ started_at: "2026-03-10T12:05:00Z" }))).status).toBe(200);
  });

  it("is refused if its run started more than 35 days ago and its meter is unknown", async () => {
    const { debit, moveTo, gauge } = await newEnterprise();
    expectProblem(await debit(report({ started_at: "2026-02-03T11:59:59.999Z" })), 410, "run_too_old");
    const known = { run: "known", started_at: "2026-02-03T12:00:00Z" };
    expect((await debit(costing(1, known))).status).toBe(200);
    await moveTo("2026-03-20T12:00:00Z");
    expect((await debit(costing(2, known))).body.charged_micros).toBe(CREDIT);
    expectProblem(await debit(costing(2, { ...known, model: "gpt-4.1" })), 410, "run_too_old");
    await moveTo("2026-04-24T12:00:00Z");
    expect((await debit(costing(3, known))).body.charged_micros).toBe(CREDIT);
    await moveTo("2026-05-29T12:00:00.001Z");
    const before = await gauge();
    expectProblem(await debit(costing(4, known)), 410, "run_too_old");
    // A false start time does not revive a forgotten meter.
    expectProblem(await debit(costing(4, { ...known, started_at: "2026-05-29T00:00:00Z" })), 410, "run_too_old");
    expect(await gauge()).toEqual(before);
  });

  it("is refused only if its charge or the cycle's sum would pass 2^53−1", async () => {
    const { debit, gauge, get } = await newEnterprise({ monthly_allowance_micros: 0 });
    const maxTokens = 10 ** 12;
    // Each costs 10^15 micros: nine fit, the tenth does not, a smaller one does.
    const reports = Array.from({ length: 10 }, (_, i) => report({ run: `r${i}`, usage: usage(0, maxTokens) }));
    const { body } = await debit({ reports });
    expect(body.results.map((result: { code?: string }) => result.code ?? "ok")).toEqual([
      ...Array(9).fill("ok"),
      "charge_too_large",
    ]);
    expectProblem(await debit(report({ run: "r10", usage: usage(0, maxTokens) })), 422, "charge_too_large");
    expectProblem(await debit(start({ run: "r10" })), 422, "validation_failed");
    // 7,199,254,740,991 micros are left: 7,199,254,740 output tokens and 991 micros.
    expectProblem(await debit(report({ run: "r11", usage: usage(8, 7_199_254_740) })), 422, "charge_too_large");
    const fits = await debit(report({ run: "r11", usage: usage(7, 7_199_254_740) }));
    expect(fits.body).toMatchObject({ run_total_micros: 7_199_254_740_875, action: "stop" });
    expect(await gauge()).toMatchObject({
      used_micros: MAX_MICROS - 116,
      debt_micros: MAX_MICROS - 116,
      available_micros: 0,
    });
    expect((await get("runs/r11")).charged_micros).toBe(7_199_254_740_875);
  });

  it("answers continue, wind_down from 95 % used, and stop when nothing is available", async () => {
    const { debit } = await newEnterprise({ monthly_allowance_micros: 100 * CREDIT });
    const actions: unknown[] = [];
    for (const credits of [94.999, 95, 99.999, 100, 101]) {
      const { action, reason, used_percent, available_micros } = (await debit(costing(credits))).body;
      actions.push([action, reason, used_percent, available_micros]);
    }
    expect(actions).toEqual([
      ["continue", null, 95, 5_001_000],
      ["wind_down", null, 95, 5 * CREDIT],
      ["wind_down", null, 100, 1_000],
      ["stop", "credits_exhausted", 100, 0],
      ["stop", "credits_exhausted", 101, 0],
    ]);
  });

  it("fixes the run's group: the first report's, else the start's, else none", async () => {
    const { debit, receipt, start: startRun } = await newEnterprise();
    await startRun(start({ run: "a", group: "g1" }));
    await debit(report({ run: "a", group: "g2" }));
    await debit(report({ run: "a", group: "g3", usage: usage(5_000, 0) }));
    await startRun(start({ run: "b", group: "g1" }));
    await debit(report({ run: "b" }));
    await debit(report({ run: "c" }));
    const groups = await Promise.all(["a", "b", "c"].map(async (run) => (await receipt(run)).group));
    expect(groups).toEqual(["g2", "g1", "none"]);
  });

  it("is counted on a separate meter for each model of a run", async () => {
    const { debit, receipt } = await newEnterprise();
    await debit(costing(2));
    const second = await debit(costing(0, { model: "claude-sonnet-4-5", usage: usage(1_000_000, 0), final: true }));
    expect(second.body).toMatchObject({ charged_micros: 300 * CREDIT, run_total_micros: 302 * CREDIT });
    const { models, meters, final } = await receipt("run-1");
    expect([...models].sort()).toEqual(["claude-sonnet-4-5", "gpt-5"]);
    expect(final).toBe(false);
    expect(
      meters.map(({ model, charged_micros, final }: Record<string, unknown>) => [model, charged_micros, final]),
    ).toEqual(
      expect.arrayContaining([
        ["gpt-5", 2 * CREDIT, false],
        ["claude-sonnet-4-5", 300 * CREDIT, true],
      ]),
    );
  });
});
