// Whether a run may start, and what is set aside for it (rules R5, R6).
import { describe, expect, it } from "vitest";
import {
  type Answer,
  auditFaults,
  CREDIT,
  costing,
  expectProblem,
  faultyPaths,
  MAX,
  NOON,
  newEnterprise,
  start,
} from "./api.ts";

const QUARTER_PAST = "2026-03-10T12:15:00.000Z";
const codesOf = (answers: Answer[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(answers, ({ status, body }) => `${status} ${body.code ?? "admitted"}`)).map(
      ([outcome, some]) => [outcome, some?.length],
    ),
  );

describe("a run that asks to start", () => {
  it("is admitted with 201 and the gauge, and the same again with 200", async () => {
    const { start: startRun, get } = await newEnterprise();
    const first = await startRun(start({ hold_micros: 5 * CREDIT }));
    expect(first.status).toBe(201);
    expect(first.body).toMatchObject({
      run: "run-1",
      admitted: true,
      hold: { micros: 5 * CREDIT, expires_at: QUARTER_PAST },
      gauge: { held_micros: 5 * CREDIT, available_micros: 4_995 * CREDIT, remaining_micros: 5_000 * CREDIT },
    });
    const again = await startRun(start({ hold_micros: 5 * CREDIT }));
    expect(again).toMatchObject({ status: 200, body: first.body });
    const bare = await startRun(start({ run: "run-2" }));
    expect(bare).toMatchObject({ status: 201, body: { admitted: true, hold: null } });
    expect((await startRun(start({ run: "run-3", hold_micros: 0 }))).body.hold).toBeNull();
    expect(await get("runs/run-1")).toMatchObject({ started_at: NOON, last_report_at: null, meters: [], final: false });
  });

  it("is turned away with what helps: the gauge, when it resets, where to upgrade", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 3 * CREDIT, upgrade_url: "https://acme.example/up" });
    const tooMuch = expectProblem(await e.start(start({ hold_micros: 3 * CREDIT + 1 })), 402, "insufficient_credits");
    expect(tooMuch).toMatchObject({
      available_micros: 3 * CREDIT,
      upgrade_url: "https://acme.example/up",
      resets_at: "2026-04-01T00:00:00.000Z",
      gauge: { available_micros: 3 * CREDIT, held_micros: 0 },
    });
    expect((await e.start(start({ run: "exactly", hold_micros: 3 * CREDIT }))).status).toBe(201);
    for (const hold of [{}, { hold_micros: 0 }, { hold_micros: 1 }]) {
      const none = expectProblem(await e.start(start({ run: "late", ...hold })), 402, "credits_exhausted");
      expect(none).toMatchObject({ resets_at: "2026-04-01T00:00:00.000Z", gauge: { available_micros: 0 } });
    }
    const plain = await newEnterprise({ monthly_allowance_micros: 0 });
    const refusal = expectProblem(await plain.start(start()), 402, "credits_exhausted");
    expect(refusal).not.toHaveProperty("upgrade_url");
    expect((await plain.agent("GET", `${plain.path}/runs/run-1`)).status).toBe(404);
  });

  it("is refused for a model, a start or a field that will not do, and leaves no trace", async () => {
    const { start: startRun, gauge } = await newEnterprise();
    const before = await gauge();
    expectProblem(await startRun(start({ model: "no-such-model" })), 422, "unknown_model");
    expectProblem(await startRun(start({ started_at: "2026-03-10T12:05:01Z" })), 422, "started_in_future");
    expectProblem(await startRun(start({ started_at: "2026-02-03T11:59:59Z" })), 410, "run_too_old");
    for (const [field, values] of Object.entries({
      run: [undefined, "", "a b", ".."],
      surface: [undefined, "ide"],
      workspace: [undefined, 7],
      user: [undefined, null],
      group: [null, ""],
      hold_micros: [-1, 0.5, "5", null, 2 ** 53],
      hold_ttl_seconds: [0, 86_401, 1.5, "60"],
      started_at: ["now"],
      final: [true],
    })) {
      for (const value of values) expect(faultyPaths(await startRun(start({ [field]: value })))).toEqual([field]);
    }
    expect(await gauge()).toEqual(before);
    expect((await startRun(start({ model: "gpt-5", started_at: "2026-02-03T12:00:00Z" }))).status).toBe(201);
  });

  it("that is known by a report is answered 200, under other attribution 409, when all is final 409", async () => {
    const { start: startRun, debit } = await newEnterprise();
    await debit(costing(1));
    expect((await startRun(start())).status).toBe(200);
    for (const other of [{ workspace: "w2" }, { user: "u2" }, { surface: "cli" }]) {
      expectProblem(await startRun(start(other)), 409, "run_attribution_conflict");
    }
    await debit(costing(1, { final: true }));
    expectProblem(await startRun(start()), 409, "run_closed");
    await debit(costing(1, { model: "gpt-4.1" }));
    expect((await startRun(start())).status).toBe(200);
  });
});

