// The split of a charge by usage kind, and cache savings, compared with fractions of whole numbers only.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Meter } from "../../src/ledger/books.ts";
import { cacheSavings, scaleParts, splitCharge } from "../../src/ledger/kind-split.ts";
import { KINDS, type Kind, RATE_FACTORS } from "../../src/ledger/kinds.ts";
import { costOf, MAX_QUANTITY, NO_MULTIPLIER, type Price, resolveRates, type Usage } from "../../src/ledger/prices.ts";
import { usageChanges } from "../../src/ledger/usage-change.ts";
import { books, MARCH, meter, NOON, price } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const MAX_MICROS = Number.MAX_SAFE_INTEGER;
const usd = (perMillion: Partial<Record<Kind, number>>) =>
  price({ rates: resolveRates({ input: 0, output: 0, ...perMillion }) });
const sum = (parts: Partial<Record<Kind, number>>) =>
  Object.values(parts).reduce((total: bigint, part) => total + BigInt(part as number), 0n);

const anyUsage = fc
  .record(Object.fromEntries(KINDS.map(({ kind }) => [kind, quantity()])), { requiredKeys: [] })
  .map((usage) => usage as Usage);
const anyPrice: fc.Arbitrary<Price> = fc
  .record({
    creditsPerUsd: fc.constantFrom(1, 100, 999),
    multiplierMillionths: fc.constantFrom(NO_MULTIPLIER, 1, 1_250_000, 333_333),
    rates: fc.record(Object.fromEntries(KINDS.map(({ kind }) => [kind, fc.nat({ max: 90_000_000 })]))),
  })
  .map((over) => price({ ...over, rates: over.rates as Price["rates"] }));
const anyUnit = fc.constantFrom("credits" as const, "usd" as const);

function quantity() {
  return fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 5_000_000 }), fc.nat({ max: MAX_QUANTITY }));
}

/** The exact cost of one kind as a fraction: numerator and denominator. */
function exactCost(kind: Kind, usage: Usage, { rates, ...priced }: Price, unit: "credits" | "usd"): [bigint, bigint] {
  const base = BigInt(usage[kind] ?? 0) * BigInt(rates[kind]) * BigInt(RATE_FACTORS[kind]);
  return unit === "usd"
    ? [base * 1_000_000n, 1_000_000_000_000n]
    : [base * BigInt(priced.creditsPerUsd) * BigInt(priced.multiplierMillionths), 1_000_000_000_000n];
}

describe("the split of a charge", () => {
  it("gives the micros that are left to the largest remainders", () => {
    const rates = usd({ input: 1_400_000, output: 1_300_000, cache_read: 1_900_000 });
    // Exact costs are 1.4, 1.3 and 1.9: together 4.6, charged as 5.
    expect(splitCharge({ input: 1, output: 1, cache_read: 1 }, rates, "usd")).toEqual({
      input: 2,
      output: 1,
      cache_read: 2,
    });
  });

  it("breaks ties in the order of the rule's table, however the usage is ordered", () => {
    const rates = usd({ input: 500_000, output: 500_000, web_searches: 500 });
    expect(splitCharge({ web_searches: 1, output: 1, input: 1 }, rates, "usd")).toEqual({
      input: 1,
      output: 1,
    });
  });

  it("adds up to the charge, and rounds each kind's exact cost up or down", () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, anyUnit, (usage, price, unit) => {
        const charge = costOf(usage, price, unit);
        if (charge === null) return;
        const parts = splitCharge(usage, price, unit);
        expect(sum(parts)).toBe(BigInt(charge));
        const rests: { kind: Kind; rest: bigint; up: boolean }[] = [];
        for (const { kind } of KINDS) {
          const [cost, scale] = exactCost(kind, usage, price, unit);
          const part = BigInt(parts[kind] ?? 0);
          const up = part - cost / scale;
          expect(up === 0n || up === 1n).toBe(true);
          rests.push({ kind, rest: cost % scale, up: up === 1n });
        }
        // Nobody who got a micro more has a smaller remainder, or the same and a later place, than who did not.
        const places = KINDS.map(({ kind }) => kind);
        for (const a of rests.filter(({ up }) => up)) {
          for (const b of rests.filter(({ up }) => !up)) {
            expect(a.rest > b.rest || (a.rest === b.rest && places.indexOf(a.kind) < places.indexOf(b.kind))).toBe(
              true,
            );
          }
        }
      }),
      cases(40),
    );
  });
});

