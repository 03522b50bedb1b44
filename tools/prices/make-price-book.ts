/**
 * Makes version 1 of the price book, `src/catalog/built-in-prices.json`, from the data of the npm package
 * `@pydantic/genai-prices` (MIT licence, © Pydantic Services Inc.). Run it with `node tools/prices/make-price-book.ts`.
 * Dated names that the data has no literal of come from the providers' own SDKs, which name them in their types; the
 * data's rules say which model each is. It fetches nothing: the same packages and the same PRICED_ON make the same bytes,
 * and a test holds the file to that.
 * A released version of a price book never changes; newer prices are put as the next version, over the API.
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

/** The day whose prices are taken where the data dates them. */
export const PRICED_ON = "2026-11-23";

const SOURCE = `Prices in force on ${PRICED_ON} by @pydantic/genai-prices 0.1.8, MIT licence, © Pydantic Services Inc.`;
const CREDITS_PER_USD = 100;
const TARGET = new URL("../../src/catalog/built-in-prices.json", import.meta.url);
const ID = /^[A-Za-z0-9_.:@/-]{1,128}$/;

/** Who sells models of their own: these keep their plain ids, and where two claim an alias the earlier has it. */
const MAKERS =
  "anthropic openai google x-ai mistral deepseek cohere moonshotai minimax zai perplexity arcee voyageai".split(" ");

