// Every way in which a provider states its usage, from the provider's answer to the receipt of the real Worker: the
// receipt has exactly the usage, by model and tier, and the charge is its cost at the rates that the receipt shows.
import { afterAll, beforeAll, expect, it } from "vitest";
import * as anthropic from "../../packages/client/src/anthropic.ts";
import * as bedrock from "../../packages/client/src/bedrock.ts";
import { createFuelgauge, type Fuelgauge, type Run } from "../../packages/client/src/fuelgauge.ts";
import * as google from "../../packages/client/src/google.ts";
import * as openai from "../../packages/client/src/openai.ts";
import { inMainKinds, sumOf } from "../../packages/client/src/totals.ts";
import { asExpected } from "./golden.ts";
import type { Api, UsageCase } from "./usage-case.ts";
import { eventsOf } from "./usage-events.ts";
import { reported, USAGE_CASES } from "./usages.ts";
import { type Ledger, startLedger } from "./worker.ts";

let ledger: Ledger;
let enterprise: Awaited<ReturnType<Ledger["newEnterprise"]>>;
let fuelgauge: Fuelgauge;

beforeAll(async () => {
  ledger = await startLedger();
  enterprise = await ledger.newEnterprise();
  fuelgauge = createFuelgauge({ url: ledger.url, enterprise: enterprise.id, key: enterprise.key });
});

afterAll(async () => {
  fuelgauge.close();
  await ledger.close();
});

type MeterEvents = (stream: never, run: Run, model: string) => AsyncIterable<unknown>;

const METERS: Record<Api, MeterEvents> = {
  chat: (stream, run) => openai.meter(stream, run),
  responses: (stream, run) => openai.meter(stream, run),
  anthropic: (stream, run) => anthropic.meter(stream, run),
  google: (stream, run) => google.meter(stream, run),
  bedrock: (stream, run, model) => bedrock.meter(stream, run, { model }),
};

async function* streamOf(events: object[]) {
  yield* events;
}

type ReceiptMeter = {
  tier: string;
  usage: Record<string, number>;
  rates: Record<string, string> | null;
  credits_per_usd: number | null;
  charged_micros: number;
};

/** ceil(Σ quantity · rate · credits per USD), computed in integers. Rates of searches are for a thousand. */
function chargeOf({ usage, rates, credits_per_usd }: ReceiptMeter): number {
  let millionths = 0n;
  for (const [field, quantity] of Object.entries(usage)) {
    const rate = BigInt(Math.round(Number(rates?.[field.replace(/_tokens$/, "")] ?? 0) * 1e6));
    millionths += BigInt(quantity) * rate * (field.endsWith("_searches") ? 1_000n : 1n);
  }
  return Number((millionths * BigInt(credits_per_usd ?? 0) + 999_999n) / 1_000_000n);
}

it.each(USAGE_CASES.map((usageCase) => [usageCase.name, usageCase] as const))("%s", async (name, usageCase) => {
  const who = { surface: "cli", workspace: "w1", user: "u1" } as const;
  const started = await fuelgauge.startRun({ run: `run ${name}`.replace(/[^a-z0-9]+/gi, "-"), ...who });
  if (!started.admitted) throw new Error(started.refusal.detail);
  const { run } = started;
  for await (const _event of METERS[usageCase.api](streamOf(eventsOf(usageCase)) as never, run, usageCase.model));
  expect(await run.finish()).toMatchObject({ delivered: true, not_counted: [] });
  const { meters } = (await enterprise.receipt(run.id)) as { meters: ReceiptMeter[] };
  // A ledger that knows four kinds has no tiers: it receives their sum.
  const hasTiers = meters.every((meter) => "tier" in meter);
  const means = expected(usageCase, meters);
  const sum = { standard: inMainKinds(sumOf(Object.values(means))) };
  expect(hasTiers ? byTier(meters) : byTier(meters.map((meter) => ({ ...meter, tier: "standard" })))).toEqual(
    asExpected(hasTiers ? means : sum),
  );
  for (const meter of meters) expect(meter.charged_micros).toBe(chargeOf(meter));
});

function byTier(meters: ReceiptMeter[]) {
  return asExpected(Object.fromEntries(meters.map(({ tier, usage }) => [tier, usage as never])));
}

/** The meaning by tier. A tier that combines two is the service tier if the price book does not have it. */
function expected({ means }: UsageCase, meters: ReceiptMeter[]) {
  const tiers = new Set(meters.map(({ tier }) => tier));
  return Object.fromEntries(
    Object.entries(means).map(([tier, kinds]) => [
      tiers.has(tier) ? tier : tier.replace(/_above_\d+$/, ""),
      reported(kinds),
    ]),
  );
}
