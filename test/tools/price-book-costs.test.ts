/**
 * Compares what the built-in book charges with the package's own `calcPrice`, for every model of every provider and a
 * spread of usages. Each difference must be one of those listed in docs/prices.md, which this file repeats as rules.
 */
import { calcPrice, type Provider, type ModelPrice as SourcePrice, waitForUpdate } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";
import { indexPrices } from "../../src/catalog/price-book.ts";
import { KINDS, type Kind } from "../../src/ledger/kinds.ts";
import { costOf, MAX_QUANTITY, type Usage } from "../../src/ledger/prices.ts";
import { makePriceBook, namesInSdks, PRICED_ON, UNPRICED_UNITS } from "../../tools/prices/make-price-book.ts";

const providers = (await waitForUpdate()) ?? [];
const { book, sources } = makePriceBook(providers, PRICED_ON, namesInSdks());
const index = indexPrices({ version: 1, ...book });
// At 02:00 UTC hourly prices are at their highest, which the book uses all day.
const TIMESTAMP = new Date(`${PRICED_ON}T02:00:00Z`);

/** Usages in disjoint kinds: plain text, each kind alone and with text, and long prompts around every threshold. */
const USAGES: Usage[] = [
  { input: 1_000, output: 100 },
  { input: 7, output: 3, cache_read: 8_000, cache_write: 1_200 },
  ...KINDS.map(({ kind, per }) => ({ input: 500, output: 50, [kind]: per === "million" ? 7_000 : 3 })),
  ...[128_000, 199_999, 200_000, 271_999, 272_000, 512_000].flatMap((start) => [
    { input: start, output: 900 },
    { input: start + 1, output: 900 },
    { input: 11, output: 900, cache_read: start, cache_write: 10, cache_write_1h: 20 },
  ]),
  Object.fromEntries(KINDS.map(({ kind, per }, i) => [kind, per === "million" ? 1_000 + 137 * i : i])),
];

/** The package counts in totals and parts of them. */
function toSource(usage: Usage): Record<string, number> {
  const of = (...kinds: Kind[]) => kinds.reduce((sum, kind) => sum + (usage[kind] ?? 0), 0);
  return {
    input_tokens: of(
      ...(["input", "cache_read", "cache_write", "cache_write_1h", "input_audio", "cache_audio_read"] as const),
      ...(["input_image", "cache_image_read"] as const),
    ),
    output_tokens: of("output", "output_audio", "output_image"),
    cache_read_tokens: of("cache_read", "cache_audio_read", "cache_image_read"),
    cache_write_tokens: of("cache_write", "cache_write_1h"),
    cache_write_1h_tokens: of("cache_write_1h"),
    input_audio_tokens: of("input_audio", "cache_audio_read"),
    cache_audio_read_tokens: of("cache_audio_read"),
    output_audio_tokens: of("output_audio"),
    input_image_tokens: of("input_image", "cache_image_read"),
    cache_image_read_tokens: of("cache_image_read"),
    output_image_tokens: of("output_image"),
    web_searches: of("web_searches"),
    storage_searches: of("storage_searches"),
  };
}

/** Why the book may charge this usage of a model differently; null if it must not. */
function explain(prices: SourcePrice, usage: Usage): string | null {
  const used = (kind: Kind) => (usage[kind] ?? 0) > 0;
  if (prices.requests_kcount !== undefined) return "a price per request";
  if (used("cache_audio_read") && prices.cache_audio_read_mtok === undefined && prices.input_audio_mtok !== undefined)
    return "cached audio without a price costs what other cached input costs";
  if (used("cache_image_read") && prices.cache_image_read_mtok === undefined && prices.input_image_mtok !== undefined)
    return "cached images without a price cost what other cached input costs";
  const rounded = Object.values(prices).some((price) => {
    const usd = typeof price === "object" ? price.base : (price ?? 0);
    return Math.abs(usd * 1e6 - Math.round(usd * 1e6)) > 1e-6;
  });
  return rounded ? "a rate with more than six decimals is rounded up" : null;
}

