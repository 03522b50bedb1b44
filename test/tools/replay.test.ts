// Replays against a small reference ledger, written from the rules for prices and reports alone: the difference must be
// 0 on the worst network, and must not be 0 if the ledger is wrong by one micro.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { expectedChargeMicros, type TokenTotals } from "../../tools/kit/expected-cost.ts";
import type { Call } from "../../tools/kit/http.ts";
import { seededRandom } from "../../tools/kit/random.ts";
import { deliverWithChaos, planReports } from "../../tools/replay/report-plan.ts";
import { planRuns, sumRuns, sumsLine } from "../../tools/replay/runs.ts";
import { type SendOptions, sendRuns } from "../../tools/replay/sender.ts";
import type { TraceRequest } from "../../tools/replay/trace.ts";

const MODEL = { id: "m", aliases: [], input: "3", output: "15", cache_read: "0.3", cache_write: "3.75" };
const BOOK: PriceBook = { version: 1, credits_per_usd: 100, models: [MODEL] };
const KINDS = ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"] as const;
const SEND: SendOptions = {
  enterprise: "acme",
  model: "m",
  batch: 10,
  concurrency: 4,
  speedRatio: null,
  clockOffsetMs: 0,
};

interface Report {
  run: string;
  usage: TokenTotals;
  final: boolean;
  started_at: string;
}

/**
 * Keeps the largest totals until the final report. `distort` adds an error to every charge, `refuse` is the id of a run
 * to refuse.
 */
function referenceLedger({ distort = 0, refuse = "", busyRatio = 0 } = {}) {
  const meters = new Map<string, { usage: TokenTotals; final: boolean }>();
  const random = seededRandom("network");
  const batchSizes: number[] = [];
  let seq = 0;
  const answerTo = ({ run, usage, final }: Report, _index: number, { length }: Report[]) => {
    if (run === refuse) return { status: 422, code: "started_in_future", detail: "too far ahead" };
    // Batches only: a busy answer to a single report is retried by http.ts, which these tests replace.
    if (length > 1 && random() < busyRatio) return { status: 503, code: "ledger_busy", detail: "again" };
    const meter = meters.get(run) ?? { usage: { ...usage }, final: false };
    meters.set(run, meter);
    if (final) Object.assign(meter, { usage: { ...usage }, final: true });
    else if (!meter.final) for (const kind of KINDS) meter.usage[kind] = Math.max(meter.usage[kind], usage[kind]);
    seq += 1;
    const charged = Number(expectedChargeMicros(meter.usage, MODEL, "credits", BOOK)) + distort;
    return { run, model: "m", run_total_micros: charged, unit: "credits", seq };
  };
  const call: Call = async (_method, _path, body) => {
    await new Promise((done) => setImmediate(done));
    const reports = (body as { reports?: Report[] }).reports ?? [body as Report];
    batchSizes.push(reports.length);
    const results = reports.map(answerTo);
    const single = results.length === 1 ? results[0] : undefined;
    return { status: single?.status ?? 200, body: single ?? { results } };
  };
  return { call, batchSizes, meters };
}

function trace(count: number): TraceRequest[] {
  const random = seededRandom(`trace of ${count}`);
  const tokens = (max: number) => Math.floor(random() * max);
  return Array.from({ length: count }, (_, index) => ({
    atMs: index * 50,
    usage: {
      input_tokens: tokens(9000),
      output_tokens: tokens(800),
      cache_read_tokens: tokens(50_000),
      cache_write_tokens: 0,
    },
  }));
}

async function replay(
  ledger: ReturnType<typeof referenceLedger>,
  { chaos = false, ...send }: Partial<SendOptions> & { chaos?: boolean } = {},
) {
  const runs = planRuns(trace(200), { seed: 7, nonce: "test", chaos });
  const done: number[] = [];
  await sendRuns(runs, ledger.call, { ...SEND, ...send }, (count) => done.push(count));
  return { runs, done, sums: sumRuns(runs, MODEL, BOOK) };
}

