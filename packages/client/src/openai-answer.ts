/** What one response of OpenAI's interfaces, and of those that imitate them, has stated so far. */
import { addText, countOf, isRecord, mergeStated, serviceTier } from "./metered.ts";
import { type Medium, type OpenAIUsage, statesUsage } from "./openai-usage.ts";

export type Fields = Record<string, unknown>;

/** One response of the provider. */
export type Answer = {
  id: string;
  model: string | undefined;
  tier: string | undefined;
  usage: OpenAIUsage | null;
  /** The usage that single choices state, by the choice's index. */
  choices: Map<unknown, OpenAIUsage>;
  /** Whether a usage of zeros was stated. While a stream goes on, that means nothing. */
  zero: boolean;
  ended: boolean;
  medium: Medium;
  /** Ids of the searches made, and how many the complete response lists. */
  web: Set<unknown>;
  storage: Set<unknown>;
  listed: { web: number; storage: number };
  /** The usage of the tool that makes images, and the tool's model. */
  imageTool: { model: string; usage: OpenAIUsage } | null;
  text: { ascii: number; other: number };
};

/** The events with which a response ends. */
const LAST_EVENT =
  /^response\.(completed|incomplete|failed|cancelled|done)$|^(image_\w+|transcript\.text|speech\.audio)\.(completed|done)$/;

export function newAnswer(id: string): Answer {
  return {
    id,
    model: undefined,
    tier: undefined,
    usage: null,
    zero: false,
    choices: new Map(),
    ended: false,
    medium: "text",
    web: new Set(),
    storage: new Set(),
    listed: { web: 0, storage: 0 },
    imageTool: null,
    text: { ascii: 0, other: 0 },
  };
}

export function addTo(answer: Answer, event: Fields, body: Fields): void {
  const { type } = event;
  // Some servers leave the model empty in chunks that contain only content filters.
  answer.model = nameOf(body.model) ?? answer.model;
  const choices = Array.isArray(body.choices) ? body.choices.filter(isRecord) : null;
  const groq = isRecord(body.x_groq) ? body.x_groq.usage : undefined;
  const usage = mergeStated(mergeStated({}, groq), body.usage ?? event.usage);
  if (statesUsage(usage)) answer.usage = mergeStated(answer.usage ?? {}, usage);
  else if (isRecord(body.usage)) answer.zero = true;
  const tier = body.service_tier ?? (isRecord(body.usage) ? body.usage.service_tier : undefined);
  if (typeof tier === "string") answer.tier = serviceTier(tier);
  for (const [position, { index = position, usage: own, finish_reason: reason }] of (choices ?? []).entries()) {
    if (statesUsage(own)) answer.choices.set(index, mergeStated(answer.choices.get(index) ?? {}, own));
    if (reason !== null && reason !== undefined && reason !== "") answer.ended = true;
  }
  // A chunk without choices that states the usage is the last one, and so is a complete response.
  if (statedBy(answer) !== null && type === undefined && (choices === null || choices.length === 0))
    answer.ended = true;
  if (typeof type === "string" && LAST_EVENT.test(type)) answer.ended = true;
  answer.medium = mediumOf(event) ?? answer.medium;
  addSearches(answer, event, body);
  addImageTool(answer, body);
}

function addSearches(
  answer: Answer,
  { type, item, output_index: at }: Fields,
  { output, tool_usage: tools }: Fields,
): void {
  const add = (sets: { web: Set<unknown>; storage: Set<unknown> }, call: unknown, position: unknown) => {
    const kind = searchKind(call);
    if (kind !== null && isRecord(call)) sets[kind].add(call.id ?? position);
  };
  if (type === "response.output_item.done") add(answer, item, at);
  if (!Array.isArray(output)) return;
  const listed = { web: new Set(), storage: new Set() };
  for (const [position, call] of output.entries()) add(listed, call, position);
  answer.listed = { web: listed.web.size, storage: listed.storage.size };
  const search = isRecord(tools) && isRecord(tools.web_search) ? countOf(tools.web_search.num_requests) : 0;
  const isListed = output.some((call) => isRecord(call) && call.type === "web_search_call");
  if (!isListed) answer.listed.web = search;
}

/** Returns what an item of a response searched. Opening a page, or finding text in it, is not a search. */
function searchKind(item: unknown): "web" | "storage" | null {
  if (!isRecord(item) || item.status === "failed") return null;
  if (item.type === "file_search_call") return "storage";
  if (item.type !== "web_search_call" && item.type !== "x_search_call") return null;
  const action = isRecord(item.action) ? (item.action.type ?? "search") : "search";
  return action === "search" ? "web" : null;
}

export function searchesOf({ web, storage, listed }: Answer) {
  return { web_searches: Math.max(web.size, listed.web), storage_searches: Math.max(storage.size, listed.storage) };
}

/** Responses state the usage of their image tool apart, and name its model only among the tools. */
function addImageTool(answer: Answer, { tools, tool_usage: used }: Fields): void {
  if (!isRecord(used) || !statesUsage(used.image_gen)) return;
  const tool = (Array.isArray(tools) ? tools : []).find((one) => isRecord(one) && one.type === "image_generation");
  answer.imageTool = { model: nameOf(tool?.model) ?? "image_generation", usage: used.image_gen };
}

export function statedBy({ usage, choices, zero, ended }: Answer): OpenAIUsage | null {
  if (usage !== null || choices.size === 0) return usage ?? (zero && ended ? {} : null);
  const [first, ...others] = choices.values();
  if (others.length === 0) return first ?? null;
  // Several choices share their prompt.
  const sum: Record<string, number> = {};
  for (const choice of choices.values()) {
    sum.prompt_tokens = Math.max(sum.prompt_tokens ?? 0, countOf(choice.prompt_tokens));
    sum.completion_tokens = (sum.completion_tokens ?? 0) + countOf(choice.completion_tokens);
    sum.cached_tokens = Math.max(sum.cached_tokens ?? 0, countOf((choice as Fields).cached_tokens));
  }
  return sum;
}

/** Returns what the interfaces for images and speech answer with, or null for an event of another interface. */
function mediumOf({ type, data, object }: Fields): Medium | null {
  if (typeof type === "string")
    return type.startsWith("image_") ? "image" : type.startsWith("speech.") ? "audio" : null;
  return object === undefined && Array.isArray(data) ? "image" : null;
}

/** Whether a chunk of a chat has text or a tool call. */
export function hasContent({ choices }: Fields): boolean {
  return textsOf(choices).some((text) => typeof text === "string" && text !== "");
}

/** Returns the pieces of text, reasoning and tool calls in the choices of a chunk. */
function textsOf(choices: unknown): unknown[] {
  const all = Array.isArray(choices) ? choices.filter(isRecord) : [];
  return all.flatMap(({ delta }) => {
    if (!isRecord(delta)) return [];
    const calls = Array.isArray(delta.tool_calls) ? delta.tool_calls.filter(isRecord) : [];
    const called = calls.flatMap((call) =>
      isRecord(call.function) ? [call.function.name, call.function.arguments] : [],
    );
    return [delta.content, delta.reasoning_content ?? delta.reasoning, delta.refusal, ...called];
  });
}

/** Adds the text of an event to the text whose tokens may have to be estimated. */
export function addOutput(answer: Answer, { type, delta }: Fields, { choices }: Fields): void {
  for (const text of textsOf(choices)) addText(answer.text, text);
  // A summary of the reasoning is not what the model has generated.
  if (typeof type === "string" && type.endsWith(".delta") && !type.includes("summary")) addText(answer.text, delta);
}

export function nameOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