/** The tier that a caller names for a call with this prompt, by rule R1. */
function tierOf(id: string, usage: Usage): string {
  const prompt = toSource(usage).input_tokens as number;
  const tiers = Object.entries(index.list.entry(id)?.tiers ?? {});
  const exceeded = tiers.filter(([, { aboveInputTokens }]) => aboveInputTokens !== null && prompt > aboveInputTokens);
  const [name = "standard"] =
    exceeded.sort(([, a], [, b]) => (b.aboveInputTokens ?? 0) - (a.aboveInputTokens ?? 0))[0] ?? [];
  return name;
}

describe("the cost of every model in the built-in book", () => {
  it("is what the package charges, or differs for a listed reason", () => {
    const counts = new Map<string, number>();
    const wrong: unknown[] = [];
    for (const { id, provider, model } of sources) {
      for (const usage of USAGES) {
        const theirs = calcPrice(toSource(usage), model.id, { provider: only(provider, model), timestamp: TIMESTAMP });
        const { price } = index.find(id, tierOf(id, usage));
        if (price === null || theirs === null) throw new Error(`${id} has no price`);
        const micros = costOf(usage, price, "usd") as number;
        const surplus = micros - theirs.total_price * 1e6;
        const exact = surplus > -1e-4 && surplus < 1.0001;
        const reason = exact ? "exact" : explain(theirs.model_price, usage);
        counts.set(reason ?? "unexplained", (counts.get(reason ?? "unexplained") ?? 0) + 1);
        if (reason === null) wrong.push({ id, usage, ours: micros / 1e6, theirs: theirs.total_price });
      }
    }
    expect(wrong).toEqual([]);
    expect(sources.length).toBeGreaterThan(1_650);
    expect(Object.fromEntries(counts)).toMatchInlineSnapshot(`
      {
        "a price per request": 136,
        "cached audio without a price costs what other cached input costs": 18,
        "cached images without a price cost what other cached input costs": 2,
        "exact": 56556,
      }
    `);
  });

  it("leaves out only what is not priced by tokens, or whose price the source does not have", () => {
    const inBook = new Set(sources.map(({ model }) => model));
    const missing = providers.flatMap(({ id, models }) =>
      models.filter((model) => !inBook.has(model)).map((model) => ({ name: `${id}/${model.id}`, model })),
    );
    const unexplained = missing.filter(({ name, model }) => {
      const prices = Array.isArray(model.prices) ? model.prices[0]?.prices : model.prices;
      const units = Object.keys(prices ?? {});
      const otherUnits = units.length > 0 && units.every((unit) => UNPRICED_UNITS[unit] !== undefined);
      return !otherUnits && !name.includes("~") && !/^azure\/(babbage|curie|davinci)$/.test(name);
    });
    expect(unexplained.map(({ name }) => name)).toEqual([]);
    expect(missing.length).toBeLessThan(30);
  });

  it("stays exact for the largest quantities", () => {
    const { price } = index.find("claude-opus-5");
    expect(costOf({ input: MAX_QUANTITY }, price!, "usd")).toBe(5_000_000_000_000);
  });
});

describe("the literal match rules of the data", () => {
  it("lead to the same model in the book, for every provider", () => {
    const wrong: string[] = [];
    let checked = 0;
    for (const { id, provider, model } of sources) {
      for (const literal of literalsOf(model.match)) {
        const prefix = provider.id === "aws" ? "bedrock/" : id.endsWith(model.id) ? id.slice(0, -model.id.length) : "";
        if (!/^[A-Za-z0-9_.:@/-]{1,128}$/.test(prefix + literal) || /[-.:@]$/.test(literal)) continue;
        const theirs = calcPrice({}, literal, { provider });
        if (theirs?.model.id !== model.id) continue;
        checked += 1;
        const match = index.find(prefix + literal).book.match;
        if (match?.kind !== "model" || match.id !== id) wrong.push(`${prefix}${literal}: ${JSON.stringify(match)}`);
      }
    }
    expect(wrong).toEqual([]);
    expect(checked).toBeGreaterThan(2_000);
  });
});

/** The provider with this one model, so that no other rule matches first. */
function only(provider: Provider, model: Provider["models"][number]): Provider {
  return { ...provider, models: [{ ...model, match: { equals: model.id } }] };
}

function literalsOf(match: object): string[] {
  return Object.entries(match).flatMap(([kind, value]) => {
    if (typeof value === "string") return kind === "regex" ? [] : [value];
    return kind === "or" ? value.flatMap(literalsOf) : [];
  });
}
