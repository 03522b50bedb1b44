// Rule R1: the exact cost of tokens, compared with fractions of whole numbers only.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  costOf,
  formatRate,
  MAX_TOKENS,
  type Price,
  parseRate,
  type Rates,
  type Tokens,
} from "../../src/ledger/prices.ts";
import { price, rates, tokens } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const MAX_MICROS = 9_007_199_254_740_991;
const usd = (used: Partial<Tokens>, perMillion: Partial<Record<keyof Rates, string>>) =>
  costOf(tokens(used), priced(perMillion), "usd");
const credits = (used: Partial<Tokens>, perMillion: Partial<Record<keyof Rates, string>>, creditsPerUsd = 100) =>
  costOf(tokens(used), priced(perMillion, creditsPerUsd), "credits");

function priced(perMillion: Partial<Record<keyof Rates, string>>, creditsPerUsd = 100): Price {
  const parsed = Object.entries(perMillion).map(([kind, text]) => [kind, parseRate(text)]);
  return price({ creditsPerUsd, rates: rates(Object.fromEntries(parsed)) });
}

/** The rule word for word, in whole numbers: rates are millionths of a USD per million tokens. */
function exactCost(used: Tokens, { rates, creditsPerUsd }: Price, unit: "credits" | "usd"): number | null {
  const kinds = ["input", "output", "cacheRead", "cacheWrite"] as const;
  const sum = kinds.reduce((total, kind) => total + BigInt(used[kind]) * BigInt(rates[kind]), 0n);
  const scaled = unit === "credits" ? sum * BigInt(creditsPerUsd) : sum;
  const micros = scaled / 1_000_000n + (scaled % 1_000_000n === 0n ? 0n : 1n);
  return micros > BigInt(MAX_MICROS) ? null : Number(micros);
}

describe("rates", () => {
  it.each([
    ["0", 0],
    ["3", 3_000_000],
    ["0.075", 75_000],
    ["0.000001", 1],
    ["3.75", 3_750_000],
    ["3.750000", 3_750_000],
    ["9999999.999999", 9_999_999_999_999],
  ])("reads %s USD per million tokens as the integer %d", (text, rate) => {
    expect(parseRate(text)).toBe(rate);
  });

  it.each(["", "1.", ".5", "-1", "+1", "1e3", "0x10", "1,5", " 1", "1 ", "0.0000001", "12345678", "NaN", "١"])(
    "takes %j for no rate",
    (text) => {
      expect(parseRate(text)).toBeNull();
    },
  );

  it("writes a rate as the shortest decimal that reads back as the same", () => {
    expect([0, 75_000, 3_000_000, 3_750_000, 1, 10_500_000].map(formatRate)).toEqual([
      "0",
      "0.075",
      "3",
      "3.75",
      "0.000001",
      "10.5",
    ]);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999_999_999 }), (rate) => {
        expect(parseRate(formatRate(rate))).toBe(rate);
      }),
      cases(20),
    );
  });
});

