// Every way in which a provider states its usage, through the AI SDK: from the provider's raw events, and from the usage
// that the SDK keeps as the provider stated it. The client reports exactly what it means, under the right price tier.
import { createGateway, streamText, wrapLanguageModel } from "ai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fuelgaugeMiddleware } from "../../packages/client/src/ai-sdk.ts";
import type { Run } from "../../packages/client/src/fuelgauge.ts";
import { startFakeLedger } from "./fake-ledger.ts";
import { startProvider } from "./provider.ts";
import type { UsageCase } from "./usage-case.ts";
import { eventsOf } from "./usage-events.ts";
import { reported, tiersOf, USAGE_CASES } from "./usages.ts";

let ledger: Awaited<ReturnType<typeof startFakeLedger>>;
let provider: Awaited<ReturnType<typeof startProvider>>;

beforeAll(async () => {
  [ledger, provider] = await Promise.all([startFakeLedger(tiersOf), startProvider()]);
});

afterAll(() => {
  ledger.close();
  provider.close();
});

const TEXT = [
  { type: "text-start", id: "0" },
  { type: "text-delta", id: "0", delta: "Hi" },
  { type: "text-end", id: "0" },
];

/** The SDK's own totals are left out: they lack kinds that the provider states, and must not be used beside them. */
function finish(raw?: object) {
  const usage = { inputTokens: { total: 7 }, outputTokens: { total: 7 }, ...(raw === undefined ? {} : { raw }) };
  return { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage };
}

/** Streams each response of the case through the SDK, and finishes the run. */
async function stream(run: Run, { model }: UsageCase, responses: object[][]) {
  for (const parts of responses) {
    const events = [{ type: "stream-start", warnings: [] }, ...parts];
    const { url } = provider.play({ provider: "ai-sdk", responses: [events], ending: "end" });
    const wrapped = wrapLanguageModel({
      model: createGateway({ baseURL: url, apiKey: "k" })(model),
      middleware: fuelgaugeMiddleware(run, { model }),
    });
    expect(await streamText({ model: wrapped, prompt: "Hello" }).text).toBe("Hi");
  }
  expect(await run.finish()).toMatchObject({ delivered: true, refused: [], not_counted: [] });
}

/** What the run must have reported at its end, by model and tier. */
function expected({ model, means }: UsageCase) {
  return Object.fromEntries(
    Object.entries(means).map(([tier, kinds]) => [tier === "standard" ? model : `${model} ${tier}`, reported(kinds)]),
  );
}

describe("the AI SDK's stream is counted exactly", () => {
  it.each(USAGE_CASES.map((usageCase) => [usageCase.name, usageCase] as const))(
    "from raw events: %s",
    async (_, it) => {
      const run = await ledger.startRun();
      const responses = it.usages.map((usage) => {
        const raw = eventsOf({ ...it, usages: [usage] }).map((rawValue) => ({ type: "raw", rawValue }));
        return [...raw, ...TEXT, finish()];
      });
      await stream(run, it, responses);
      expect(ledger.finals(run)).toEqual(expected(it));
    },
  );

  // Without raw events, what the provider states outside of its usage does not reach the middleware.
  const inUsage = USAGE_CASES.filter(({ more, place }) => more === undefined && place === undefined);
  it.each(inUsage.map((usageCase) => [usageCase.name, usageCase] as const))("from the usage: %s", async (_, it) => {
    const run = await ledger.startRun();
    await stream(
      run,
      it,
      it.usages.map((usage) => [...TEXT, finish(usage)]),
    );
    expect(ledger.finals(run)).toEqual(expected(it));
  });
});
