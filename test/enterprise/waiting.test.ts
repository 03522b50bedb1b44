// Usage without a price (rule R13): it is kept, and charged once there is a price.
import { describe, expect, it } from "vitest";
import { loadWaitingNames, loadWaitingState } from "../../src/enterprise/books/waiting.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import { startDailyPass } from "../../src/enterprise/jobs/price-waiting.ts";
import { DAY_MS, HOUR_MS, NOON, report, settings } from "../support/books.ts";
import { Deployment, entry, OPERATOR } from "./deployment.ts";
import { stubPlatform } from "./stub-platform.ts";

describe("usage without a price", () => {
  it("is kept, charged nothing and shown on the receipt", async () => {
    const deployment = new Deployment();
    const [answer] = await deployment.debit(deployment.report("new", 70));
    expect(answer).toMatchObject({ model: "new", priced: false, charged_micros: 0, run_total_micros: 0 });
    expect(deployment.receipt().meters).toMatchObject([
      { model: "new", reported_as: ["new"], priced: false, rates: null, charged_micros: 0, draws: [] },
    ]);
    expect(loadWaitingNames(deployment.sql, 10)).toEqual([
      { name: "new", tier: "standard", meters: 1, usage: { input: 70 } },
    ]);
    expect(deployment.faults()).toEqual([]);
  });

  it("is refused if the deployment says so", async () => {
    const platform = stubPlatform({ unpricedUsage: "refuse" });
    const core = new EnterpriseCore(platform);
    core.management.provision("acme", settings(), settings(), NOON);
    const answers = await core.debit(OPERATOR, [report(10, { price: null, model: "new" })]);
    expect(answers).toEqual([{ refusal: { code: "unknown_model", model: "new" } }]);
  });

  it("is charged under its model's id once there is a price", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 70), deployment.report("new", 100), deployment.report("other", 9));
    deployment.putBook(entry("known", "1"), entry("model-x", "3", { aliases: ["new"] }));
    await deployment.settle();
    expect(deployment.receipt().meters).toMatchObject([
      { model: "model-x", reported_as: ["new"], priced: true, price_book_version: 2, charged_micros: 300 },
      { model: "other", priced: false, charged_micros: 0 },
    ]);
    expect(deployment.core.ledger.gauge().usedMicros).toBe(300);
    expect(deployment.entries("usage_priced")).toEqual([
      {
        type: "usage_priced",
        reported_as: "new",
        tier: "standard",
        model: "model-x",
        meters: 1,
        credits_micros: 300,
        usd_micros: 0,
      },
    ]);
    expect(loadWaitingNames(deployment.sql, 10)).toMatchObject([{ name: "other", meters: 1 }]);
    expect(deployment.faults()).toEqual([]);
    const [later] = await deployment.debit(deployment.report("new", 110));
    expect(later).toMatchObject({ model: "model-x", priced: true, charged_micros: 30, run_total_micros: 330 });
  });

  it("keeps its reported name if the run has a meter under the model's id", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 70), deployment.report("known", 5));
    deployment.putBook(entry("known", "1", { aliases: ["new"] }));
    await deployment.settle();
    expect(deployment.meters()).toMatchObject({ new: { charged_micros: 70 }, known: { charged_micros: 5 } });
    const [again] = await deployment.debit(deployment.report("new", 75));
    expect(again).toMatchObject({ model: "new", charged_micros: 5, run_total_micros: 80 });
    expect(deployment.faults()).toEqual([]);
  });

  it("is charged at its tier, at the enterprise's multiplier, in the unit of its first report", async () => {
    const deployment = new Deployment({ billingModel: "byom", priceMultiplierMillionths: 2_000_000 });
    await deployment.debit(deployment.report("new", 10, { tier: "batch" }));
    deployment.core.management.provision("acme", { billingModel: "credits" }, null, undefined);
    await deployment.debit(deployment.report("new", 10, { run: "r2", tier: "batch" }));
    deployment.putBook(entry("new", "8", { tiers: { batch: { input: "4" } } }));
    await deployment.settle();
    expect(deployment.receipt("r1").meters).toMatchObject([{ tier: "batch", unit: "usd", charged_micros: 40 }]);
    expect(deployment.receipt("r2").meters).toMatchObject([{ tier: "batch", unit: "credits", charged_micros: 80 }]);
    expect(deployment.faults()).toEqual([]);
  });

  it("is charged in the cycle in which the price comes", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 70));
    deployment.core.management.moveClock(NOON + 30 * DAY_MS);
    deployment.putBook(entry("new", "1"));
    await deployment.settle();
    expect(deployment.core.ledger.gauge().usedMicros).toBe(70);
    expect(deployment.receipt().meters[0]?.draws).toMatchObject([{ id: "2026-04-01T00:00:00.000Z", micros: 70 }]);
    expect(deployment.faults()).toEqual([]);
  });

  it("is drawn from the run's hold, which ends if all meters are final", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 70));
    deployment.core.ledger.start({
      run: "r1",
      surface: "web",
      workspace: "w1",
      user: "u1",
      holdMicros: 100,
      holdTtlMs: null,
      startedAtMs: NOON,
    });
    deployment.putBook(entry("new", "1"));
    await deployment.settle();
    expect(deployment.core.ledger.books.held.credits).toBe(30);
    expect(deployment.faults()).toEqual([]);
  });

  it("is looked at once a day, however many alarms ring while a pass runs", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 70));
    await deployment.settle();
    const { ledger } = deployment.core;
    const { wanted, checkedAtMs } = loadWaitingState(deployment.sql);
    ledger.nowMs = () => checkedAtMs + DAY_MS;
    for (let alarms = 0; alarms < 3; alarms++) startDailyPass(ledger);
    expect(loadWaitingState(deployment.sql).wanted).toBe(wanted + 1);
  });

  it("is charged by an override at once, without the catalog", async () => {
    const deployment = new Deployment();
    deployment.answerReport = async () => {
      throw new Error("connection lost");
    };
    await deployment.debit(deployment.report("new", 70));
    deployment.core.management.putOverrides([entry("new", "2")]);
    await deployment.core.jobs.runNow("slices");
    expect(deployment.receipt().meters).toMatchObject([{ priced: true, charged_micros: 140 }]);
    expect(deployment.faults()).toEqual([]);
  });

  it("stays unpriced if its name means several models, even with an entry for every name", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("openai/x-2025-01-01", 70), deployment.report("y", 1));
    deployment.putBook(entry("openai/x", "1"), entry("x-2025-01-01", "2"), entry("*", "3"));
    await deployment.settle();
    expect(deployment.meters()).toMatchObject({
      "openai/x-2025-01-01": { priced: false, charged_micros: 0 },
      y: { priced: true, charged_micros: 3 },
    });
    expect(deployment.faults()).toEqual([]);
  });

  it("keeps waiting while its charge would exceed 2^53−1, and is charged when it fits", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 1_000_000_000_000), deployment.report("other", 1));
    deployment.putBook(entry("new", "9999999"), entry("other", "1"));
    await deployment.settle();
    expect(deployment.receipt().meters).toMatchObject([
      { model: "new", priced: false, charged_micros: 0 },
      { model: "other", priced: true, charged_micros: 1 },
    ]);
    deployment.putBook(entry("new", "0.5"));
    await deployment.settle();
    expect(deployment.receipt().meters[0]).toMatchObject({ priced: true, charged_micros: 500_000_000_000 });
    expect(deployment.faults()).toEqual([]);
  });

  it("is dropped 400 days after its last report, with an entry, and its run is forgotten later", async () => {
    const deployment = new Deployment();
    await deployment.debit(deployment.report("new", 70), deployment.report("new", 7, { run: "r2" }));
    deployment.core.management.moveClock(NOON + 400 * DAY_MS);
    await deployment.core.jobs.runNow("prune");
    await deployment.settle();
    expect(loadWaitingState(deployment.sql).meters).toBe(2);
    deployment.core.management.moveClock(NOON + 401 * DAY_MS + HOUR_MS);
    await deployment.core.jobs.runNow("prune");
    await deployment.settle();
    deployment.platform.nowMs += 5_000;
    await deployment.settle();
    expect(loadWaitingState(deployment.sql)).toMatchObject({ meters: 0, listed: false });
    expect(deployment.entries("usage_dropped")).toEqual([
      { type: "usage_dropped", reported_as: "new", tier: "standard", meters: 2 },
    ]);
    expect(deployment.sql.all("SELECT * FROM meters")).toEqual([]);
    deployment.core.management.moveClock(NOON + 401 * DAY_MS + 3 * HOUR_MS);
    await deployment.core.jobs.runNow("prune");
    expect(deployment.sql.all("SELECT * FROM runs")).toEqual([]);
    expect(deployment.faults()).toEqual([]);
  });
});
