// The expected charge, checked against a reference that computes with fractions instead of scaled rates.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { expectedChargeMicros, preferredModel, resolveModel } from "../../tools/kit/expected-cost.ts";

const SONNET = {
  id: "claude-sonnet-4-5",
  aliases: ["sonnet"],
  input: "3",
  output: "15",
  cache_read: "0.3",
  cache_write: "3.75",
};
const CHEAP = { id: "cheap", aliases: [], input: "0.000001", output: "0.1", cache_read: "0", cache_write: "0.000001" };
const BOOK: PriceBook = { version: 1, credits_per_usd: 100, models: [CHEAP, SONNET] };

function totals(input: number, output: number, cacheRead = 0, cacheWrite = 0) {
  return { input_tokens: input, output_tokens: output, cache_read_tokens: cacheRead, cache_write_tokens: cacheWrite };
}

describe("the expected charge", () => {
  it("is the sum of tokens times rates, times the credits per USD", () => {
    expect(expectedChargeMicros(totals(1000, 100, 10_000, 400), SONNET, "usd", BOOK)).toBe(
      3000n + 1500n + 3000n + 1500n,
    );
    expect(expectedChargeMicros(totals(1000, 100, 10_000, 400), SONNET, "credits", BOOK)).toBe(900_000n);
  });

  it("is rounded up once for the whole sum, not once per kind", () => {
    const price = { ...SONNET, input: "0.4", output: "0.4", cache_read: "0.2", cache_write: "0" };
    expect(expectedChargeMicros(totals(1, 1, 1), price, "usd", BOOK)).toBe(1n);
    expect(expectedChargeMicros(totals(0, 0), price, "usd", BOOK)).toBe(0n);
    expect(expectedChargeMicros(totals(1, 0), CHEAP, "credits", BOOK)).toBe(1n);
  });

  it("is exact where doubles are not", () => {
    expect(expectedChargeMicros(totals(10 ** 12 - 1, 0), { ...SONNET, input: "9.000001" }, "usd", BOOK)).toBe(
      9_000_000_999_991n,
    );
  });

  it("equals a sum of fractions for any tokens and rates", () => {
    const tokens = fc.integer({ min: 0, max: 10 ** 12 });
    const rate = fc.tuple(fc.integer({ min: 0, max: 999 }), fc.integer({ min: 0, max: 999_999 }));
    const text = ([whole, fraction]: [number, number]) => `${whole}.${String(fraction).padStart(6, "0")}`;
    fc.assert(
      fc.property(
        fc.array(tokens, { minLength: 4, maxLength: 4 }),
        fc.array(rate, { minLength: 4, maxLength: 4 }),
        (counts, rates) => {
          const [input, output, cacheRead, cacheWrite] = rates.map(text) as [string, string, string, string];
          const price = { id: "m", aliases: [], input, output, cache_read: cacheRead, cache_write: cacheWrite };
          const parts = counts.map((count, i) => [
            BigInt(count) * BigInt(rates[i]![0]),
            BigInt(count) * BigInt(rates[i]![1]),
          ]);
          const wholes = parts.reduce((sum, [whole]) => sum + whole!, 0n) * 100n;
          const millionths = parts.reduce((sum, [, fraction]) => sum + fraction!, 0n) * 100n;
          const expected = wholes + millionths / 1_000_000n + (millionths % 1_000_000n > 0n ? 1n : 0n);
          const used = totals(counts[0]!, counts[1]!, counts[2]!, counts[3]!);
          expect(expectedChargeMicros(used, price, "credits", BOOK)).toBe(expected);
        },
      ),
    );
  });
});

describe("a model", () => {
  it("is found by its id, then by an alias, then under *", () => {
    const any = { ...CHEAP, id: "*" };
    expect(resolveModel(BOOK, "sonnet")).toBe(SONNET);
    expect(resolveModel(BOOK, "unheard-of")).toBeUndefined();
    expect(resolveModel({ ...BOOK, models: [any, SONNET] }, "unheard-of")).toBe(any);
  });

  it("is the first one that the book has, or else the book's first", () => {
    expect(preferredModel(BOOK, ["gpt-0", "sonnet"])).toBe("sonnet");
    expect(preferredModel(BOOK, ["gpt-0"])).toBe("cheap");
  });
});
