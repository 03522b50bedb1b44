/**
 * Makes version 1 of the price book, `src/catalog/built-in-prices.json`, from the data of the npm package
 * `@pydantic/genai-prices` (MIT licence, © Pydantic Services Inc.). Run it with `npm run prices`.
 * Dated model names that the data does not list come from the types of the providers' SDKs; the data's rules decide which
 * model each is. It fetches nothing: the same packages and PRICED_ON give the same bytes, which a test checks.
 * A released price book never changes. Newer prices are added as the next version, over the API.
 */
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
import type { ModelPrice as EntryOfBook, PriceBook } from "../../src/catalog/price-book.ts";

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

/** Excluded resellers: Hugging Face's router repeats, at older prices, hosts that the book already has. */
const EXCLUDED = /^huggingface_/;

/** The usual names of models for which the data uses another id. That id becomes an alias. */
const CANONICAL_IDS: Record<string, string> = {
  "grok-2-1212": "grok-2",
  "grok-2-vision-1212": "grok-2-vision",
  "grok-4-0709": "grok-4",
  codestral: "codestral-latest",
  "mistral-large": "mistral-large-latest",
  "pixtral-large": "pixtral-large-latest",
};

/** Model names that only one reseller uses: they are aliases even without the reseller's prefix. */
const UNIQUE_NAMES: Record<string, RegExp> = {
  aws: /^([a-z-]+\.)?[a-z0-9]+\.[a-z][a-z0-9-]/,
  cloudflare: /^@cf\//,
  fireworks: /^accounts\/fireworks\//,
};

/** The prefix of a reseller's models, if it is not the reseller's id in the data. */
const PREFIXES: Record<string, string> = { aws: "bedrock", google: "vertex" };

/** Text models for which the data lacks the output price. (Embedding models need none.) */
const INCOMPLETE = new Set(["azure/babbage", "azure/curie", "azure/davinci"]);

/** Entries for fine-tuned models, which price every name that starts with theirs. */
const FINE_TUNED = /^ft:|\.ft-$/;

/** What may follow the prefix in a rule: `-20250929`, `-2025-04-14`, `-001`, `-preview-05-06`. */
const DATED = /^(-(preview|exp))?(-\d{8}|(-\d{2,4}){0,3})$/;

/** The price book with a note on its source, as in the committed file. */
type SourcedPriceBook = PriceBook & { source: string };

/** Where the providers' SDKs list their models. */
const SDK_TYPES = [
  "@anthropic-ai/sdk/resources/messages/messages.d.ts",
  "openai/resources/shared.d.ts",
  "@google/genai/dist/genai.d.ts",
];

/** What was dropped or changed: the affected names by reason. */
type Remarks = Map<string, string[]>;

/**
 * Turns the package's providers into a price book in which every id and alias is unique.
 * `date` (YYYY-MM-DD) selects among dated prices. `alsoKnown` are existing names; those that are a model's name with a
 * date become aliases. The remarks list what was dropped or changed.
 */
export function makePriceBook(
  providers: Provider[],
  date: string,
  alsoKnown: readonly string[] = [],
): { book: SourcedPriceBook; remarks: Remarks } {
  const remarks: Remarks = new Map();
  const remark = (reason: string, name: string) => remarks.set(reason, [...(remarks.get(reason) ?? []), name]);
  const known = new Set([...knownNames(providers), ...alsoKnown]);
  const taken = new Set<string>();
  // All ids are assigned before any alias, so that an alias never pushes a model out of the book.
  const accepted = inOrderOfPriority(providers).flatMap((provider) =>
    provider.models.flatMap((model) => {
      const [id = "", ...aliases] = new Set(namesOf(provider, model, known));
      const prices = pricesInForce(model.prices, date);
      const reason = reasonToDrop(id, prices) ?? (taken.has(id) ? "dropped, its id is taken" : null);
      if (reason) remark(reason, id);
      else taken.add(id);
      return reason ? [] : [{ id, aliases, prices }];
    }),
  );

  const models = accepted.map(({ id, aliases, prices }): EntryOfBook => {
    const free = aliases.filter((alias) => {
      const reason = !ID.test(alias) ? "not a valid id" : taken.has(alias) ? "taken" : null;
      if (reason) remark(`alias dropped, ${reason}`, `${alias} (of ${id})`);
      else taken.add(alias);
      return !reason;
    });
    const rate = (key: string) => {
      const usd = baseOf(prices[key]) ?? 0;
      const { decimal, roundedUp } = toRate(usd);
      if (roundedUp) remark("rate rounded up to six decimals", `${id} ${key} ${usd}`);
      return decimal;
    };
    const rateOrInput = (key: string) => rate(prices[key] === undefined ? "input_mtok" : key);
    if (prices.output_mtok === undefined) remark("priced by input only, output costs 0", id);
    return {
      id,
      aliases: free.sort(),
      input: rate("input_mtok"),
      output: rate("output_mtok"),
      cache_read: rateOrInput("cache_read_mtok"),
      cache_write: rateOrInput("cache_write_mtok"),
    };
  });
  models.sort((a, b) => (a.id < b.id ? -1 : 1));
  return { book: { version: 1, source: SOURCE, credits_per_usd: CREDITS_PER_USD, models }, remarks };
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
  return [...makers, ...providers.filter(({ id }) => !MAKERS.includes(id) && !EXCLUDED.test(id))];
}

function reasonToDrop(id: string, prices: ModelPrice): string | null {
  if (!ID.test(id)) return "dropped, not a valid id";
  if (FINE_TUNED.test(id)) return "dropped, it prices fine-tuned models, whose names differ";
  if (prices.input_mtok === undefined) return "dropped, no price per token";
  if (INCOMPLETE.has(id)) return "dropped, no output price";
  return null;
}

/** A model's id in the book, then its aliases. Names may repeat, and may already belong to another model. */
function namesOf(provider: Provider, model: ModelInfo, known: Set<string>): string[] {
  const exact = literalsOf(model.match, ["equals"]);
  if (isOwn(provider, model)) {
    return [CANONICAL_IDS[model.id] ?? model.id, model.id, ...exact, ...datedNames(provider, model, known)];
  }
  const plain = provider.id === "aws" ? bedrockNames(model) : [model.id];
  const names = [...plain, ...exact];
  const prefix = PREFIXES[provider.id] ?? provider.id;
  const unique = names.filter((name) => UNIQUE_NAMES[provider.id]?.test(name));
  return [...names.map((name) => `${prefix}/${name}`), ...unique];
}

function isOwn(provider: Provider, model: ModelInfo): boolean {
  return MAKERS.includes(provider.id) && !RESOLD[provider.id]?.test(model.id);
}

/** Bedrock's names for a model, with and without a region. `regional.` in the data means all regions at one price. */
function bedrockNames(model: ModelInfo): string[] {
  const name = model.id.replace(/^regional\./, "");
  const regions = literalsOf(model.match, ["starts_with", "ends_with", "contains"]).flatMap((literal) => {
    const [, region, rest] = /^(us|us-gov|eu|apac|au|jp|in)\.(.+)$/.exec(literal) ?? [];
    return region && name.startsWith(rest!) ? [`${region}.${name}`] : [];
  });
  return [name, ...regions];
}

/** Known names with a date that the package prices as this model of its maker. */
function datedNames(provider: Provider, model: ModelInfo, known: Set<string>): string[] {
  const prefixes = [model.id, ...literalsOf(model.match, ["equals", "starts_with", "ends_with", "contains"])];
  return [...known].filter(
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
