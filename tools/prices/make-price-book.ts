/**
 * Makes the built-in price book, `src/catalog/built-in-prices.json`, from the data of the npm package
 * `@pydantic/genai-prices` (MIT licence, © Pydantic Services Inc.). Run it with `npm run prices`.
 * Dated model names that the data does not list come from the types of the providers' SDKs; the data's rules decide which
 * model each is. It fetches nothing: the same packages and PRICED_ON give the same bytes, which a test checks.
 * A deployment that uses the built-in prices gets a changed book as its next version; older versions stay as they are.
 * This file is long because it holds the naming rules of all providers in one place; it is run rarely and by hand.
 */
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import {
  type ConditionalPrice,
  calcPrice,
  type MatchLogic,
  type ModelInfo,
  type ModelPrice,
  type Provider,
  waitForUpdate,
} from "@pydantic/genai-prices";
import type { ModelPrice as EntryOfBook, RateTexts, TierPrice } from "../../src/catalog/price-entry.ts";
import { KINDS, type Kind } from "../../src/ledger/kinds.ts";
import { matchName } from "../../src/ledger/model-names.ts";

/** The day whose prices are used if the data has dated prices. */
export const PRICED_ON = "2026-11-23";

const SOURCE = `Prices in force on ${PRICED_ON} by @pydantic/genai-prices 0.1.8, MIT licence, © Pydantic Services Inc.`;
const CREDITS_PER_USD = 100;
const TARGET = new URL("../../src/catalog/built-in-prices.json", import.meta.url);
const ID = /^[A-Za-z0-9_.:@/-]{1,128}$/;

/** Providers with their own models, which keep plain ids. If two of them claim an alias, the earlier one gets it. */
const MAKERS =
  "anthropic openai google x-ai mistral deepseek cohere moonshotai minimax zai perplexity arcee voyageai".split(" ");

