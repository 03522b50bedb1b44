// Generates the demo's runs: who starts them and where, which models they use, and how many tokens. Pure, and equal
// seeds give equal runs, so an interrupted history can be sent again without charging anything twice.
// Usage looks like that of real coding agents: every turn reads the whole conversation from the cache and adds a
// little to it, so most tokens are cache reads.

import type { PriceBook } from "../../src/catalog/price-book.ts";
import type { Attribution } from "../kit/attribution.ts";
import { expectedChargeMicros, preferredModel, resolveModel, type TokenTotals } from "../kit/expected-cost.ts";
import { aroundMedian, pickEarly, pickWeighted, type Random, seededRandom, wholeBetween } from "../kit/random.ts";
import { busyness, type LocalTime, type PastHour } from "./rhythm.ts";
import type { DemoEnterprise } from "./world.ts";

/** One run, with one or two meters. */
export interface DemoRun extends Attribution {
  run: string;
  startedAtMs: number;
  meters: DemoMeter[];
}

/** One model of a run, and its final totals. */
interface DemoMeter {
  model: string;
  usage: TokenTotals;
}

const OWN_GROUP_RATIO = 0.85;
const AFTER_HOURS_CLI_RATIO = 0.25;
/** Some agents give side tasks to a small model. */
const HELPER_MODELS = ["claude-haiku-4-5", "gpt-5-mini", "gemini-2.5-flash"];
const HELPER_RATIO = 0.2;
const HELPER_TOKENS_RATIO = 0.15;

/** The runs that started in one past hour. `activity` is how busy that cycle was, compared with this one. */
export function runsOfHour(enterprise: DemoEnterprise, hour: PastHour, book: PriceBook, activity = 1): DemoRun[] {
  const name = `${enterprise.id}/${new Date(hour.startsAtMs).toISOString().slice(0, 13)}`;
  const dayFactor = 0.6 + 0.8 * seededRandom(`${enterprise.id}/${hour.date}`)();
  const expected = enterprise.runsPerBusyHour * busyness(hour) * dayFactor * activity;
  const count = Math.floor(expected + seededRandom(name)());
  return Array.from({ length: count }, (_, index) => {
    const random = seededRandom(`${name}/${index}`);
    const startedAtMs = Math.floor(hour.startsAtMs + random() * (hour.endsAtMs - hour.startsAtMs));
    const run = `${name.slice(enterprise.id.length + 1).replace(/\D/g, "")}-${index + 1}`;
    return { run, startedAtMs, ...attributionOf(enterprise, hour, random), meters: metersOf(enterprise, book, random) };
  });
}

/** Who starts a run at this hour, in which workspace, and from which surface. */
export function attributionOf(enterprise: DemoEnterprise, { hour }: LocalTime, random: Random): Attribution {
  const user = pickEarly(random, enterprise.users);
  const own = enterprise.workspaces.filter(({ group_id }) => group_id === user.group);
  const workspace = pickEarly(random, own.length > 0 && random() < OWN_GROUP_RATIO ? own : enterprise.workspaces);
  const afterHours = hour < 8 || hour >= 18 ? AFTER_HOURS_CLI_RATIO : 0;
  return { surface: random() < user.cliShare + afterHours ? "cli" : "web", workspace: workspace.id, user: user.id };
}

/** The models of a run and their final totals, before they are scaled to a target cost. */
export function metersOf(enterprise: DemoEnterprise, book: PriceBook, random: Random): DemoMeter[] {
  const models = inBook(enterprise.models, book);
  const model = pickWeighted(random, models, (_model, index) => 1 / (index + 1) ** 1.5);
  const usage = agentUsage(model, random);
  const helper = inBook(HELPER_MODELS, book).find((candidate) => candidate !== model);
  if (!helper || random() >= HELPER_RATIO) return [{ model, usage }];
  return [
    { model, usage },
    { model: helper, usage: scaleUsage(agentUsage(helper, random), HELPER_TOKENS_RATIO) },
  ];
}

/** The charge of these meters, in micros of the enterprise's unit. */
export function costOfMeters(meters: readonly DemoMeter[], enterprise: DemoEnterprise, book: PriceBook): number {
  const unit = enterprise.settings.billing_model === "byom" ? "usd" : "credits";
  const costs = meters.map(({ model, usage }) => expectedChargeMicros(usage, resolveModel(book, model)!, unit, book));
  return Number(costs.reduce((sum, cost) => sum + cost, 0n));
}

/** Multiplies every kind of token by a factor and rounds to whole tokens. */
export function scaleUsage(usage: TokenTotals, factor: number): TokenTotals {
  return {
    input_tokens: Math.round(usage.input_tokens * factor),
    output_tokens: Math.round(usage.output_tokens * factor),
    cache_read_tokens: Math.round(usage.cache_read_tokens * factor),
    cache_write_tokens: Math.round(usage.cache_write_tokens * factor),
  };
}

function agentUsage(model: string, random: Random): TokenTotals {
  const turns = Math.min(60, Math.max(1, Math.round(aroundMedian(random, 8, 2))));
  const promptTokens = wholeBetween(random, 8_000, 16_000);
  const tokensPerTurn = wholeBetween(random, 800, 2_200);
  const freshTokens = turns * wholeBetween(random, 40, 400);
  const growthTokens = promptTokens + turns * tokensPerTurn;
  // Only some providers charge for cache writes. For the others these tokens are plain input.
  const writesCache = model.startsWith("claude");
  return {
    input_tokens: freshTokens + (writesCache ? 0 : growthTokens),
    output_tokens: Math.round(turns * aroundMedian(random, 260, 1.6)),
    cache_read_tokens: (turns - 1) * promptTokens + Math.round((tokensPerTurn * turns * (turns - 1)) / 2),
    cache_write_tokens: writesCache ? growthTokens : 0,
  };
}

function inBook(models: readonly string[], book: PriceBook): string[] {
  const known = models.filter((model) =>
    book.models.some(({ id, aliases }) => id === model || aliases.includes(model)),
  );
  return known.length > 0 ? known : [preferredModel(book, models)];
}
