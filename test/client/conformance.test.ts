// The adapters, through the providers' real SDKs, against a server that streams golden cases well and badly; every run
// is reported to the real Worker, and its receipt must hold exactly what the provider had said.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createFuelgauge, type Fuelgauge, type Run, type Usage } from "../../packages/client/src/fuelgauge.ts";
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
}, 120_000);

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

/** Plays a case and reads it with its SDK, at most `reads` events. */
async function play({ name, golden, responses, ending, reads = Number.POSITIVE_INFINITY }: Play): Promise<Run> {
  const run = await startRun();
  const { url } = provider.play({ provider: name, responses, ending });
  let seen = 0;
  try {
    for await (const _event of await openStream(name, url, run, golden.model)) if (++seen >= reads) break;
  } catch {
    // The SDK throws what the provider or the network did; what was used is known all the same.
  }
  if (reads < Number.POSITIVE_INFINITY && seen !== reads) throw new Error(`${golden.name}: ${seen} of ${reads} events`);
  return run;
}

/** Plays many, a few at a time, and expects of each what was said after so many events. */
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

/** The receipt of each run against what was said, and its charge against the price. */
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
    expect(asExpected(Object.fromEntries(metered)), what).toEqual(byCanonicalName(expected));
    for (const meter of receipt.meters) expect(meter.charged_micros, what).toBe(chargeOf(meter));
    expect(receipt.final, what).toBe(true);
  }
}

/** The price book's names: here they are the providers' without their dates. */
function byCanonicalName(expected: Expected): Expected {
  return Object.fromEntries(Object.entries(expected).map(([model, usage]) => [model.replace(/-20[\d-]+$/, ""), usage]));
}

type Metered = { usage: Usage; rates: Record<string, string>; credits_per_usd: number };

/** ceil(Σ tokens · rate · credits per USD), in integers. */
function chargeOf({ usage, rates, credits_per_usd }: Metered): number {
  let millionths = 0n;
  for (const [kind, rate] of Object.entries(rates)) {
    millionths += BigInt(usage[`${kind}_tokens` as keyof Usage] as number) * BigInt(Math.round(Number(rate) * 1e6));
  }
  return Number((millionths * BigInt(credits_per_usd) + 999_999n) / 1_000_000n);
}

describe.each(Object.keys(GOLDEN) as ProviderName[])("%s", (name) => {
  const cases = casesOf(name);

  it("counts each golden case exactly, whole and with every chunk repeated", async () => {
    const whole = cases.map((golden) => {
      return {
        name,
        golden,
        responses: golden.responses,
        ending: "end" as const,
        what: "whole",
        events: sizeOf(golden),
      };
    });
    // A second request answers the first one's end; to repeat that end would be another conversation.
    const repeated = whole.flatMap((play) => {
      const twice = play.responses.map((events) => events.flatMap((event) => [event, event]));
      return play.responses.length > 1 ? [] : [{ ...play, responses: twice, what: "repeated" }];
    });
    await playAll([...whole, ...repeated]);
  });

  it("counts what was said by then, wherever the provider fails or the connection is lost", async () => {
    const plays = cases.flatMap((golden) =>
      range(1, sizeOf(golden)).flatMap((events) => {
        const responses = firstEvents(golden, events);
        const play = { name, golden, responses, events };
        return (["error", "lost"] as const).map((ending) => ({ ...play, ending, what: `${ending} after ${events}` }));
      }),
    );
    await playAll(plays.filter(({ golden }) => sizeOf(golden) > 1));
  });

  it("counts what was said by then, wherever the reader stops", async () => {
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