/** Models that a maker resells: Google the Claude models of Vertex AI, Arcee all models named `maker/model`. */
const RESOLD: Record<string, RegExp> = { google: /^claude-/, arcee: /\// };

/** The usual names of models for which the data uses another id. That id becomes an alias. */
const CANONICAL_IDS: Record<string, string> = {
  "grok-2-1212": "grok-2",
  "grok-2-vision-1212": "grok-2-vision",
  "grok-4-0709": "grok-4",
  codestral: "codestral-latest",
  "mistral-large": "mistral-large-latest",
  "pixtral-large": "pixtral-large-latest",
  "ft:gpt-3.5-turbo-": "ft:gpt-3.5-turbo",
};

/** Model names that only one reseller uses: they are aliases even without the reseller's prefix. */
const UNIQUE_NAMES: Record<string, RegExp> = {
  aws: /^([a-z-]+\.)?[a-z0-9]+\.[a-z][a-z0-9-]/,
  cloudflare: /^@cf\//,
  cursor: /^composer-/,
  fireworks: /^accounts\/fireworks\//,
  typesafe: /^jev-/,
  zhipuai: /^glm-/i,
};

/** The prefix of a reseller's models, if it is not the reseller's id in the data. */
const PREFIXES: Record<string, string> = { aws: "bedrock", google: "vertex" };

/** Other spellings of a prefix. They are aliases, because the same name without the prefix has another price. */
const OTHER_PREFIXES: Record<string, readonly string[]> = {
  google: ["vertex_ai/", "google-vertex/", "publishers/anthropic/models/"],
  together: ["together_ai/"],
};

/** The prefix of Hugging Face's router in the data, which is followed by the host. */
const HUGGING_FACE = /^huggingface_/;

/** Text models for which the data lacks the output price. (Embedding models need none.) */
const INCOMPLETE = new Set(["azure/babbage", "azure/curie", "azure/davinci"]);

/** What the data prices and a price book cannot. A model without any other price is left out. */
export const UNPRICED_UNITS: Record<string, string> = {
  audio_hours: "hours of audio",
  input_audio_hours: "hours of audio",
  input_document_kpages: "pages of documents",
  input_annotated_document_kpages: "pages of documents",
  input_text_messages_kcount: "messages",
  input_video_mtok: "video",
  output_citation_mtok: "citations",
  output_reasoning_mtok: "reasoning tokens",
  output_video_mtok: "video",
  requests_kcount: "requests",
};

/** What may follow the prefix in a rule: `-20250929`, `-2025-04-14`, `-001`, `-preview-05-06`. */
const DATED = /^(-(preview|exp))?(-\d{8}|(-\d{2,4}){0,3})$/;

/** Names in use that neither the data nor the SDKs list. They become aliases only if the data's rules price them. */
const OTHER_NAMES = [
  ...["gemini-1.5-flash", "gemini-1.5-pro", "gemini-2.0-flash", "gemini-2.0-flash-lite"].flatMap((name) => {
    return [`${name}-001`, `${name}-002`];
  }),
  ...["03-25", "05-06", "06-05"].map((day) => `gemini-2.5-pro-preview-${day}`),
  "gemini-2.5-flash-lite-preview-06-17",
  "gemini-2.5-flash-lite-preview-09-2025",
];

/** Hosts whose SDKs report the host's names without its prefix. */
const SDK_HOSTS = ["groq", "cerebras", "openrouter", "together"];

/** The end of a literal that is only the beginning of names. */
const UNFINISHED = /[-.:@]$/;

/** The price book with a note on its source, as in the committed file. The digest identifies its content. */
type SourcedPriceBook = { source: string; digest: string; credits_per_usd: number; models: EntryOfBook[] };

/** Where the providers' SDKs list their models. */
const SDK_TYPES = [
  "@anthropic-ai/sdk/resources/messages/messages.d.ts",
  "openai/resources/shared.d.ts",
  "@google/genai/dist/genai.d.ts",
];

/** What was dropped or changed: the affected names by reason. */
type Remarks = Map<string, string[]>;

/** Which model of the data an entry of the book comes from. */
type Source = { id: string; provider: Provider; model: ModelInfo };

/**
 * Turns the package's providers into a price book in which every id and alias is unique.
 * `date` (YYYY-MM-DD) selects among dated prices. `alsoKnown` are existing names; those that are a model's name with a
 * date become aliases. The remarks list what was dropped or changed.
 */
export function makePriceBook(
  providers: Provider[],
  date: string,
  alsoKnown: readonly string[] = [],
): { book: SourcedPriceBook; remarks: Remarks; sources: Source[] } {
  const remarks: Remarks = new Map();
  const remark = (reason: string, name: string) => remarks.set(reason, [...(remarks.get(reason) ?? []), name]);
  const known = new Set([...knownNames(providers), ...alsoKnown, ...OTHER_NAMES]);
  const taken = new Set<string>();
  // All ids are assigned before any alias, so that an alias never pushes a model out of the book.
  const accepted = inOrderOfPriority(providers).flatMap((provider) =>
    provider.models.flatMap((model) => {
      const [id = "", ...aliases] = new Set(namesOf(provider, model, known));
      const prices = pricesInForce(model.prices, date);
      const reason = reasonToDrop(id, prices) ?? (taken.has(id) ? "dropped, its id is taken" : null);
      if (reason) remark(reason, id);
      else taken.add(id);
      return reason ? [] : [{ id, aliases, prices, provider, model }];
    }),
  );

  const models = accepted.map(({ id, aliases, prices }): EntryOfBook => {
    const free = aliases.filter((alias) => {
      const reason = !ID.test(alias) ? "not a valid id" : taken.has(alias) ? "taken" : null;
      if (reason) remark(`alias dropped, ${reason}`, `${alias} (of ${id})`);
      else taken.add(alias);
      return !reason;
    });
    const noteRounding = (key: string, usd: number) => {
      remark("rate rounded up to six decimals", `${id} ${key} ${usd}`);
    };
    for (const unit of unpricedUnits(prices)) remark(`not priced: ${unit}`, id);
    if (prices.output_mtok === undefined) {
      remark(Object.keys(prices).length === 0 ? "free" : "priced by input only, output costs 0", id);
    }
    const tiers = tiersOf(prices, noteRounding);
    return {
      id,
      aliases: free.sort(),
      input: "0",
      output: "0",
      ...listRates(prices, baseOf, noteRounding),
      ...(tiers === null ? {} : { tiers }),
    } as EntryOfBook;
  });
  addPlainNames(models, providers, taken);
  models.sort((a, b) => (a.id < b.id ? -1 : 1));
  const digest = createHash("sha256").update(JSON.stringify(models)).digest("hex").slice(0, 16);
  return {
    book: { source: SOURCE, digest, credits_per_usd: CREDITS_PER_USD, models },
    remarks,
    sources: accepted.map(({ id, provider, model }) => ({ id, provider, model })),
  };
}

/**
 * The names of some hosts are often reported without the host's prefix. Such a name becomes an alias if no other provider
 * uses it and if it means nothing else in the book: `amazon/nova-pro-v1`, but not `openai/gpt-5`, which is OpenAI's model.
 */
function addPlainNames(models: EntryOfBook[], providers: Provider[], taken: Set<string>): void {
  const sellers = new Map<string, number>();
  for (const { models: sold } of providers) {
    for (const name of new Set(sold.flatMap(({ id, match }) => [id, ...literalsOf(match, ["equals"])]))) {
      sellers.set(name.toLowerCase(), (sellers.get(name.toLowerCase()) ?? 0) + 1);
    }
  }
  const ids = new Map(models.flatMap(({ id, aliases }) => [id, ...aliases].map((name) => [name, id] as const)));
  for (const entry of models) {
    const host = SDK_HOSTS.find((each) => entry.id.startsWith(`${each}/`));
    if (host === undefined) continue;
    const names = [entry.id, ...entry.aliases]
      .filter((name) => name.startsWith(`${host}/`))
      .map((name) => name.slice(host.length + 1));
    const free = names.filter((name) => {
      const isTheirs = sellers.get(name.toLowerCase()) === 1 && !taken.has(name);
      return isTheirs && matchName(name, (spelling) => ids.get(spelling) ?? null) === null;
    });
    for (const name of free) taken.add(name);
    entry.aliases = [...entry.aliases, ...free].sort();
  }
}

/** The rates of those kinds that have a price, as `priceOf` reads it. */
function listRates(
  prices: ModelPrice,
  priceOf: (price: ModelPrice[string]) => number | undefined,
  noteRounding: (key: string, usd: number) => void,
): RateTexts {
  const rates: RateTexts = {};
  for (const { kind, per } of KINDS) {
    const key = `${kind}_${per === "million" ? "mtok" : "kcount"}`;
    const usd = priceOf(prices[key]);
    if (usd === undefined) continue;
    const { decimal, roundedUp } = toRate(usd);
    if (roundedUp) noteRounding(key, usd);
    rates[kind as Kind] = decimal;
  }
  return rates;
}

/** The long-context tiers `above_N`: a call belongs to one if its prompt is larger than N. Null if there are none. */
function tiersOf(
  prices: ModelPrice,
  noteRounding: (key: string, usd: number) => void,
): Record<string, TierPrice> | null {
  const starts = new Set(Object.values(prices).flatMap((price) => tierList(price).map(({ start }) => start)));
  if (starts.size === 0) return null;
  const tiers = [...starts]
    .sort((a, b) => a - b)
    .map((start) => {
      const priceAbove = (price: ModelPrice[string]) => tierList(price).findLast((tier) => tier.start <= start)?.price;
      const rates = listRates(prices, priceAbove, noteRounding);
      return [`above_${start}`, { above_input_tokens: start, ...rates }] as const;
    });
  return Object.fromEntries(tiers);
}

/** The tiers of a price, the lowest first. */
function tierList(price: ModelPrice[string]): { start: number; price: number }[] {
  return typeof price === "object" ? [...price.tiers].sort((a, b) => a.start - b.start) : [];
}

/** What the data prices and the book cannot. */
function unpricedUnits(prices: ModelPrice): Set<string> {
  return new Set(Object.keys(prices).flatMap((key) => UNPRICED_UNITS[key] ?? []));
}

/**
 * The prices of a model on a date: the latest of its dated prices that have begun. Of hourly prices, the highest of the
 * day: a price book has no hours, and a discount for a part of the day must not apply all day.
 */
export function pricesInForce(prices: ModelInfo["prices"], date: string): ModelPrice {
  if (!Array.isArray(prices)) return prices;
  const isHourly = ({ constraint }: ConditionalPrice) => constraint?.type === "time_of_date";
  const hasBegun = ({ constraint }: ConditionalPrice) =>
    constraint?.type !== "start_date" || constraint.start_date <= date;
  const current = prices.filter((price) => !isHourly(price) && hasBegun(price)).at(-1) ?? prices[0]!;
  return [current, ...prices.filter(isHourly)]
    .map((price) => price.prices)
    .reduce((highest, each) => ((baseOf(each.input_mtok) ?? 0) > (baseOf(highest.input_mtok) ?? 0) ? each : highest));
}

/**
 * Formats a rate in USD per million tokens as the shortest string with at most six decimals, rounded up if it has more.
 * Digits after the ninth decimal are ignored: they are floating-point noise in the data (0.18000000000000002).
 */
export function toRate(usd: number): { decimal: string; roundedUp: boolean } {
  if (!(usd >= 0 && usd < 10_000_000)) throw new Error(`${usd} USD per million tokens is not a valid rate`);
  const billionths = BigInt(usd.toFixed(9).replace(".", ""));
  const millionths = (billionths + 999n) / 1000n;
  const digits = String(millionths).padStart(7, "0");
  const decimal = `${digits.slice(0, -6)}.${digits.slice(-6)}`.replace(/\.?0+$/, "");
  return { decimal, roundedUp: billionths % 1000n !== 0n };
}

/** Formats the book as JSON with one model per line, so that a diff shows which models changed. */
export function formatPriceBook({ models, ...head }: SourcedPriceBook): string {
  const fields = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`);
  return `{\n${fields.join("")}  "models": [\n${models.map((model) => `    ${JSON.stringify(model)}`).join(",\n")}\n  ]\n}\n`;
}

/** The providers in the order in which they get aliases: makers first. */
function inOrderOfPriority(providers: Provider[]): Provider[] {
  const makers = MAKERS.flatMap((maker) => providers.filter(({ id }) => id === maker));
  return [...makers, ...providers.filter(({ id }) => !MAKERS.includes(id))];
}

function reasonToDrop(id: string, prices: ModelPrice): string | null {
  if (!ID.test(id)) return "dropped, not a valid id";
  if (prices.input_mtok === undefined && Object.keys(prices).length > 0) return "dropped, no price per token";
  if (INCOMPLETE.has(id)) return "dropped, no output price";
  return null;
}

/** A model's id in the book, then its aliases. Names may repeat, and may already belong to another model. */
function namesOf(provider: Provider, model: ModelInfo, known: Set<string>): string[] {
  const literals = literalNames(provider, model);
  if (isOwn(provider, model)) {
    return [CANONICAL_IDS[model.id] ?? model.id, model.id, ...literals, ...datedNames(provider, model, known)].filter(
      (name, i) => i === 0 || !UNFINISHED.test(name),
    );
  }
  const names = provider.id === "aws" ? bedrockNames(model, literals) : [model.id, ...literals];
  const prefix = PREFIXES[provider.id] ?? provider.id;
  const unique = names.filter((name) => UNIQUE_NAMES[provider.id]?.test(name));
  const others = (OTHER_PREFIXES[provider.id] ?? []).flatMap((other) => names.map((name) => other + name));
  // Bedrock's names are unique, and `bedrock/` is a path that the resolver removes.
  const prefixed = names.filter((name, i) => i === 0 || provider.id !== "aws" || !unique.includes(name));
  return [...prefixed.map((name) => `${prefix}/${name}`), ...unique, ...others, ...routedNames(provider, names)];
}

/** How Hugging Face's router and LiteLLM spell a model of one host: `org/model:host`, `huggingface/host/org/model`. */
function routedNames(provider: Provider, names: readonly string[]): string[] {
  if (!HUGGING_FACE.test(provider.id)) return [];
  const host = provider.id.replace(HUGGING_FACE, "");
  return names.flatMap((name) => [`${name}:${host}`, `huggingface/${host}/${name}`]);
}

/**
 * The literals in a model's rules, including the beginnings and parts of names, which are often complete names
 * themselves. A literal that the package prices as another model of this provider is left out.
 */
function literalNames(provider: Provider, model: ModelInfo): string[] {
  const literals = literalsOf(model.match, ["equals", "starts_with", "ends_with", "contains"]);
  return literals.filter((literal) => {
    return !UNFINISHED.test(literal) && calcPrice({}, literal, { provider })?.model.id === model.id;
  });
}

function isOwn(provider: Provider, model: ModelInfo): boolean {
  return MAKERS.includes(provider.id) && !RESOLD[provider.id]?.test(model.id);
}

/**
 * Bedrock's names for a model: complete, as in the rules, and without a date; each also with the regions in its rules.
 * `regional.` in the data means all regions at one price. The resolver removes regions that are not listed.
 */
function bedrockNames(model: ModelInfo, literals: readonly string[]): string[] {
  const name = model.id.replace(/^regional\./, "");
  const vendor = /^[a-z0-9]+(?=\.)/.exec(name.replace(/^global\./, ""))?.[0];
  const stem = name.replace(/(-v\d)?(:\d)?$/, "");
  const stems = new Set([name, stem, stem.replace(/-\d{8}$/, "")]);
  const regions = literals.flatMap((literal) => {
    const [, region, rest] = /^([a-z-]+)\.([a-z0-9]+\..+)$/.exec(literal) ?? [];
    return region && region !== vendor && stem.startsWith(rest!.replace(/-v\d$/, "")) ? [region] : [];
  });
  return [
    ...stems,
    ...[...new Set(regions)]
      .filter((region) => !name.startsWith(`${region}.`))
      .flatMap((region) => {
        return [...stems].map((each) => `${region}.${each}`);
      }),
    ...literals,
  ];
}

/** Known names with a date that the package prices as this model of its maker. */
function datedNames(provider: Provider, model: ModelInfo, known: Set<string>): string[] {
  const prefixes = [model.id, ...literalsOf(model.match, ["equals", "starts_with", "ends_with", "contains"])];
  const fineTuned = [...known].map((name) => `ft:${name}`);
  return [...known, ...(prefixes.some((prefix) => prefix.startsWith("ft:")) ? fineTuned : [])].filter(
    (name) =>
      prefixes.some((prefix) => name.startsWith(prefix) && DATED.test(name.slice(prefix.length))) &&
      calcPrice({}, name, { provider })?.model.id === model.id,
  );
}

/** All complete names in the data, without the `vendor/` prefix of resellers. */
function knownNames(providers: Provider[]): Set<string> {
  const rules = providers.flatMap(({ models }) => models.map(({ id, match }) => ({ id, match })));
  const whole = rules.flatMap(({ id, match }) => [id, ...literalsOf(match, ["equals"])]);
  const dated = rules
    .flatMap(({ match }) => literalsOf(match, ["starts_with", "contains"]))
    .filter((name) => /-\d{8}$/.test(name));
  return new Set([...whole, ...dated].map((name) => name.replace(/^.*\//, "")));
}

/** All model names in the types of the providers' SDKs, in order. */
export function namesInSdks(): string[] {
  return SDK_TYPES.flatMap((file) => {
    const text = readFileSync(new URL(`../../node_modules/${file}`, import.meta.url), "utf8");
    return [...text.matchAll(/'((?:claude|gpt|chatgpt|o\d|gemini)-[a-z0-9.-]+)'/g)].map(([, name = ""]) => name);
  });
}

function literalsOf(match: MatchLogic, kinds: string[]): string[] {
  return Object.entries(match).flatMap(([kind, value]: [string, string | MatchLogic[]]) => {
    if (typeof value === "string") return kinds.includes(kind) ? [value] : [];
    // Inside an `and`, even an exact name is only a part of the condition.
    return kind === "or" ? value.flatMap((each) => literalsOf(each, kinds)) : [];
  });
}

/** The price of the first tier, which applies until the prompt is long. */
function baseOf(price: ModelPrice[string]): number | undefined {
  return typeof price === "object" ? price.base : price;
}

if (import.meta.main) {
  const { book, remarks } = makePriceBook((await waitForUpdate()) ?? [], PRICED_ON, namesInSdks());
  const text = formatPriceBook(book);
  writeFileSync(TARGET, text);
  for (const [reason, names] of remarks) console.log(`${reason} (${names.length}): ${names.join(", ")}\n`);
  console.log(`${book.models.length} models, ${Math.ceil(text.length / 1024)} KB`);
}