describe("cost", () => {
  it("is nothing for no tokens, and for tokens that are free", () => {
    expect(usd({}, { input: "3" })).toBe(0);
    expect(usd({ cacheRead: 1_000 }, { input: "3" })).toBe(0);
  });

  it("is micros of USD per token at one USD per million", () => {
    expect(usd({ input: 1 }, { input: "1" })).toBe(1);
    expect(usd({ input: 1_000_000 }, { input: "3" })).toBe(3_000_000);
  });

  it("sums the four disjoint kinds, each at its own rate", () => {
    const used = { input: 1_000, output: 200, cacheRead: 5_000, cacheWrite: 400 };
    const sonnet = { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.75" };
    expect(usd(used, sonnet)).toBe(3_000 + 3_000 + 1_500 + 1_500);
    expect(credits(used, sonnet)).toBe(900_000);
  });

  it("rounds up once, on the sum, and not once for each kind", () => {
    const quarter = { input: "0.25", output: "0.25", cacheRead: "0.25", cacheWrite: "0.25" };
    expect(usd({ input: 1, output: 1, cacheRead: 1, cacheWrite: 1 }, quarter)).toBe(1);
    expect(usd({ input: 1, output: 1, cacheRead: 1, cacheWrite: 2 }, quarter)).toBe(2);
  });

  it("rounds credits up after the conversion, not before", () => {
    expect(usd({ input: 1 }, { input: "0.001" })).toBe(1);
    expect(credits({ input: 1 }, { input: "0.001" })).toBe(1);
    expect(credits({ input: 1 }, { input: "0.011" })).toBe(2);
    expect(credits({ input: 1 }, { input: "0.5" })).toBe(50);
  });

  it("charges the smallest fraction of a micro as one micro", () => {
    expect(usd({ input: 1 }, { input: "0.000001" })).toBe(1);
    expect(usd({ input: 1_000_000 }, { input: "0.000001" })).toBe(1);
    expect(usd({ input: 1_000_001 }, { input: "0.000001" })).toBe(2);
  });

  it("does not round an exact amount up, as floats would", () => {
    expect(100 * 0.07).toBeGreaterThan(7);
    expect(usd({ input: 100 }, { input: "0.07" })).toBe(7);
    expect(usd({ input: 10, output: 10 }, { input: "0.1", output: "0.2" })).toBe(3);
    expect(usd({ input: 3, output: 3 }, { input: "1.1", output: "2.2" })).toBe(10);
    expect(credits({ input: 1_000 }, { input: "0.0011" })).toBe(110);
  });

  it("takes credits_per_usd from the pinned price, and leaves it out in USD", () => {
    expect(credits({ input: 10 }, { input: "3" }, 1)).toBe(30);
    expect(credits({ input: 10 }, { input: "3" }, 250)).toBe(7_500);
    expect(costOf(tokens({ input: 10 }), priced({ input: "3" }, 250), "usd")).toBe(30);
  });

  it("reaches exactly 2^53−1 micros and is null one micro above", () => {
    const prices = { input: "9007.199254", output: "1" };
    expect(usd({ input: MAX_TOKENS, output: 740_991 }, prices)).toBe(MAX_MICROS);
    expect(usd({ input: MAX_TOKENS, output: 740_992 }, prices)).toBeNull();
  });

  it("is null, not wrong, for the largest number of tokens at the highest rates", () => {
    const most = { input: MAX_TOKENS, output: MAX_TOKENS, cacheRead: MAX_TOKENS, cacheWrite: MAX_TOKENS };
    const highest = {
      input: "9999999.999999",
      output: "9999999.999999",
      cacheRead: "9999999.999999",
      cacheWrite: "9999999.999999",
    };
    expect(usd(most, highest)).toBeNull();
    expect(credits(most, highest)).toBeNull();
  });

  it("is exact for 10^12 tokens of each kind, where the products pass 2^53", () => {
    const most = { input: MAX_TOKENS, output: MAX_TOKENS, cacheRead: MAX_TOKENS, cacheWrite: MAX_TOKENS - 1 };
    expect(usd(most, { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.750001" })).toBe(22_050_000_999_997);
    expect(credits(most, { input: "3", output: "15", cacheRead: "0.3", cacheWrite: "3.750001" })).toBe(
      2_205_000_099_999_625,
    );
  });

  const anyRate = fc.oneof(fc.integer({ min: 0, max: 20_000_000 }), fc.integer({ min: 0, max: 9_999_999_999_999 }));
  const anyCount = fc.oneof(fc.integer({ min: 0, max: 300_000 }), fc.integer({ min: 0, max: MAX_TOKENS }));
  const four = (each: fc.Arbitrary<number>) =>
    fc.record({ input: each, output: each, cacheRead: each, cacheWrite: each });
  const anyPrice = fc.record({
    bookVersion: fc.constant(1),
    creditsPerUsd: fc.integer({ min: 1, max: 100_000 }),
    rates: four(anyRate),
  });
  const anyUnit = fc.constantFrom("credits" as const, "usd" as const);

  it("equals the sum in whole numbers at any size", () => {
    fc.assert(
      fc.property(four(anyCount), anyPrice, anyUnit, (used, pinned, unit) => {
        expect(costOf(used, pinned, unit)).toBe(exactCost(used, pinned, unit));
      }),
      cases(100),
    );
  });

  it("is exact next to 2^53, on both sides of it, in USD and in credits", () => {
    const near = fc.bigInt({ min: 2n ** 53n - 3_000_000n, max: 2n ** 53n + 3_000_000n });
    fc.assert(
      fc.property(near, fc.constantFrom(1, 7, 100), anyUnit, (target, creditsPerUsd, unit) => {
        const scaled = unit === "credits" ? target / BigInt(creditsPerUsd) : target;
        const used = tokens({ input: Number(scaled / 1_000_000n), output: Number(scaled % 1_000_000n) });
        const pinned = price({ creditsPerUsd, rates: rates({ input: 1_000_000, output: 1 }) });
        expect(costOf(used, pinned, unit)).toBe(exactCost(used, pinned, unit));
      }),
      cases(50),
    );
  });

  it("never falls when tokens are added", () => {
    fc.assert(
      fc.property(
        four(fc.integer({ min: 0, max: 10_000 })),
        four(fc.integer({ min: 0, max: 1_000 })),
        anyPrice,
        (used, more, pinned) => {
          const total = {
            input: used.input + more.input,
            output: used.output + more.output,
            cacheRead: used.cacheRead + more.cacheRead,
            cacheWrite: used.cacheWrite + more.cacheWrite,
          };
          const before = costOf(used, pinned, "credits");
          const after = costOf(total, pinned, "credits");
          if (after !== null) expect(before).toBeLessThanOrEqual(after);
        },
      ),
      cases(20),
    );
  });
});
