/**
 * make-price-book.ts and the committed price book. The book must equal what the tool makes from the package's data, have
 * every name once, and contain exact decimals. The package's own price lookup serves as the reference for names and rates.
 * Small invented providers test single rules; the real data tests the rules together.
 */
import { readFileSync } from "node:fs";
import { calcPrice, type ModelInfo, type Provider, waitForUpdate } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";
import {
  formatPriceBook,
  makePriceBook,
  namesInSdks,
  PRICED_ON,
  pricesInForce,
  toRate,
} from "../../tools/prices/make-price-book.ts";

const providers = (await waitForUpdate()) ?? [];
const text = readFileSync(new URL("../../src/catalog/built-in-prices.json", import.meta.url), "utf8");
const { book: made } = makePriceBook(providers, PRICED_ON, namesInSdks());
const ratesByName = new Map(made.models.flatMap((model) => [model.id, ...model.aliases].map((name) => [name, model])));

const MODEL: ModelInfo = { id: "m-1", match: { equals: "m-1" }, prices: { input_mtok: 2, output_mtok: 8 } };
const PROVIDER: Provider = { id: "mistral", name: "A maker", api_pattern: "https://maker\\.test", models: [MODEL] };
const makeOne = (model: Partial<ModelInfo>, provider: Partial<Provider> = {}) =>
  makePriceBook([{ ...PROVIDER, ...provider, models: [{ ...MODEL, ...model }] }], PRICED_ON);
const inForce = (prices: ModelInfo["prices"]) => pricesInForce(prices, "2026-11-23").input_mtok;

