// Starting runs and holding credits for them (rules R5, R6).
import { describe, expect, it } from "vitest";
import {
  type Answer,
  auditFailures,
  CREDIT,
  costing,
  expectProblem,
  invalidPaths,
  MAX_MICROS,
  NOON,
  newEnterprise,
  start,
} from "./api.ts";

const QUARTER_PAST = "2026-03-10T12:15:00.000Z";
const countOutcomes = (answers: Answer[]) =>
  Object.fromEntries(
    Object.entries(Object.groupBy(answers, ({ status, body }) => `${status} ${body.code ?? "admitted"}`)).map(
      ([outcome, some]) => [outcome, some?.length],
    ),
  );

describe("starting a run", () => {
  it("answers 201 with the hold and the gauge, and 200 when repeated", async () => {
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

  it("is refused without credits, with the gauge, the reset and where to upgrade", async () => {
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

  it("is refused for an unknown model, a start time out of range or an invalid field, and changes nothing", async () => {
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
      for (const value of values) expect(invalidPaths(await startRun(start({ [field]: value })))).toEqual([field]);
    }
    expect(await gauge()).toEqual(before);
    expect((await startRun(start({ model: "gpt-5", started_at: "2026-02-03T12:00:00Z" }))).status).toBe(201);
  });

  it("answers a run already reported with 200, or 409 if its attribution differs or all its meters are final", async () => {
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
  it("pays for its run's charges first and shows what is left", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await e.start(start({ hold_micros: 4 * CREDIT }));
    expect((await e.debit(costing(1))).body).toMatchObject({ available_micros: 6 * CREDIT, action: "continue" });
    expect(await e.gauge()).toMatchObject({ held_micros: 3 * CREDIT, available_micros: 6 * CREDIT });
    expect((await e.start(start({ hold_micros: CREDIT }))).body.hold.micros).toBe(3 * CREDIT);
    await e.debit(costing(6));
    expect(await e.gauge()).toMatchObject({ held_micros: 0, available_micros: 4 * CREDIT });
    expect((await e.start(start({ hold_micros: 0 }))).body.hold.micros).toBe(0);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("lets its run continue while everything else is held, then answers hold_exhausted", async () => {
    const { start: startRun, debit } = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await startRun(start({ hold_micros: 10 * CREDIT }));
    const without = await debit(costing(0.001, { run: "other" }));
    expect(without.body).toMatchObject({ action: "stop", reason: "credits_exhausted", available_micros: 0 });
    expect((await debit(costing(9.999))).body).toMatchObject({ action: "continue", reason: null });
    expect((await debit(costing(10))).body).toMatchObject({ action: "stop", reason: "hold_exhausted" });
  });

  it("is raised by a later start if that fits, and unchanged by a smaller one", async () => {
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

  it("can be released, twice or when there is none", async () => {
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

  it("ends with the final report of the run's last open meter", async () => {
    const { start: startRun, debit, gauge } = await newEnterprise();
    await startRun(start({ hold_micros: 9 * CREDIT }));
    await debit(costing(1));
    await debit(costing(1, { model: "gpt-4.1", usage: { input_tokens: 0, output_tokens: 0 }, final: true }));
    expect((await gauge()).held_micros).toBe(8 * CREDIT);
    await debit(costing(1, { final: true }));
    expect(await gauge()).toMatchObject({ held_micros: 0, available_micros: 4_999 * CREDIT });
  });

  it("expires after its time to live, which restarts with each report", async () => {
    const { start: startRun, debit, gauge, moveTo } = await newEnterprise();
    const { body } = await startRun(start({ hold_micros: 9 * CREDIT, hold_ttl_seconds: 60 }));
    expect(body.hold.expires_at).toBe("2026-03-10T12:01:00.000Z");
    await moveTo("2026-03-10T12:00:59.999Z");
    await debit(costing(1));
    await moveTo("2026-03-10T12:01:30Z");
    expect((await gauge()).held_micros).toBe(8 * CREDIT);
    await debit(costing(1)); // A duplicate also restarts it.
    await moveTo("2026-03-10T12:02:29.999Z");
    expect((await gauge()).held_micros).toBe(8 * CREDIT);
    await moveTo("2026-03-10T12:02:30Z");
    expect(await gauge()).toMatchObject({ held_micros: 0, available_micros: 4_999 * CREDIT });
    expect((await startRun(start({ hold_micros: 9 * CREDIT }))).body.hold).toEqual({
      micros: 9 * CREDIT,
      expires_at: "2026-03-10T12:17:30.000Z",
    });
  });

  it("outlasts the turn of the cycle and counts against the new allowance", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT, test_clock: "2026-03-31T23:59:00Z" });
    await e.start(start({ hold_micros: 4 * CREDIT }));
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({ held_micros: 4 * CREDIT, available_micros: 6 * CREDIT });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("without a cap may be any amount, but the sum of holds cannot pass 2^53−1", async () => {
    const e = await newEnterprise({ billing_model: "byom" });
    expect((await e.start(start({ run: "a", hold_micros: MAX_MICROS }))).status).toBe(201);
    const second = await e.start(start({ run: "b", hold_micros: MAX_MICROS }));
    expectProblem(second, 422, "charge_too_large");
    expect((await e.start(start({ run: "c" }))).status).toBe(201);
    expect((await e.gauge()).held_micros).toBe(MAX_MICROS);
    expect(await auditFailures(e)).toEqual([]);
  });
});

describe("concurrent starts with holds on a balance for forty", () => {
  const roomForForty = { monthly_allowance_micros: 40 * CREDIT };

  it.each([1, 2, 3, 4, 5])("admit exactly forty of three hundred runs (try %i)", async () => {
    const e = await newEnterprise(roomForForty);
    const asking = Array.from({ length: 300 }, (_, i) => e.start(start({ run: `r${i}`, hold_micros: CREDIT })));
    const answers = await Promise.all(asking);
    expect(countOutcomes(answers)).toEqual({ "201 admitted": 40, "402 credits_exhausted": 260 });
    expect(await e.gauge()).toMatchObject({ held_micros: 40 * CREDIT, available_micros: 0 });
    // The agents crashed. What they held is available again when the holds expire, and not before.
    await e.moveTo("2026-03-10T12:14:59.999Z");
    expectProblem(await e.start(start({ run: "early", hold_micros: CREDIT })), 402, "credits_exhausted");
    await e.moveTo(QUARTER_PAST);
    expect(await e.gauge()).toMatchObject({ held_micros: 0, available_micros: 40 * CREDIT });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("never lead to debt if every run stays within its hold, in credits or under a cap", async () => {
    for (const billing_model of ["credits", "byom"]) {
      const e = await newEnterprise({ billing_model, ...roomForForty });
      const admin = await e.createKey(["admin"]);
      // One credit is a hundredth of a dollar.
      const holdMicros = billing_model === "byom" ? CREDIT / 100 : CREDIT;
      if (billing_model === "byom") {
        await admin.send("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: 40 * holdMicros });
      }
      const runs = Array.from({ length: 120 }, (_, i) => `r${i}`);
      const answers = await Promise.all(runs.map((run) => e.start(start({ run, hold_micros: holdMicros }))));
      const admitted = runs.filter((_, i) => answers[i]?.status === 201);
      expect(admitted.length).toBe(40);
      const reports = admitted.flatMap((run) => [0.4, 1].map((credits) => costing(credits, { run })));
      const { body } = await e.debit({ reports });
      expect(body.results.every(({ charged_micros }: { charged_micros: number }) => charged_micros > 0)).toBe(true);
      expect(await e.gauge()).toMatchObject({
        used_micros: 40 * holdMicros,
        debt_micros: 0,
        held_micros: 0,
        available_micros: 0,
        used_percent: 100,
      });
      expect(await auditFailures(e)).toEqual([]);
    }
  });
});
