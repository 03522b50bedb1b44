// Usage without a price over HTTP (rule R13): from the report to the charge, the metrics and the operator's page.
import { runDurableObjectAlarm } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { type Enterprise, expectProblem, newEnterprise, objectOf, operator, report, runAlarm, start } from "./api.ts";

/** Runs the alarms of the catalog and of this enterprise until it was charged this much, also for what waited. */
async function untilCharged({ id, gauge }: Enterprise, micros: number): Promise<void> {
  const usedMicros = async () => {
    await runDurableObjectAlarm(env.CATALOG.getByName("catalog"));
    await runAlarm(objectOf(id));
    return (await gauge()).used_micros;
  };
  await expect.poll(usedMicros).toBe(micros);
}

async function unpricedMeters(): Promise<number> {
  const { text } = await operator("GET", "/metrics");
  return Number(/^fuelgauge_unpriced_meters (\d+)$/m.exec(text)?.[1]);
}

it("charges usage that waited once a version of the book prices it, in every enterprise", async () => {
  const [a, b] = [await newEnterprise(), await newEnterprise({ price_multiplier: "2" })];
  const usage = { input_tokens: 1_000, output_tokens: 0, web_searches: 2 };
  for (const { debit } of [a, b]) {
    expect(await debit(report({ model: "brand-new", usage, tier: "flex" }))).toMatchObject({
      status: 200,
      body: { model: "brand-new", tier: "flex", priced: false, charged_micros: 0, run_total_micros: 0 },
    });
  }
  expect(await unpricedMeters()).toBe(2);
  expectProblem(await a.start(start({ run: "other", model: "brand-new" })), 422, "unknown_model");
  const entry = {
    id: "maker/brand-new",
    aliases: ["brand-new"],
    input: "3",
    output: "1",
    web_searches: "10",
    tiers: { flex: { input: "1.5" } },
  };
  expect((await operator("PATCH", "/v1/price-book", { models: [entry] })).status).toBe(201);
  // 1,000 tokens at 1.5 micro-USD and 2 searches at 10,000 micro-USD, at 100 credits per dollar.
  const charge = (1_500 + 20_000) * 100;
  await untilCharged(a, charge);
  await untilCharged(b, 2 * charge);
  expect((await a.receipt("run-1")).meters).toMatchObject([
    {
      model: "maker/brand-new",
      reported_as: ["brand-new"],
      tier: "flex",
      priced: true,
      rates: { input: "1.5", web_searches: "10" },
      price_multiplier: "1",
      charged_micros: charge,
    },
  ]);
  expect((await b.receipt("run-1")).meters).toMatchObject([{ price_multiplier: "2", charged_micros: 2 * charge }]);
  expect((await a.entries()).at(-1)).toMatchObject({
    type: "usage_priced",
    by: "clock",
    reported_as: "brand-new",
    tier: "flex",
    model: "maker/brand-new",
    meters: 1,
    credits_micros: charge,
  });
  for (const { audit } of [a, b]) expect(await audit()).toMatchObject({ ok: true });
});

it("charges usage that waited once an override prices it, for that enterprise only", async () => {
  const [a, b] = [await newEnterprise(), await newEnterprise()];
  for (const { debit } of [a, b]) await debit(report({ model: "own-model" }));
  const models = [{ id: "own-model", input: "1", output: "1" }];
  expect((await operator("PUT", `${a.path}/price-overrides`, { models })).status).toBe(200);
  await untilCharged(a, 110_000);
  expect((await a.receipt("run-1")).meters).toMatchObject([{ priced: true, charged_micros: 110_000 }]);
  expect((await b.receipt("run-1")).meters).toMatchObject([{ priced: false, charged_micros: 0, rates: null }]);
  // Were the override of `a` used here, however late, this usage would already have its price.
  const others = [{ id: "own-model", input: "2", output: "2" }];
  expect((await operator("PUT", `${b.path}/price-overrides`, { models: others })).status).toBe(200);
  await untilCharged(b, 220_000);
  expect((await a.audit()).ok).toBe(true);
});