describe("the committed price book", () => {
  it("is byte for byte what the tool makes from the package's data", () => {
    expect(text).toBe(formatPriceBook(made));
    expect(JSON.parse(text)).toEqual(made);
  });

  it("states the package, its version and its licence as the source", () => {
    const manifest = new URL("../../node_modules/@pydantic/genai-prices/package.json", import.meta.url);
    const { name, version, license } = JSON.parse(readFileSync(manifest, "utf8"));
    expect(made.source).toContain(`${name} ${version}, ${license} licence`);
  });

  it("is small enough to ship with the Worker", () => {
    expect(text.length).toBeLessThan(300 * 1024);
  });

  it("has one model per line, sorted by id", () => {
    const ids = made.models.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort());
    expect(text.split("\n").filter((line: string) => line.startsWith('    {"id":'))).toHaveLength(ids.length);
  });

  it("has each id and alias once, all of them valid and none of them `*`", () => {
    const names = made.models.flatMap(({ id, aliases }) => [id, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(names.filter((name) => !/^[A-Za-z0-9_.:@/-]{1,128}$/.test(name))).toEqual([]);
  });

  it("has rates with at most six decimals and without superfluous zeros", () => {
    const rates = made.models.flatMap(({ input, output, cache_read, cache_write }) => [
      input,
      output,
      cache_read,
      cache_write,
    ]);
    expect(rates.filter((rate) => !/^(0|[1-9]\d{0,6})(\.\d{0,5}[1-9])?$/.test(rate))).toEqual([]);
  });

  it.each([
    ["claude-sonnet-4-5", "3", "15", "0.3", "3.75"],
    ["claude-sonnet-4-5-20250929", "3", "15", "0.3", "3.75"],
    ["claude-haiku-4-5-20251001", "1", "5", "0.1", "1.25"],
    ["claude-opus-4-1", "15", "75", "1.5", "18.75"],
    ["gpt-5", "1.25", "10", "0.125", "1.25"],
    ["gpt-4o-mini", "0.15", "0.6", "0.075", "0.15"],
    ["o3", "2", "8", "0.5", "2"],
    ["gemini-2.5-pro", "1.25", "10", "0.125", "1.25"],
    ["grok-4", "3", "15", "0.75", "3"],
    ["deepseek-chat", "0.27", "1.1", "0.07", "0.27"],
    ["groq/llama-3.3-70b-versatile", "0.59", "0.79", "0.59", "0.59"],
    ["text-embedding-3-small", "0.02", "0", "0.02", "0.02"],
  ])("prices %s as its provider publishes it", (name, input, output, cache_read, cache_write) => {
    expect(ratesByName.get(name)).toMatchObject({ input, output, cache_read, cache_write });
  });

  it.each([
    ...["anthropic", "openai", "google", "x-ai", "mistral", "deepseek", "cohere", "moonshotai"].map((id) => [id, ""]),
    ...["groq", "openrouter", "together", "cloudflare", "azure"].map((id) => [id, `${id}/`]),
    ["aws", "bedrock/"],
    ["google", "vertex/"],
  ])("prices each name of %s (%s) as the package does", (providerId, prefix) => {
    const provider = providers.find(({ id }) => id === providerId)!;
    const ids = new Set(provider.models.map(({ id }) => prefix + id.replace(/^regional\./, "")));
    const models = made.models.filter(({ id, aliases }) => [id, ...aliases].some((name) => ids.has(name)));
    // At 02:00 UTC hourly prices are at their highest. A short prompt stays in the base tier.
    const timestamp = new Date(`${PRICED_ON}T02:00:00Z`);
    const charges = models.flatMap(({ id, aliases, input, output }) =>
      [id, ...aliases].flatMap((name) => {
        const reference = calcPrice({ input_tokens: 1000, output_tokens: 1000 }, name.replace(prefix, ""), {
          provider,
          timestamp,
        });
        return reference
          ? [{ name, ours: (Number(input) + Number(output)) / 1000, theirs: reference.total_price }]
          : [];
      }),
    );
    expect(charges.length).toBeGreaterThan(models.length * 0.9);
    expect(charges.filter(({ ours, theirs }) => Math.abs(ours - theirs) > 1e-9)).toEqual([]);
  });
});

describe("the model names in the types of the providers' SDKs", () => {
  const named = [...new Set(namesInSdks())];

  it("include those of three providers", () => {
    for (const name of ["claude-opus-4-5-20251101", "gpt-4o-2024-08-06", "gemini-live-2.5-flash-preview"])
      expect(named).toContain(name);
    expect(named.length).toBeGreaterThan(100);
  });

  it("are in the book if they have a date and the package knows their price", () => {
    const dated = named.filter((name) => /-\d{8}$|-\d{4}-\d{2}-\d{2}$/.test(name));
    const priced = dated.filter((name) => calcPrice({}, name, { provider: makerOf(name) }) !== null);
    expect(priced.filter((name) => !ratesByName.has(name))).toEqual([]);
    expect(ratesByName.get("claude-opus-4-5-20251101")?.id).toBe("claude-opus-4-5");
    expect(priced.length).toBeGreaterThan(20);
  });

  function makerOf(name: string): Provider {
    const id = name.startsWith("claude") ? "anthropic" : name.startsWith("gemini") ? "google" : "openai";
    return providers.find((provider) => provider.id === id) as Provider;
  }

  it("become aliases only if the data prices them and they are a model's name with a date", () => {
    const { book } = makePriceBook([PROVIDER], PRICED_ON, ["m-1-20260101", "m-1-mini", "m-2-20260101", "m-10"]);
    expect(book.models).toMatchObject([{ id: "m-1", aliases: [] }]);
    const open = { ...MODEL, match: { starts_with: "m-1" } };
    const { book: wide } = makePriceBook([{ ...PROVIDER, models: [open] }], PRICED_ON, ["m-1-20260101", "m-1-mini"]);
    expect(wide.models).toMatchObject([{ id: "m-1", aliases: ["m-1-20260101"] }]);
  });
});

describe("a rate", () => {
  it.each([
    [0, "0"],
    [3, "3"],
    [150, "150"],
    [0.3, "0.3"],
    [0.075, "0.075"],
    [1.005, "1.005"],
    [0.1 + 0.2, "0.3"],
    [0.18000000000000002, "0.18"],
    [0.000001, "0.000001"],
    [9_999_999.999999, "9999999.999999"],
  ])("of %d is written exactly, as %s", (usd, decimal) => {
    expect(toRate(usd)).toEqual({ decimal, roundedUp: false });
  });

  it("with more than six decimals is rounded up, with a remark", () => {
    expect(toRate(0.08333333333333334)).toEqual({ decimal: "0.083334", roundedUp: true });
    expect(toRate(0.9999991)).toEqual({ decimal: "1", roundedUp: true });
    expect(toRate(0.0000001)).toEqual({ decimal: "0.000001", roundedUp: true });
    expect(makeOne({ prices: { input_mtok: 0.1234567 } }).remarks.get("rate rounded up to six decimals")).toHaveLength(
      3,
    );
  });

  it("that is not a valid price throws, because that is our bug", () => {
    for (const usd of [-1, Number.NaN, Number.POSITIVE_INFINITY, 10_000_000]) expect(() => toRate(usd)).toThrow();
  });
});

describe("the prices in force", () => {
  const from = (start_date: string, input_mtok: number) => ({
    constraint: { type: "start_date" as const, start_date },
    prices: { input_mtok },
  });
  const daily = (input_mtok: number) => ({
    constraint: { type: "time_of_date" as const, start_time: "00:30:00Z", end_time: "16:30:00Z" },
    prices: { input_mtok },
  });

  it("are the latest that have begun, including on their first day", () => {
    expect(inForce([{ prices: { input_mtok: 1 } }, from("2026-11-23", 2), from("2026-11-24", 3)])).toBe(2);
    expect(inForce([{ prices: { input_mtok: 1 } }, from("2026-11-24", 2)])).toBe(1);
  });

  it("are the highest of the day, whether hourly prices are a discount or a surcharge", () => {
    expect(inForce([{ prices: { input_mtok: 1 } }, daily(2)])).toBe(2);
    expect(inForce([{ prices: { input_mtok: 2 } }, daily(1)])).toBe(2);
    expect(inForce([{ prices: { input_mtok: 9 } }, from("2026-08-17", 3), daily(4)])).toBe(4);
  });
});

describe("a model", () => {
  it("has the rates of the base tier, and its input rate for missing cache rates", () => {
    const input_mtok = { base: 1.25, tiers: [{ start: 200_000, price: 2.5 }] };
    const { book } = makeOne({ prices: { input_mtok, output_mtok: 10, cache_read_mtok: 0.125 } });
    expect(book.models).toEqual([
      { id: "m-1", aliases: [], input: "1.25", output: "10", cache_read: "0.125", cache_write: "1.25" },
    ]);
  });

  it("has an output rate of 0 if only input is priced, and is dropped without a price per token", () => {
    expect(makeOne({ prices: { input_mtok: 0.1 } }).book.models[0]!.output).toBe("0");
    const { book, remarks } = makeOne({ prices: { input_document_kpages: 1 } });
    expect(book.models).toEqual([]);
    expect(remarks.get("dropped, no price per token")).toEqual(["m-1"]);
  });

  it("has a plain id at its maker, and the reseller's prefix elsewhere, in aliases too", () => {
    const match = { or: [{ equals: "m-1" }, { equals: "m-1-latest" }, { starts_with: "m-1-x" }] };
    expect(makeOne({ match }).book.models[0]).toMatchObject({ id: "m-1", aliases: ["m-1-latest"] });
    const resold = makeOne({ match }, { id: "groq" }).book.models[0];
    expect(resold).toMatchObject({ id: "groq/m-1", aliases: ["groq/m-1-latest"] });
  });

  it("gets a dated name that matches a rule's prefix, if the data lists it elsewhere", () => {
    const reseller = { ...PROVIDER, id: "openrouter", models: [{ ...MODEL, id: "maker/m-1-20260930" }] };
    const maker = { ...PROVIDER, models: [{ ...MODEL, match: { starts_with: "m-1" } }] };
    const { book } = makePriceBook([reseller, maker], PRICED_ON);
    expect(book.models.find(({ id }) => id === "m-1")!.aliases).toEqual(["m-1-20260930"]);
  });

  it("loses an alias that another model or an earlier maker has, with a remark", () => {
    const alias = { or: [{ equals: "m-2" }, { equals: "shared" }] };
    const models = [
      { ...MODEL, match: alias },
      { ...MODEL, id: "m-2", match: { equals: "m-2" } },
    ];
    const later = { ...PROVIDER, id: "cohere", models: [{ ...MODEL, id: "m-3", match: { equals: "shared" } }] };
    const { book, remarks } = makePriceBook([later, { ...PROVIDER, models }], PRICED_ON);
    expect(book.models.map(({ id, aliases }) => [id, aliases])).toEqual([
      ["m-1", ["shared"]],
      ["m-2", []],
      ["m-3", []],
    ]);
    expect(remarks.get("alias dropped, taken")).toEqual(["m-2 (of m-1)", "shared (of m-3)"]);
  });

  it("is dropped if its id is not valid, with a remark", () => {
    expect(makeOne({ id: "~m/latest" }).remarks.get("dropped, not a valid id")).toEqual(["~m/latest"]);
  });
});