describe("a hold", () => {
  it("is what the run is charged from first, and shows what is left of it", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await e.start(start({ hold_micros: 4 * CREDIT }));
    expect((await e.debit(costing(1))).body).toMatchObject({ available_micros: 6 * CREDIT, action: "continue" });
    expect(await e.gauge()).toMatchObject({ held_micros: 3 * CREDIT, available_micros: 6 * CREDIT });
    expect((await e.start(start({ hold_micros: CREDIT }))).body.hold.micros).toBe(3 * CREDIT);
    await e.debit(costing(6));
    expect(await e.gauge()).toMatchObject({ held_micros: 0, available_micros: 4 * CREDIT });
    expect((await e.start(start({ hold_micros: 0 }))).body.hold.micros).toBe(0);
    expect(await auditFaults(e)).toEqual([]);
  });

  it("keeps its run going though all else is held, and then says hold_exhausted", async () => {
    const { start: startRun, debit } = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await startRun(start({ hold_micros: 10 * CREDIT }));
    const without = await debit(costing(0.001, { run: "other" }));
    expect(without.body).toMatchObject({ action: "stop", reason: "credits_exhausted", available_micros: 0 });
    expect((await debit(costing(9.999))).body).toMatchObject({ action: "continue", reason: null });
    expect((await debit(costing(10))).body).toMatchObject({ action: "stop", reason: "hold_exhausted" });
  });

  it("rises to what a later start asks if that fits, and a smaller one changes nothing", async () => {
    const { start: startRun, gauge } = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await startRun(start({ hold_micros: 4 * CREDIT }));
    expect((await startRun(start({ hold_micros: 10 * CREDIT }))).body.hold.micros).toBe(10 * CREDIT);
    expect((await startRun(start({ hold_micros: 2 * CREDIT }))).body.hold.micros).toBe(10 * CREDIT);
    const before = await gauge();
    expectProblem(await startRun(start({ hold_micros: 11 * CREDIT })), 402, "credits_exhausted");
    expect(await gauge()).toEqual(before);
    const roomy = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await roomy.start(start({ hold_micros: 4 * CREDIT }));
    const refusal = await roomy.start(start({ hold_micros: 11 * CREDIT }));
    expect(expectProblem(refusal, 402, "insufficient_credits").available_micros).toBe(6 * CREDIT);
    expect((await roomy.gauge()).held_micros).toBe(4 * CREDIT);
  });

  it("ends with its release, which is fine twice", async () => {
    const { start: startRun, agent, path, gauge } = await newEnterprise();
    await startRun(start({ hold_micros: 4 * CREDIT }));
    const released = await agent("DELETE", `${path}/runs/run-1/hold`);
    expect(released).toMatchObject({
      status: 200,
      body: { gauge: { held_micros: 0, available_micros: 5_000 * CREDIT } },
    });
    expect((await agent("DELETE", `${path}/runs/run-1/hold`)).status).toBe(200);
    await startRun(start({ run: "bare" }));
    expect((await agent("DELETE", `${path}/runs/bare/hold`)).status).toBe(200);
    expect((await gauge()).held_micros).toBe(0);
  });

  it("ends with the run's last final report, and not before", async () => {
    const { start: startRun, debit, gauge } = await newEnterprise();
    await startRun(start({ hold_micros: 9 * CREDIT }));
    await debit(costing(1));
    await debit(costing(1, { model: "gpt-4.1", usage: { input_tokens: 0, output_tokens: 0 }, final: true }));
    expect((await gauge()).held_micros).toBe(8 * CREDIT);
    await debit(costing(1, { final: true }));
    expect(await gauge()).toMatchObject({ held_micros: 0, available_micros: 4_999 * CREDIT });
  });

  it("expires its time after the run's last report, each report starting it anew", async () => {
    const { start: startRun, debit, gauge, moveTo } = await newEnterprise();
    const { body } = await startRun(start({ hold_micros: 9 * CREDIT, hold_ttl_seconds: 60 }));
    expect(body.hold.expires_at).toBe("2026-03-10T12:01:00.000Z");
    await moveTo("2026-03-10T12:00:59.999Z");
    await debit(costing(1));
    await moveTo("2026-03-10T12:01:30Z");
    expect((await gauge()).held_micros).toBe(8 * CREDIT);
    await debit(costing(1)); // A duplicate is a report too.
    await moveTo("2026-03-10T12:02:29.999Z");
    expect((await gauge()).held_micros).toBe(8 * CREDIT);
    await moveTo("2026-03-10T12:02:30Z");
    expect(await gauge()).toMatchObject({ held_micros: 0, available_micros: 4_999 * CREDIT });
    expect((await startRun(start({ hold_micros: 9 * CREDIT }))).body.hold).toEqual({
      micros: 9 * CREDIT,
      expires_at: "2026-03-10T12:17:30.000Z",
    });
  });

  it("lasts through the turn of the cycle and counts against the new one", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT, test_clock: "2026-03-31T23:59:00Z" });
    await e.start(start({ hold_micros: 4 * CREDIT }));
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({ held_micros: 4 * CREDIT, available_micros: 6 * CREDIT });
    expect(await auditFaults(e)).toEqual([]);
  });

  it("of any size without a cap to fit under is still an amount", async () => {
    const e = await newEnterprise({ billing_model: "byom" });
    expect((await e.start(start({ run: "a", hold_micros: MAX }))).status).toBe(201);
    const second = await e.start(start({ run: "b", hold_micros: MAX }));
    expectProblem(second, 422, "charge_too_large");
    expect((await e.start(start({ run: "c" }))).status).toBe(201);
    expect((await e.gauge()).held_micros).toBe(MAX);
    expect(await auditFaults(e)).toEqual([]);
  });
});