/** What a maker resells beside its own models: Google the Claude models of Vertex AI, Arcee models named `maker/model`. */
const RESOLD: Record<string, RegExp> = { google: /^claude-/, arcee: /\// };

/** Resellers left out: Hugging Face's router repeats, at older prices, hosts that the book has under their own names. */
const LEFT_OUT = /^huggingface_/;

/** The names that people use, where the data's own id is another one; the data's id stays as an alias. */
const CANONICAL_IDS: Record<string, string> = {
  "grok-2-1212": "grok-2",
  "grok-2-vision-1212": "grok-2-vision",
  "grok-4-0709": "grok-4",
  codestral: "codestral-latest",
  "mistral-large": "mistral-large-latest",
  "pixtral-large": "pixtral-large-latest",
};

/** Resellers whose model names nobody else uses: these names are aliases also without the reseller in front. */
const UNMISTAKABLE_NAMES: Record<string, RegExp> = {
  aws: /^([a-z-]+\.)?[a-z0-9]+\.[a-z][a-z0-9-]/,
  cloudflare: /^@cf\//,
  fireworks: /^accounts\/fireworks\//,
};

/** What stands in front of a resold model's name, where it is not the data's word for the reseller. */
const PREFIXES: Record<string, string> = { aws: "bedrock", google: "vertex" };

/** Text models for which the data has no output price; an embedding has none because it has no output. */
const INCOMPLETE = new Set(["azure/babbage", "azure/curie", "azure/davinci"]);

/** Entries that price whatever begins like them. */
const FINE_TUNED = /^ft:|\.ft-$/;

/** What may follow the beginning that a rule asks for: `-20250929`, `-2025-04-14`, `-001`, `-preview-05-06`. */
const DATED = /^(-(preview|exp))?(-\d{8}|(-\d{2,4}){0,3})$/;

interface PricedModel {
  id: string;
  aliases: string[];
  input: string;
  output: string;
  cache_read: string;
  cache_write: string;
}

interface PriceBook {
  version: number;
  source: string;
  credits_per_usd: number;
  models: PricedModel[];
}

/** Where the providers' SDKs name the models that they take. */
const SDK_TYPES = [
  "@anthropic-ai/sdk/resources/messages/messages.d.ts",
  "openai/resources/shared.d.ts",
  "@google/genai/dist/genai.d.ts",
];

/** What could not be taken over as it stood: the names concerned, by reason. */
type Remarks = Map<string, string[]>;

/**
 * Turns the package's providers into a price book whose ids and aliases are unique over the whole book.
 * `date` (YYYY-MM-DD) decides between dated prices; `alsoKnown` are names that exist, which become aliases where they
 * are a model's name and a date. What is dropped or changed on the way stands in the remarks.
 */
export function makePriceBook(
  providers: Provider[],
  date: string,
  alsoKnown: readonly string[] = [],
): { book: PriceBook; remarks: Remarks } {
  const remarks: Remarks = new Map();
  const remark = (reason: string, name: string) => remarks.set(reason, [...(remarks.get(reason) ?? []), name]);
  const known = new Set([...knownNames(providers), ...alsoKnown]);
  const taken = new Set<string>();
  // Every id is claimed before any alias is, so an alias can never push a model out of the book.
  const accepted = inOrderOfClaim(providers).flatMap((provider) =>
    provider.models.flatMap((model) => {
      const [id = "", ...aliases] = new Set(namesOf(provider, model, known));
      const prices = pricesInForce(model.prices, date);
      const refusal = refusalOf(id, prices) ?? (taken.has(id) ? "dropped, its id is taken" : null);
      if (refusal) remark(refusal, id);
      else taken.add(id);
      return refusal ? [] : [{ id, aliases, prices }];
    }),
  );

  const models = accepted.map(({ id, aliases, prices }): PricedModel => {
    const free = aliases.filter((alias) => {
      const refusal = !ID.test(alias) ? "not a valid id" : taken.has(alias) ? "taken" : null;
      if (refusal) remark(`alias dropped, ${refusal}`, `${alias} (of ${id})`);
      else taken.add(alias);
      return !refusal;
    });
    const rate = (key: string) => {
      const usd = baseOf(prices[key]) ?? 0;
      const { decimal, roundedUp } = toRate(usd);
      if (roundedUp) remark("rate rounded up to six decimals", `${id} ${key} ${usd}`);
      return decimal;
    };
    const rateOrInput = (key: string) => rate(prices[key] === undefined ? "input_mtok" : key);
    if (prices.output_mtok === undefined) remark("priced by input alone, output is 0", id);
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
 * The prices of a model on a date: of dated ones the latest begun, and of prices by the hour the dearest of the day,
 * because a price book has no hours and a discount that holds for part of a day must not be given for all of it.
 */
export function pricesInForce(prices: ModelInfo["prices"], date: string): ModelPrice {
  if (!Array.isArray(prices)) return prices;
  const isHourly = ({ constraint }: ConditionalPrice) => constraint?.type === "time_of_date";
  const hasBegun = ({ constraint }: ConditionalPrice) =>
    constraint?.type !== "start_date" || constraint.start_date <= date;
  const current = prices.filter((price) => !isHourly(price) && hasBegun(price)).at(-1) ?? prices[0]!;
  return [current, ...prices.filter(isHourly)]
    .map((price) => price.prices)
    .reduce((dearest, each) => ((baseOf(each.input_mtok) ?? 0) > (baseOf(dearest.input_mtok) ?? 0) ? each : dearest));
}

/**
 * A rate in USD per million tokens as the shortest decimal string of at most six decimals, rounded up beyond them.
 * What differs only after the ninth decimal is float noise in the data (0.18000000000000002) and is no difference.
 */
export function toRate(usd: number): { decimal: string; roundedUp: boolean } {
  if (!(usd >= 0 && usd < 10_000_000)) throw new Error(`Cannot write a rate of ${usd} USD per million tokens`);
  const billionths = BigInt(usd.toFixed(9).replace(".", ""));
  const millionths = (billionths + 999n) / 1000n;
  const digits = String(millionths).padStart(7, "0");
  const decimal = `${digits.slice(0, -6)}.${digits.slice(-6)}`.replace(/\.?0+$/, "");
  return { decimal, roundedUp: billionths % 1000n !== 0n };
}

/** The book as JSON text with one model per line, so that a diff shows which models changed. */
export function formatPriceBook({ models, ...head }: PriceBook): string {
  const fields = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)},\n`);
  return `{\n${fields.join("")}  "models": [\n${models.map((model) => `    ${JSON.stringify(model)}`).join(",\n")}\n  ]\n}\n`;
}

/** The providers in the book, makers first: the order in which they claim aliases. */
function inOrderOfClaim(providers: Provider[]): Provider[] {
  const makers = MAKERS.flatMap((maker) => providers.filter(({ id }) => id === maker));
  return [...makers, ...providers.filter(({ id }) => !MAKERS.includes(id) && !LEFT_OUT.test(id))];
}

function refusalOf(id: string, prices: ModelPrice): string | null {
  if (!ID.test(id)) return "dropped, not a valid id";
  if (FINE_TUNED.test(id)) return "dropped, stands for fine-tuned models, which have names of their own";
  if (prices.input_mtok === undefined) return "dropped, no price per token";
  if (INCOMPLETE.has(id)) return "dropped, no output price";
  return null;
}

/** A model's id in the book, then its aliases; names may repeat, and whether they are free is seen later. */
function namesOf(provider: Provider, model: ModelInfo, known: Set<string>): string[] {
  const exact = literalsOf(model.match, ["equals"]);
  if (isOwn(provider, model)) {
    return [CANONICAL_IDS[model.id] ?? model.id, model.id, ...exact, ...datedNames(provider, model, known)];
  }
  const plain = provider.id === "aws" ? bedrockNames(model) : [model.id];
  const names = [...plain, ...exact];
  const prefix = PREFIXES[provider.id] ?? provider.id;
  const unmistakable = names.filter((name) => UNMISTAKABLE_NAMES[provider.id]?.test(name));
  return [...names.map((name) => `${prefix}/${name}`), ...unmistakable];
}

function isOwn(provider: Provider, model: ModelInfo): boolean {
  return MAKERS.includes(provider.id) && !RESOLD[provider.id]?.test(model.id);
}

/** Bedrock names a model with or without the region; `regional.` is the data's word for all regions that cost the same. */
function bedrockNames(model: ModelInfo): string[] {
  const name = model.id.replace(/^regional\./, "");
  const regions = literalsOf(model.match, ["starts_with", "ends_with", "contains"]).flatMap((literal) => {
    const [, region, rest] = /^(us|us-gov|eu|apac|au|jp|in)\.(.+)$/.exec(literal) ?? [];
    return region && name.startsWith(rest!) ? [`${region}.${name}`] : [];
  });
  return [name, ...regions];
}

/** Concrete names that the data has somewhere and that the package itself prices as this model of its maker. */
function datedNames(provider: Provider, model: ModelInfo, known: Set<string>): string[] {
  const beginnings = [model.id, ...literalsOf(model.match, ["equals", "starts_with", "ends_with", "contains"])];
  return [...known].filter(
    (name) =>
      beginnings.some((beginning) => name.startsWith(beginning) && DATED.test(name.slice(beginning.length))) &&
      calcPrice({}, name, { provider })?.model.id === model.id,
  );
}

/** Every name in the data that reads like a whole one, without the `vendor/` that resellers put in front. */
function knownNames(providers: Provider[]): Set<string> {
  const rules = providers.flatMap(({ models }) => models.map(({ id, match }) => ({ id, match })));
  const whole = rules.flatMap(({ id, match }) => [id, ...literalsOf(match, ["equals"])]);
  const dated = rules
    .flatMap(({ match }) => literalsOf(match, ["starts_with", "contains"]))
    .filter((name) => /-\d{8}$/.test(name));
  return new Set([...whole, ...dated].map((name) => name.replace(/^.*\//, "")));
}

/** Every name of a model in the types of the providers' SDKs, in their order. */
export function namesInSdks(): string[] {
  return SDK_TYPES.flatMap((file) => {
    const text = readFileSync(new URL(`../../node_modules/${file}`, import.meta.url), "utf8");
    return [...text.matchAll(/'((?:claude|gpt|chatgpt|o\d|gemini)-[a-z0-9.-]+)'/g)].map(([, name = ""]) => name);
  });
}

function literalsOf(match: MatchLogic, kinds: string[]): string[] {
  return Object.entries(match).flatMap(([kind, value]: [string, string | MatchLogic[]]) => {
    if (typeof value === "string") return kinds.includes(kind) ? [value] : [];
    // Inside an `and` even an exact name is only half of a condition.
    return kind === "or" ? value.flatMap((each) => literalsOf(each, kinds)) : [];
  });
}

/** The price of the first tier, which a run pays until its prompt grows long. */
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