describe("cache savings", () => {
  it("are what the reads would have cost as input, minus what they cost", () => {
    const rates = usd({ input: 3_000_000, cache_read: 300_000, input_audio: 10_000_000, cache_audio_read: 1_000_000 });
    expect(cacheSavings({ input: 50, cache_read: 1_000, cache_audio_read: 10 }, rates, "usd")).toBe(2_700 + 90);
  });

  it("are negative if a cache read costs more than input, and round down", () => {
    expect(cacheSavings({ cache_read: 1 }, usd({ input: 1_000_000, cache_read: 1_500_000 }), "usd")).toBe(-1);
  });

  it("equal the exact fraction, rounded down once for the meter", () => {
    fc.assert(
      fc.property(anyUsage, anyPrice, anyUnit, (usage, price, unit) => {
        const pairs = [
          ["cache_read", "input"],
          ["cache_audio_read", "input_audio"],
          ["cache_image_read", "input_image"],
        ] as const;
        let exact = 0n;
        for (const [kind, instead] of pairs) {
          exact += BigInt(usage[kind] ?? 0) * BigInt(price.rates[instead] - price.rates[kind]);
        }
        exact *= unit === "usd" ? 1_000_000n : BigInt(price.creditsPerUsd) * BigInt(price.multiplierMillionths);
        const scale = 1_000_000_000_000n;
        const floor = (exact - (((exact % scale) + scale) % scale)) / scale;
        const limit = BigInt(MAX_MICROS);
        const expected = floor > limit ? limit : floor < -limit ? -limit : floor;
        expect(BigInt(cacheSavings(usage, price, unit))).toBe(expected);
      }),
      cases(40),
    );
  });
});

describe("a refund that counts in part", () => {
  it("is scaled to the part that counts, to the micro", () => {
    expect(scaleParts({ input: -60, output: -40 }, -100, -50)).toEqual({ input: -30, output: -20 });
    expect(scaleParts({ input: -60, output: -40 }, -100, 0)).toEqual({});
    expect(scaleParts({ input: 60, output: -40 }, 20, 20)).toEqual({ input: 60, output: -40 });
    fc.assert(
      fc.property(fc.integer({ min: -1e9, max: 1e9 }), fc.integer({ min: -1e9, max: 1e9 }), fc.nat(), (a, b, share) => {
        const total = a + b;
        if (total >= 0) return;
        const counted = -(share % (-total + 1));
        expect(sum(scaleParts({ input: a, web_searches: b }, total, counted))).toBe(BigInt(counted));
      }),
      cases(20),
    );
  });
});

describe("what a debit adds to the usage", () => {
  const change = (before: Meter | null, after: Meter, others: readonly Meter[] = []) => {
    const chargedMicros = after.chargedMicros - (before?.chargedMicros ?? 0);
    return usageChanges({ before, meter: after, chargedMicros, cycleMicros: chargedMicros, books: books() }, others);
  };

  it("counts the run's first report for the model once, and for each tier once", () => {
    const first = meter({ usage: { input: 5 }, chargedMicros: 5 });
    const flex = { ...first, tier: "flex", key: "m\nflex" };
    expect(change(null, first)).toMatchObject([
      { quantities: { input: 5 }, amounts: { input: 5 }, ofModel: 1, ofMeter: 1 },
    ]);
    expect(change(null, flex, [first])).toMatchObject([{ tier: "flex", ofModel: 0, ofMeter: 1 }]);
    expect(change(first, { ...first, usage: { input: 7 }, chargedMicros: 7 })).toMatchObject([
      { quantities: { input: 2 }, amounts: { input: 2 }, ofModel: 0, ofMeter: 0 },
    ]);
  });

  it("counts the quantities of usage without a price once, and moves them to the model that prices it", () => {
    const waiting = meter({ model: "new", key: "new", usage: { input: 5 }, price: null, firstReportAtMs: NOON });
    const priced = { ...waiting, model: "m", price: price(), chargedMicros: 5 };
    expect(change(null, waiting)).toMatchObject([{ model: "new", quantities: { input: 5 }, amounts: {} }]);
    expect(change(waiting, priced)).toMatchObject([
      { model: "m", quantities: { input: 5 }, amounts: { input: 5 }, ofModel: 1 },
      { model: "new", quantities: { input: -5 }, amounts: {}, ofModel: -1 },
    ]);
    const sameName = { ...waiting, price: price(), chargedMicros: 5 };
    expect(change(waiting, sameName)).toMatchObject([
      { model: "new", quantities: {}, amounts: { input: 5 }, ofModel: 0 },
    ]);
  });

  it("leaves quantities of an earlier cycle where they were reported", () => {
    const waiting = meter({ model: "new", key: "new", usage: { input: 5 }, price: null, firstReportAtMs: MARCH - 1 });
    const priced = { ...waiting, model: "m", price: price(), chargedMicros: 5 };
    expect(change(waiting, priced)).toMatchObject([{ model: "m", quantities: {}, amounts: { input: 5 } }]);
  });
});
