// M3 and M4 through the real ledger: however a run's reports are split, mixed, repeated or lost, the debits sum exactly
// to the cost of its final totals.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import type { Report } from "../../../src/ledger/debit.ts";
import { resolveRates } from "../../../src/ledger/prices.ts";
import { granted, openBooks, price, report } from "../../support/books.ts";
import { cases } from "../../support/cases.ts";
import { costOf } from "./reference-meter.ts";
import type { Kinds } from "./story.ts";

const KINDS = ["input", "output", "cache_read", "cache_write"] as const;
const MODELS: Record<string, Kinds> = {
  "vendor/large": { input: 3_000_000, output: 15_000_000, cache_read: 300_000, cache_write: 3_750_000 },
  "vendor/small": { input: 75_000, output: 333_333, cache_read: 18_750, cache_write: 93_751 },
  "vendor/odd": { input: 1, output: 7, cache_read: 999_999, cache_write: 1_000_001 },
};
const priceOf = (model: string) => price({ creditsPerUsd: 100, rates: resolveRates(MODELS[model] as Kinds) });
const lumpSum = (model: string, tokens: Kinds) =>
  costOf({ tokens, price: { creditsPerUsd: 100, rates: MODELS[model] as Kinds }, unit: "credits" });

type Sent = { run: string; model: string; tokens: Kinds; final: boolean };
const reportOf = ({ run, model, tokens, final }: Sent): Report =>
  report(0, { run, model, price: priceOf(model), usage: tokens, final });
const keyOf = ({ run, model }: { run: string; model: string }) => `${run} on ${model}`;

/** By meter: the largest count of each kind; only of its final reports, if there are any. */
function finalTotals(sent: readonly Sent[]): Map<string, { model: string; tokens: Kinds }> {
  const totals = new Map<string, { model: string; tokens: Kinds }>();
  for (const { run, model } of sent) {
    const own = sent.filter((other) => other.run === run && other.model === model);
    const counted = own.some((other) => other.final) ? own.filter((other) => other.final) : own;
    const largest = (kind: keyof Kinds) => Math.max(...counted.map((other) => other.tokens[kind]));
    const tokens = {
      input: largest("input"),
      output: largest("output"),
      cache_read: largest("cache_read"),
      cache_write: largest("cache_write"),
    };
    totals.set(keyOf({ run, model }), { model, tokens });
  }
  return totals;
}

/** Debits in batches of this size; returns the sum of the charges, by meter. */
function debitAll(ledger: Ledger, sent: readonly Sent[], batch: number): Map<string, bigint> {
  const charged = new Map<string, bigint>();
  for (let from = 0; from < sent.length; from += batch) {
    for (const answer of ledger.debit(sent.slice(from, from + batch).map(reportOf))) {
      const { run, model, chargedMicros } = granted(answer);
      const key = keyOf({ run, model });
      charged.set(key, (charged.get(key) ?? 0n) + BigInt(chargedMicros));
    }
  }
  return charged;
}

const chargesOf = (ledger: Ledger, sent: readonly Sent[]) =>
  ledger.store
    .loadMeters([...new Set(sent.map((one) => one.run))])
    .map((meter) => ({ key: keyOf(meter), tokens: meter.usage, final: meter.final, charged: meter.chargedMicros }));