describe("three hundred runs that ask at once for forty places", () => {
  const places = { monthly_allowance_micros: 40 * CREDIT };

  it.each([1, 2, 3, 4, 5])("are admitted forty times exactly (try %i)", async () => {
    const e = await newEnterprise(places);
    const asking = Array.from({ length: 300 }, (_, i) => e.start(start({ run: `r${i}`, hold_micros: CREDIT })));
    const answers = await Promise.all(asking);
    expect(codesOf(answers)).toEqual({ "201 admitted": 40, "402 credits_exhausted": 260 });
    expect(await e.gauge()).toMatchObject({ held_micros: 40 * CREDIT, available_micros: 0 });
    // The agents died: their places return when the holds expire, and exactly those.
    await e.moveTo("2026-03-10T12:14:59.999Z");
    expectProblem(await e.start(start({ run: "early", hold_micros: CREDIT })), 402, "credits_exhausted");
    await e.moveTo(QUARTER_PAST);
    expect(await e.gauge()).toMatchObject({ held_micros: 0, available_micros: 40 * CREDIT });
    expect(await auditFaults(e)).toEqual([]);
  });

  it("and all keep within their holds never owe anything, in credits or under a cap", async () => {
    for (const billing_model of ["credits", "byom"]) {
      const e = await newEnterprise({ billing_model, ...places });
      const admin = await e.keyOf(["admin"]);
      // A hundredth of a dollar is a credit.
      const place = billing_model === "byom" ? CREDIT / 100 : CREDIT;
      if (billing_model === "byom") {
        await admin.send("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: 40 * place });
      }
      const runs = Array.from({ length: 120 }, (_, i) => `r${i}`);
      const answers = await Promise.all(runs.map((run) => e.start(start({ run, hold_micros: place }))));
      const admitted = runs.filter((_, i) => answers[i]?.status === 201);
      expect(admitted.length).toBe(40);
      const reports = admitted.flatMap((run) => [0.4, 1].map((credits) => costing(credits, { run })));
      const { body } = await e.debit({ reports });
      expect(body.results.every(({ charged_micros }: { charged_micros: number }) => charged_micros > 0)).toBe(true);
      expect(await e.gauge()).toMatchObject({
        used_micros: 40 * place,
        debt_micros: 0,
        held_micros: 0,
        available_micros: 0,
        used_percent: 100,
      });
      expect(await auditFaults(e)).toEqual([]);
    }
  });
});
