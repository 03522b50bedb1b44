// Rule R1: the exact cost of tokens, compared with fractions of whole numbers only.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KINDS, type Kind } from "../../src/ledger/kinds.ts";
import {
  costOf,
  formatRate,
  type ListedRates,
  MAX_QUANTITY,
  type Price,
  parseRate,
  type Rates,
  resolveRates,
  type Usage,
} from "../../src/ledger/prices.ts";
import { price, rates, tokens } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const MAX_MICROS = 9_007_199_254_740_991;
const usd = (used: Usage, perMillion: Partial<Record<keyof Rates, string>>) =>
  costOf(tokens(used), priced(perMillion), "usd");
const credits = (used: Usage, perMillion: Partial<Record<keyof Rates, string>>, creditsPerUsd = 100) =>
  costOf(tokens(used), priced(perMillion, creditsPerUsd), "credits");

function priced(perMillion: Partial<Record<keyof Rates, string>>, creditsPerUsd = 100): Price {
  const parsed = Object.entries(perMillion).map(([kind, text]) => [kind, parseRate(text)]);
  return price({ creditsPerUsd, rates: rates(Object.fromEntries(parsed)) });
}

/** The rule word for word, in whole numbers: rates are millionths of a USD per million tokens or thousand searches. */
function exactCost(
  used: Usage,
  { rates, creditsPerUsd, multiplierMillionths }: Price,
  unit: "credits" | "usd",
): number | null {
  let sum = 0n;
  for (const [kind, quantity] of Object.entries(used)) {
    const searches = kind === "web_searches" || kind === "storage_searches";
    sum += BigInt(quantity) * BigInt(rates[kind as Kind]) * (searches ? 1_000n : 1n);
  }
  const [scaled, scale] =
    unit === "credits"
      ? [sum * BigInt(creditsPerUsd) * BigInt(multiplierMillionths), 1_000_000_000_000n]
      : [sum, 1_000_000n];
  const micros = scaled / scale + (scaled % scale === 0n ? 0n : 1n);
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
    expect(usd({ cache_read: 1_000 }, { input: "3" })).toBe(0);
  });

  it("is micros of USD per token at one USD per million", () => {
    expect(usd({ input: 1 }, { input: "1" })).toBe(1);
    expect(usd({ input: 1_000_000 }, { input: "3" })).toBe(3_000_000);
  });

  it("sums the disjoint kinds, each at its own rate", () => {
    const used = { input: 1_000, output: 200, cache_read: 5_000, cache_write: 400 };
    const sonnet = { input: "3", output: "15", cache_read: "0.3", cache_write: "3.75" };
    expect(usd(used, sonnet)).toBe(3_000 + 3_000 + 1_500 + 1_500);
    expect(credits(used, sonnet)).toBe(900_000);
  });

  it("rounds up once, on the sum, and not once for each kind", () => {
    const quarter = { input: "0.25", output: "0.25", cache_read: "0.25", cache_write: "0.25" };
    expect(usd({ input: 1, output: 1, cache_read: 1, cache_write: 1 }, quarter)).toBe(1);
    expect(usd({ input: 1, output: 1, cache_read: 1, cache_write: 2 }, quarter)).toBe(2);
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
    expect(usd({ input: MAX_QUANTITY, output: 740_991 }, prices)).toBe(MAX_MICROS);
    expect(usd({ input: MAX_QUANTITY, output: 740_992 }, prices)).toBeNull();
  });

  it("is null, not wrong, for the largest number of tokens at the highest rates", () => {
    const most = { input: MAX_QUANTITY, output: MAX_QUANTITY, cache_read: MAX_QUANTITY, cache_write: MAX_QUANTITY };
    const highest = {
      input: "9999999.999999",
      output: "9999999.999999",
      cache_read: "9999999.999999",
      cache_write: "9999999.999999",
    };
    expect(usd(most, highest)).toBeNull();
    expect(credits(most, highest)).toBeNull();
  });

  it("is exact for 10^12 tokens of each kind, where the products pass 2^53", () => {
    const most = { input: MAX_QUANTITY, output: MAX_QUANTITY, cache_read: MAX_QUANTITY, cache_write: MAX_QUANTITY - 1 };
    expect(usd(most, { input: "3", output: "15", cache_read: "0.3", cache_write: "3.750001" })).toBe(
      22_050_000_999_997,
    );
    expect(credits(most, { input: "3", output: "15", cache_read: "0.3", cache_write: "3.750001" })).toBe(
      2_205_000_099_999_625,
    );
  });

  const anyRate = fc.oneof(fc.integer({ min: 0, max: 20_000_000 }), fc.integer({ min: 0, max: 9_999_999_999_999 }));
  const anyCount = fc.oneof(fc.nat(300_000), fc.nat(300_000), fc.nat(MAX_QUANTITY));
  const ofSomeKinds = (each: fc.Arbitrary<number>): fc.Arbitrary<ListedRates> =>
    fc.record(Object.fromEntries(KINDS.map(({ kind }) => [kind, each])), { requiredKeys: [] });
  const anyMultiplier = fc.oneof(fc.constant(1_000_000), fc.nat(3_000_000), fc.nat(1_000_000_000));
  const anyPrice: fc.Arbitrary<Price> = fc.record({
    bookVersion: fc.constant(1),
    creditsPerUsd: fc.integer({ min: 1, max: 100_000 }),
    multiplierMillionths: anyMultiplier,
    rates: fc.tuple(ofSomeKinds(anyRate), ofSomeKinds(anyRate)).map(([entry, tier]) => resolveRates(entry, tier)),
  });
  const anyUnit = fc.constantFrom("credits" as const, "usd" as const);

  it("equals the sum in whole numbers for any usage, entry, tier and multiplier", () => {
    fc.assert(
      fc.property(ofSomeKinds(anyCount), anyPrice, anyUnit, (used, pinned, unit) => {
        expect(costOf(used, pinned, unit)).toBe(exactCost(used, pinned, unit));
      }),
      cases(500),
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

  it("never falls when usage is added", () => {
    fc.assert(
      fc.property(ofSomeKinds(fc.nat(10_000)), ofSomeKinds(fc.nat(1_000)), anyPrice, (used, more, pinned) => {
        const total: Usage = Object.fromEntries(KINDS.map(({ kind }) => [kind, (used[kind] ?? 0) + (more[kind] ?? 0)]));
        const before = costOf(used, pinned, "credits");
        const after = costOf(total, pinned, "credits");
        if (after !== null) expect(before).toBeLessThanOrEqual(after);
      }),
      cases(20),
    );
  });

  it("counts a search at a thousandth of its rate, which is in USD per thousand", () => {
    expect(usd({ web_searches: 1 }, { web_searches: "10" })).toBe(10_000);
    expect(usd({ web_searches: 3, storage_searches: 2, input: 5 }, { web_searches: "35", input: "2" })).toBe(105_010);
    expect(credits({ storage_searches: 1 }, { storage_searches: "2.5" })).toBe(250_000);
  });

  it("multiplies credits before it rounds, and never USD", () => {
    const half = price({ creditsPerUsd: 100, multiplierMillionths: 500_000, rates: rates({ input: 10_000 }) });
    expect(costOf({ input: 3 }, half, "credits")).toBe(2);
    expect(costOf({ input: 300 }, half, "usd")).toBe(3);
    expect(costOf({ input: 300 }, { ...half, multiplierMillionths: 0 }, "credits")).toBe(0);
    expect(costOf({ input: 300 }, { ...half, multiplierMillionths: 1_250_001 }, "credits")).toBe(376);
  });
});

describe("the rates of an entry", () => {
  it("fall back along the table of kinds when the entry does not list them", () => {
    expect(resolveRates({ input: 3, output: 15 })).toEqual({
      input: 3,
      output: 15,
      cache_read: 3,
      cache_write: 3,
      cache_write_1h: 3,
      input_audio: 3,
      cache_audio_read: 3,
      output_audio: 15,
      input_image: 3,
      cache_image_read: 3,
      output_image: 15,
      web_searches: 0,
      storage_searches: 0,
    });
    const listed = resolveRates({ input: 3, output: 15, cache_read: 1, cache_write: 4, web_searches: 9 });
    expect(listed).toMatchObject({ cache_write_1h: 4, cache_audio_read: 1, cache_image_read: 1, web_searches: 9 });
  });

  it("are the tier's own, then the entry's, then what the kind falls back to at that tier", () => {
    const entry = { input: 3, output: 15, cache_read: 1, input_audio: 7 };
    expect(resolveRates(entry, { input: 6, output: 30 })).toMatchObject({
      input: 6,
      output: 30,
      // Listed by the entry.
      cache_read: 1,
      input_audio: 7,
      // Listed by neither: the tier's rate of the kind that they fall back to.
      cache_write: 6,
      cache_write_1h: 6,
      input_image: 6,
      cache_image_read: 1,
      output_audio: 30,
    });
  });

  it("let a tier list a free kind", () => {
    expect(resolveRates({ input: 3, output: 15, cache_read: 1 }, { cache_read: 0 }).cache_read).toBe(0);
  });
});