describe("reports", () => {
  const count = fc.oneof(fc.nat(3), fc.nat(50_000));
  const sent: fc.Arbitrary<Sent> = fc.record({
    run: fc.constantFrom("a", "b"),
    model: fc.constantFrom(...Object.keys(MODELS)),
    tokens: fc.record({ input: count, output: count, cache_read: count, cache_write: count }),
    final: fc.integer({ min: 0, max: 7 }).map((n) => n === 0),
  });

  it("end in the same meters and charges in any order, repeated, and in batches of any size", () => {
    const story = fc.array(sent, { minLength: 1, maxLength: 20 }).chain((reports) =>
      fc.record({
        reports: fc.constant(reports),
        mixed: fc.shuffledSubarray([...reports, ...reports], { minLength: reports.length * 2 }),
        batches: fc.tuple(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 })),
      }),
    );
    fc.assert(
      fc.property(story, ({ reports, mixed, batches }) => {
        const [inOrder, mixedUp] = [openBooks(), openBooks()];
        const first = debitAll(inOrder, reports, batches[0]);
        const second = debitAll(mixedUp, mixed, batches[1]);
        expect(second).toEqual(first);
        expect(chargesOf(mixedUp, reports)).toEqual(chargesOf(inOrder, reports));
        for (const [key, { model, tokens }] of finalTotals(reports))
          expect(first.get(key)).toBe(lumpSum(model, tokens));
        expect(mixedUp.gauge().usedMicros).toBe(inOrder.gauge().usedMicros);
      }),
      cases(30),
    );
  });

  it("may be lost, as long as the largest count of each kind arrives", () => {
    const story = fc
      .array(sent, { minLength: 1, maxLength: 12 })
      .chain((reports) => fc.record({ reports: fc.constant(reports), arrived: fc.subarray(reports) }));
    fc.assert(
      fc.property(story, ({ reports, arrived }) => {
        const largest = [...finalTotals(reports)].map(([key, { model, tokens }]): Sent => {
          const run = key.split(" ")[0] as string;
          return { run, model, tokens, final: reports.some((one) => keyOf(one) === key && one.final) };
        });
        const [all, some] = [openBooks(), openBooks()];
        debitAll(all, reports, 5);
        debitAll(some, [...arrived, ...largest], 5);
        expect(chargesOf(some, reports)).toEqual(chargesOf(all, reports));
      }),
      cases(20),
    );
  });
});

describe("five thousand reports", () => {
  /** Runs of one to four models, each reported as growing totals; the last report of most is final. */
  const meter = fc.record({
    run: fc.integer({ min: 0, max: 149 }).map((n) => `run-${n}`),
    model: fc.constantFrom(...Object.keys(MODELS)),
    steps: fc.array(
      fc.record({ input: fc.nat(9_000), output: fc.nat(700), cache_read: fc.nat(60_000), cache_write: fc.nat(900) }),
      { minLength: 5, maxLength: 20 },
    ),
    closes: fc.boolean(),
  });

  it("of many runs and models, split, shuffled and repeated, charge each meter what one report of its totals costs", () => {
    const meters = fc.sample(meter, { numRuns: 300, seed: cases(1).seed ?? 0 });
    const reports: Sent[] = [];
    for (const { run, model, steps, closes } of meters) {
      const totals = { input: 0, output: 0, cache_read: 0, cache_write: 0 };
      for (const [i, step] of steps.entries()) {
        for (const kind of KINDS) totals[kind] += step[kind];
        reports.push({ run, model, tokens: { ...totals }, final: closes && i === steps.length - 1 });
      }
    }
    const [mixed] = fc.sample(
      fc.shuffledSubarray([...reports, ...reports.slice(0, reports.length / 2)], {
        minLength: Math.floor(reports.length * 1.5),
      }),
      { numRuns: 1, seed: cases(1).seed ?? 0 },
    ) as [Sent[]];
    const sent = mixed.length >= 5_000 ? mixed.slice(0, 5_000) : mixed;
    expect(sent).toHaveLength(5_000);

    const ledger = openBooks({ allowanceOverrideMicros: 10 ** 10 });
    ledger.addGrant(
      { id: "g", amountMicros: 10 ** 10, source: "promotion", note: null, expiresAtMs: null },
      "operator",
    );
    const charged = debitAll(ledger, sent, 250);

    const expected = finalTotals(sent);
    expect(charged.size).toBe(expected.size);
    for (const [key, { model, tokens }] of expected)
      expect([key, charged.get(key)]).toEqual([key, lumpSum(model, tokens)]);
    const total = [...expected.values()].reduce((sum, { model, tokens }) => sum + lumpSum(model, tokens), 0n);
    expect(BigInt(ledger.gauge().usedMicros)).toBe(total);
    expect(auditBooks(ledger).filter((check) => !check.ok)).toEqual([]);
  });
});
