// Runs the adapters with the providers' real SDKs against a simulated provider, which streams golden cases completely,
// with errors, and cut off. Each run is reported to the real Worker, and its receipt must contain exactly the usage that
// the provider had stated.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFuelgauge, type Fuelgauge, type Run, type Usage } from "../../packages/client/src/fuelgauge.ts";
import { inMainKinds } from "../../packages/client/src/totals.ts";
import {
  asExpected,
  casesOf,
  type Expected,
  expectedAfter,
  firstEvents,
  GOLDEN,
  type GoldenCase,
  type ProviderName,
  sizeOf,
} from "./golden.ts";
import { type Ending, startProvider } from "./provider.ts";
import { openStream } from "./sdks.ts";
import { type Ledger, startLedger } from "./worker.ts";

let ledger: Ledger;
let provider: Awaited<ReturnType<typeof startProvider>>;
let enterprise: Awaited<ReturnType<Ledger["newEnterprise"]>>;
let fuelgauge: Fuelgauge;

beforeAll(async () => {
  [ledger, provider] = await Promise.all([startLedger(), startProvider()]);
  enterprise = await ledger.newEnterprise();
  fuelgauge = createFuelgauge({ url: ledger.url, enterprise: enterprise.id, key: enterprise.key });
});

afterAll(async () => {
  fuelgauge.close();
  provider.close();
  await ledger.close();
});

let runs = 0;

async function startRun(): Promise<Run> {
  const started = await fuelgauge.startRun({ run: `run-${++runs}`, surface: "cli", workspace: "w1", user: "u1" });
  if (!started.admitted) throw new Error(started.refusal.detail);
  return started.run;
}

type Play = { name: ProviderName; golden: GoldenCase; responses: object[][]; ending: Ending; reads?: number };
type Played = { what: string; run: Run; expected: Expected };

/** Streams a case and reads it with its SDK, up to `reads` events. */
async function play({ name, golden, responses, ending, reads = Number.POSITIVE_INFINITY }: Play): Promise<Run> {
  const run = await startRun();
  const { url } = provider.play({ provider: name, responses, ending });
  let seen = 0;
  try {
    for await (const _event of await openStream(name, url, run, golden.model)) if (++seen >= reads) break;
  } catch {
    // The SDK throws the error of the provider or the network. The usage must be counted anyway.
  }
  if (reads < Number.POSITIVE_INFINITY && seen !== reads) throw new Error(`${golden.name}: ${seen} of ${reads} events`);
  return run;
}

/** Plays many cases, eight at a time, and compares each with the usage stated after its number of events. */
async function playAll(plays: (Play & { what: string; events: number })[]): Promise<void> {
  const played: Played[] = [];
  const left = [...plays];
  const player = async () => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const { golden, what, events } = next;
      played.push({ what: `${golden.name}, ${what}`, run: await play(next), expected: expectedAfter(golden, events) });
    }
  };
  await Promise.all(Array.from({ length: 8 }, player));
  expect(played.length).toBeGreaterThan(0);
  await expectReceipts(played);
}

/** Compares the receipt of each run with the stated usage, and its charge with the price. */
async function expectReceipts(played: Played[]): Promise<void> {
  const finished = await Promise.all(played.map(({ run }) => run.finish()));
  expect(finished.filter(({ delivered, refused }) => !delivered || refused.length > 0)).toEqual([]);
  for (const { what, run, expected } of played) {
    if (Object.keys(expected).length === 0) {
      expect(run.totals, what).toEqual({});
      continue;
    }
    expect(asExpected(run.totals), what).toEqual(expected);
    const receipt = await enterprise.receipt(run.id);
    const metered = receipt.meters.map(({ model, usage }: Metered & { model: string }) => [model, usage]);
    const hasKinds = receipt.meters.every((meter: Metered) => "tier" in meter);
    const stated = hasKinds ? expected : inFourKinds(run.totals);
    expect(asExpected(Object.fromEntries(metered)), what).toEqual(byCanonicalName(stated));
    for (const meter of receipt.meters) expect(meter.charged_micros, what).toBe(chargeOf(meter));
    expect(receipt.final, what).toBe(true);
  }
}

/** What a ledger that knows four kinds receives. */
function inFourKinds(totals: Run["totals"]): Expected {
  return asExpected(Object.fromEntries(Object.entries(totals).map(([model, usage]) => [model, inMainKinds(usage)])));
}

/** By the price book's names. In these cases they are the providers' names without the date. */
function byCanonicalName(expected: Expected): Expected {
  return Object.fromEntries(Object.entries(expected).map(([model, usage]) => [model.replace(/-20[\d-]+$/, ""), usage]));
}

type Metered = { usage: Usage; rates: Record<string, string>; credits_per_usd: number };

/** ceil(Σ quantity · rate · credits per USD), computed in integers. Rates of searches are for a thousand. */
function chargeOf({ usage, rates, credits_per_usd }: Metered): number {
  let millionths = 0n;
  for (const [kind, rate] of Object.entries(rates)) {
    const isSearch = kind.endsWith("_searches");
    const quantity = usage[(isSearch ? kind : `${kind}_tokens`) as keyof Usage] ?? 0;
    millionths += BigInt(quantity) * BigInt(Math.round(Number(rate) * 1e6)) * (isSearch ? 1_000n : 1n);
  }
  return Number((millionths * BigInt(credits_per_usd) + 999_999n) / 1_000_000n);
}

describe.each(Object.keys(GOLDEN) as ProviderName[])("%s", (name) => {
  const cases = casesOf(name);

  it("counts each golden case exactly, also when every event arrives twice", async () => {
    const complete = cases.map((golden) => {
      return {
        name,
        golden,
        responses: golden.responses,
        ending: "end" as const,
        what: "complete",
        events: sizeOf(golden),
      };
    });
    // With several responses, the end of one triggers the next request. Repeating that end would change the conversation.
    const repeated = complete.flatMap((play) => {
      const twice = play.responses.map((events) => events.flatMap((event) => [event, event]));
      return play.responses.length > 1 ? [] : [{ ...play, responses: twice, what: "repeated" }];
    });
    await playAll([...complete, ...repeated]);
  });

  it("counts the usage stated so far, wherever the provider fails or the connection is lost", async () => {
    const plays = cases.flatMap((golden) =>
      range(1, sizeOf(golden)).flatMap((events) => {
        const responses = firstEvents(golden, events);
        const play = { name, golden, responses, events };
        return (["error", "lost"] as const).map((ending) => ({ ...play, ending, what: `${ending} after ${events}` }));
      }),
    );
    await playAll(plays.filter(({ golden }) => sizeOf(golden) > 1));
  });

  it("counts the usage stated so far, wherever the reader stops", async () => {
    const plays = cases.flatMap((golden) => {
      const shown = golden.responses.flat().map((event) => (event as { type?: string }).type !== "raw");
      const stops = range(1, sizeOf(golden)).filter((events) => shown[events - 1]);
      return stops.map((events) => {
        const reads = shown.slice(0, events).filter(Boolean).length;
        const { responses } = golden;
        return { name, golden, responses, ending: "end" as const, reads, what: `read ${events}`, events };
      });
    });
    await playAll(plays);
  });
});

function range(from: number, below: number): number[] {
  return Array.from({ length: below - from }, (_, i) => from + i);
}