describe("the reports of one request", () => {
  const anyUsage = fc.record(
    Object.fromEntries(KINDS.map((kind) => [kind, fc.nat(100_000)])) as Record<keyof TokenTotals, fc.Arbitrary<number>>,
  );

  it("begin with all input and few output tokens, grow, and end with the final report", () => {
    fc.assert(
      fc.property(anyUsage, fc.nat(), (usage, seed) => {
        const reports = planReports(usage, seededRandom(seed));
        expect(reports.length).toBeGreaterThanOrEqual(2);
        expect(reports.at(-1)).toMatchObject({ usage, final: true });
        expect(reports.filter(({ final }) => final)).toHaveLength(1);
        const outputs = reports.map((report) => report.usage.output_tokens);
        expect(outputs).toEqual(outputs.toSorted((a, b) => a - b));
        expect(outputs[0]).toBeLessThanOrEqual(12);
        for (const report of reports)
          expect({ ...report.usage, output_tokens: 0 }).toEqual({ ...usage, output_tokens: 0 });
      }),
    );
  });

  it("never exceed the final totals under chaos, and always include the final report", () => {
    fc.assert(
      fc.property(anyUsage, fc.nat(), (usage, seed) => {
        const random = seededRandom(seed);
        const deliveries = deliverWithChaos(planReports(usage, random), random);
        expect(deliveries.some(({ report }) => report.final)).toBe(true);
        expect(deliveries.at(-1)!.withNext).toBe(false);
        for (const { report } of deliveries) {
          for (const kind of KINDS) expect(report.usage[kind]).toBeLessThanOrEqual(usage[kind]);
        }
      }),
    );
  });

  it("are dropped, duplicated, reordered, combined or left unanswered under chaos", () => {
    const seen = { dropped: 0, duplicated: 0, reordered: 0, unanswered: 0, combined: 0 };
    for (let seed = 0; seed < 200; seed += 1) {
      const random = seededRandom(seed);
      const planned = planReports(
        { input_tokens: 10, output_tokens: 500, cache_read_tokens: 0, cache_write_tokens: 0 },
        random,
      );
      const deliveries = deliverWithChaos(planned, random);
      const sent = deliveries.map(({ report }) => planned.indexOf(report));
      if (new Set(sent).size < planned.length) seen.dropped += 1;
      if (new Set(sent).size < sent.length) seen.duplicated += 1;
      if (sent.some((index, i) => i > 0 && index < sent[i - 1]!)) seen.reordered += 1;
      if (deliveries.some(({ loseAnswer }) => loseAnswer)) seen.unanswered += 1;
      if (deliveries.some(({ withNext }) => withNext)) seen.combined += 1;
    }
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(20);
  });
});

describe("a replay", () => {
  it("ends with difference 0, in batches of many runs", async () => {
    const ledger = referenceLedger();
    const { sums, done } = await replay(ledger);
    expect(sums.chargedMicros).toBe(sums.expectedMicros);
    expect(sums.expectedMicros).toBeGreaterThan(0n);
    expect(done.at(-1)).toBe(200);
    expect(Math.max(...ledger.batchSizes)).toBe(10);
    expect(sumsLine(sums)).toMatch(
      /^200 requests, tokens: input \d+, output \d+, cache read \d+, cache write 0; expected (\d+) micros, charged \1 micros, difference 0$/,
    );
  });

  it.each([1, 3, 1000])("ends with difference 0 under chaos and a busy ledger, with batches of %i", async (batch) => {
    const ledger = referenceLedger({ busyRatio: 0.01 });
    const { sums } = await replay(ledger, { chaos: true, batch, concurrency: 16 });
    expect(sums).toMatchObject({ refused: [], chargedMicros: sums.expectedMicros });
    expect(Math.max(...ledger.batchSizes)).toBeLessThanOrEqual(batch);
  });

  it("follows the trace's clock if it has a speed", async () => {
    const startedMs = performance.now();
    const { sums } = await replay(referenceLedger(), { speedRatio: 50 });
    expect(sums.chargedMicros).toBe(sums.expectedMicros);
    expect(performance.now() - startedMs).toBeGreaterThan((190 * 50) / 50);
  });

  it("reveals a ledger that is wrong by one micro per run", async () => {
    const { sums } = await replay(referenceLedger({ distort: 1 }));
    expect(sums.chargedMicros - sums.expectedMicros).toBe(200n);
    expect(sumsLine(sums)).toMatch(/difference 200$/);
  });

  it("gives up a refused run, names it, and continues with the others", async () => {
    const { sums } = await replay(referenceLedger({ refuse: "replay-test-7" }));
    expect(sums.refused.map(({ run, refusal }) => [run, refusal])).toEqual([
      ["replay-test-7", "422 started_in_future too far ahead"],
    ]);
    expect(sums.chargedMicros).toBeLessThan(sums.expectedMicros);
  });

  it("plans the same runs and attributions for the same seed", () => {
    const [once, again] = [1, 2].map(() => planRuns(trace(50), { seed: 3, nonce: "n", chaos: true }));
    expect(once).toEqual(again);
    expect(new Set(once!.map(({ run }) => run)).size).toBe(50);
    expect(new Set(once!.map(({ surface }) => surface))).toEqual(new Set(["web", "cli"]));
  });

  it("fails with the error if the ledger refuses the key", async () => {
    const call: Call = async () => ({ status: 401, body: { code: "key_invalid", detail: "no such key" } });
    const runs = planRuns(trace(5), { seed: 1, nonce: "n", chaos: false });
    await expect(sendRuns(runs, call, SEND, () => {})).rejects.toThrow("401 key_invalid (no such key)");
  });
});
