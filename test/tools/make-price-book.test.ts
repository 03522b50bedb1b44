/**
 * make-price-book.ts and the committed price book. The book must equal what the tool makes from the package's data, have
 * every name once, and contain exact decimals. The package's own price lookup serves as the reference for names and rates.
 * Small invented providers test single rules; the real data tests the rules together.
 * This file is long because it tests the rules of all providers.
 */
import { readFileSync } from "node:fs";
import { calcPrice, type ModelInfo, type Provider, waitForUpdate } from "@pydantic/genai-prices";
import { describe, expect, it } from "vitest";
import { indexPrices } from "../../src/catalog/price-book.ts";
import { fillEntry } from "../../src/catalog/price-entry.ts";
import { KINDS } from "../../src/ledger/kinds.ts";
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
const entryByName = new Map(made.models.flatMap((model) => [model.id, ...model.aliases].map((name) => [name, model])));
const index = indexPrices({ version: 1, ...made });

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
    expect(text.length).toBeLessThan(400 * 1024);
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
    const rates = made.models.flatMap(({ tiers = {}, ...entry }) =>
      [entry, ...Object.values(tiers)].flatMap((listed) => KINDS.flatMap(({ kind }) => listed[kind] ?? [])),
    );
    expect(rates.length).toBeGreaterThan(made.models.length * 2);
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
    const entry = entryByName.get(name)!;
    expect(fillEntry(entry)).toMatchObject({ input, output, cache_read, cache_write });
  });

  it("lists only the rates that its source has", () => {
    expect(entryByName.get("gpt-5")).toEqual({
      id: "gpt-5",
      aliases: ["gpt-5-2025-08-07", "gpt-5-chat", "gpt-5-chat-latest", "gpt-5-codex"],
      input: "1.25",
      output: "10",
      cache_read: "0.125",
      web_searches: "10",
      storage_searches: "2.5",
    });
    expect(entryByName.get("gpt-5.4")).toMatchObject({
      input: "2.5",
      tiers: { above_271999: { above_input_tokens: 271_999, input: "5", output: "22.5", cache_read: "0.5" } },
    });
    expect(entryByName.get("claude-opus-5")).toMatchObject({ cache_write_1h: "10", web_searches: "10" });
    expect(entryByName.get("gpt-image-1.5")).toMatchObject({ output_image: "32", cache_image_read: "2" });
    expect(entryByName.get("gpt-audio")).toMatchObject({ input_audio: "32", output_audio: "64" });
  });

  it.each([
    ["us.anthropic.claude-sonnet-4-6", "bedrock/anthropic.claude-sonnet-4-6-v1:0"],
    ["global.anthropic.claude-sonnet-4-6", "bedrock/global.anthropic.claude-sonnet-4-6-v1:0"],
    ["global.anthropic.claude-opus-4-6-v1", "bedrock/global.anthropic.claude-opus-4-6-v1:0"],
    ["us.anthropic.claude-opus-4-6-v1", "bedrock/anthropic.claude-opus-4-6-v1:0"],
    ["ca.anthropic.claude-sonnet-4-5-20250929-v1:0", "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0"],
    ["us.anthropic.claude-haiku-4-5", "bedrock/anthropic.claude-haiku-4-5-20251001-v1:0"],
    ["us.amazon.nova-pro-v1:0", "bedrock/amazon.nova-pro-v1:0"],
    ["bedrock/us.amazon.nova-pro-v1:0", "bedrock/amazon.nova-pro-v1:0"],
    ["bedrock/claude-sonnet-4-6", "bedrock/anthropic.claude-sonnet-4-6-v1:0"],
    [
      "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
      "bedrock/anthropic.claude-sonnet-4-20250514-v1:0",
    ],
    ["openai/gpt-5-mini", "gpt-5-mini"],
    ["azure/gpt-5", "gpt-5"],
    ["google/gemini-2.5-flash", "gemini-2.5-flash"],
    ["models/gemini-2.5-flash", "gemini-2.5-flash"],
    ["publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash"],
    ["anthropic/claude-sonnet-4.6", "claude-sonnet-4-6"],
    ["claude-sonnet-4-6@20260217", "claude-sonnet-4-6"],
    ["vertex_ai/claude-opus-4-6@20260205", "vertex/claude-opus-4-6"],
    ["openrouter/anthropic/claude-sonnet-4-6", "openrouter/anthropic/claude-sonnet-4.6"],
    ["amazon/nova-pro-v1", "openrouter/amazon/nova-pro-v1"],
    ["llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile"],
    ["deepseek-ai/DeepSeek-V3:novita", "huggingface_novita/deepseek-ai/DeepSeek-V3"],
    ["ft:gpt-4o-2024-08-06:acme::abc123", "ft:gpt-4o"],
    ["gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"],
  ])("knows the spelling %s", (name, id) => {
    expect(index.find(name).book.match).toMatchObject({ kind: "model", id });
  });

  it.each(["openai/gpt-5:free", "azure/eu/gpt-5", "gpt-5-unheard-of", "groq/gpt-5", "ft:gpt-5:acme::x"])(
    "does not guess a price for %s",
    (name) => {
      expect(index.find(name).price).toBeNull();
    },
  );
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
    expect(priced.filter((name) => !entryByName.has(name))).toEqual([]);
    expect(entryByName.get("claude-opus-4-5-20251101")?.id).toBe("claude-opus-4-5");
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
      1,
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
  it("has every kind and every long-context tier of its source, and nothing else", () => {
    const input_mtok = {
      base: 1.25,
      tiers: [
        { start: 200_000, price: 2.5 },
        { start: 400_000, price: 5 },
      ],
    };
    const output_mtok = { base: 10, tiers: [{ start: 400_000, price: 20 }] };
    const { book } = makeOne({
      prices: { input_mtok, output_mtok, cache_read_mtok: 0.125, output_audio_mtok: 30, web_searches_kcount: 10 },
    });
    expect(book.models).toEqual([
      {
        id: "m-1",
        aliases: [],
        input: "1.25",
        output: "10",
        cache_read: "0.125",
        output_audio: "30",
        web_searches: "10",
        tiers: {
          above_200000: { above_input_tokens: 200_000, input: "2.5" },
          above_400000: { above_input_tokens: 400_000, input: "5", output: "20" },
        },
      },
    ]);
  });

  it("costs 0 where its source has no price, and is dropped if it is priced by something else than tokens", () => {
    expect(makeOne({ prices: { input_mtok: 0.1 } }).book.models[0]!.output).toBe("0");
    expect(makeOne({ prices: {} }).book.models).toEqual([{ id: "m-1", aliases: [], input: "0", output: "0" }]);
    const { book, remarks } = makeOne({ prices: { input_document_kpages: 1 } });
    expect(book.models).toEqual([]);
    expect(remarks.get("dropped, no price per token")).toEqual(["m-1"]);
    expect(makeOne({ prices: { input_mtok: 1, requests_kcount: 5 } }).remarks.get("not priced: requests")).toEqual([
      "m-1",
    ]);
  });

  it("has a plain id at its maker, and the reseller's prefix elsewhere, in aliases too", () => {
    const match = { or: [{ equals: "m-1" }, { equals: "m-1-latest" }, { starts_with: "m-1-x" }] };
    expect(makeOne({ match }).book.models[0]).toMatchObject({ id: "m-1", aliases: ["m-1-latest", "m-1-x"] });
    const resold = makeOne({ match }, { id: "groq" }).book.models[0];
    expect(resold).toMatchObject({ id: "groq/m-1", aliases: ["groq/m-1-latest", "groq/m-1-x", "m-1", "m-1-latest"] });
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
