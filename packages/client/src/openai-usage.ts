/**
 * Converts the usage of OpenAI's interfaces, and of the many that imitate them, to disjoint kinds. OpenAI's prompt
 * includes cache reads, cache writes, audio and images, and its completion includes reasoning, audio and images. Others
 * use other names, or count some of this beside the prompt or the completion. Their total shows which.
 */
import { countOf, isRecord, largestOf } from "./metered.ts";
import { type Cached, type Media, splitPrompt } from "./prompt.ts";
import { sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";

type Count = number | null | undefined;

/** The usage of a chat (`prompt_tokens`, `completion_tokens`) or of a response (`input_tokens`, `output_tokens`). */
export type OpenAIUsage = {
  prompt_tokens?: Count;
  completion_tokens?: Count;
  input_tokens?: Count;
  output_tokens?: Count;
  total_tokens?: Count;
  prompt_tokens_details?: object | null;
  completion_tokens_details?: object | null;
  input_tokens_details?: object | null;
  output_tokens_details?: object | null;
};

type Fields = Record<string, unknown>;

/** What an interface answers with, if its usage has no details. */
export type Medium = "text" | "audio" | "image";

type OpenAITotals = { usage: Totals; promptTokens: number };

/**
 * Converts a usage to disjoint kinds.
 * @param medium what output without details consists of
 */
export function openaiTotals(stated: OpenAIUsage, medium: Medium = "text"): OpenAITotals {
  const usage = stated as Fields;
  const promptDetails = firstRecord(usage, [
    "prompt_tokens_details",
    "input_tokens_details",
    "input_token_details",
    "prompt_token_details",
  ]);
  const details = firstRecord(usage, [
    "completion_tokens_details",
    "output_tokens_details",
    "output_token_details",
    "completion_token_details",
  ]);
  const cached = cachedOf(usage, promptDetails);
  const { prompt, completion } = wholeOf(usage, cached, countOf(details.reasoning_tokens));
  const input = splitPrompt(prompt, cached, mediaOf(promptDetails), cachedMediaOf(promptDetails));
  const media = mediaOf(details);
  if (medium !== "text" && media.audio + media.image + countOf(details.text_tokens) === 0) media[medium] = completion;
  const output = {
    ...ZERO_TOTALS,
    output_tokens: Math.max(0, completion - media.audio - media.image),
    output_audio_tokens: media.audio,
    output_image_tokens: media.image,
    ...searchesOf(usage),
  };
  return { usage: sumOf([input, output]), promptTokens: prompt };
}

/** Whether a usage states anything but zeros. */
export function statesUsage(usage: unknown): usage is OpenAIUsage {
  if (!isRecord(usage)) return false;
  return Object.values(usage).some((value) => countOf(value) > 0 || statesUsage(value));
}

/** Returns the searches that a usage states, under the names of the various providers. */
function searchesOf(usage: Fields): Pick<Totals, "web_searches" | "storage_searches"> {
  const server = recordOf(usage.server_tool_use);
  const xai = recordOf(usage.server_side_tool_usage_details);
  const connectors = recordOf(usage.connectors);
  const web = largestOf(
    server.web_search_requests,
    countOf(xai.web_search_calls) + countOf(xai.x_search_calls),
    countOf(connectors.web_search) + countOf(connectors.web_search_premium),
    recordOf(recordOf(usage.plugins).search).count,
    usage.num_search_queries,
    usage.web_search_requests,
    usage.num_sources_used,
  );
  const storage = largestOf(
    countOf(xai.file_search_calls) + countOf(xai.document_search_calls) + countOf(xai.collections_search_calls),
    connectors.document_library,
  );
  return { web_searches: web, storage_searches: storage };
}

/** Reads cache reads and writes from the places where providers state them. */
function cachedOf(usage: Fields, details: Fields): Cached {
  const read = largestOf(
    details.cached_tokens,
    details.cache_read_tokens,
    details.cache_read_input_tokens,
    usage.cached_tokens,
    usage.num_cached_tokens,
    usage.prompt_cache_hit_tokens,
    usage.cache_read_input_tokens,
    usage.cache_read_tokens,
  );
  const lifetimes = firstRecord({ ...usage, ...details }, ["cache_creation", "cache_creation_token_details"]);
  const written1h = countOf(lifetimes.ephemeral_1h_input_tokens);
  const written = largestOf(
    details.cache_write_tokens,
    details.cache_creation_tokens,
    details.cache_creation_input_tokens,
    details.cached_creation_tokens,
    usage.cache_write_tokens,
    usage.cache_creation_input_tokens,
    written1h + countOf(lifetimes.ephemeral_5m_input_tokens),
  );
  return { read, written, written1h };
}

/** Returns the whole prompt and the whole completion, if the total shows that they are larger than they say. */
function wholeOf(usage: Fields, cached: Cached, reasoning: number): { prompt: number; completion: number } {
  const total = countOf(usage.total_tokens);
  const stated = numberOf(usage.completion_tokens ?? usage.output_tokens);
  const prompt =
    numberOf(usage.prompt_tokens ?? usage.input_tokens) ??
    (countOf(usage.prompt_cache_hit_tokens) + countOf(usage.prompt_cache_miss_tokens) ||
      Math.max(0, total - (stated ?? 0)));
  // Reasoning that is larger than the completion cannot be a part of it.
  const completion = stated ?? 0;
  const least = reasoning > completion ? completion + reasoning : completion;
  const missing = total - prompt - completion;
  if (missing <= 0) return { prompt, completion: least };
  const { read, written } = cached;
  const connectors = countOf(usage.connector_tokens);
  for (const beside of [connectors, read + written, read, written]) {
    // The cache, or what a tool read, is counted beside the prompt.
    if (beside === 0 || missing === reasoning) continue;
    if (missing === beside) return { prompt: prompt + beside, completion };
    if (reasoning > 0 && missing === beside + reasoning)
      return { prompt: prompt + beside, completion: completion + reasoning };
  }
  return { prompt, completion: Math.max(least, completion + missing) };
}

function mediaOf(details: Fields): Media {
  return { audio: countOf(details.audio_tokens), image: countOf(details.image_tokens) };
}

/** Returns the audio and images read from the cache, or null if they are not stated. */
function cachedMediaOf(details: Fields): Media | null {
  const cached = firstRecord(details, ["cached_tokens_details"]);
  const audio = largestOf(cached.audio_tokens, cached.cached_audio_tokens, details.cached_audio_tokens);
  const image = largestOf(cached.image_tokens, cached.cached_image_tokens, details.cached_image_tokens);
  return audio + image === 0 && Object.keys(cached).length === 0 ? null : { audio, image };
}

/** Returns the first of these fields that is an object, or an empty object. */
function firstRecord(fields: Fields, names: readonly string[]): Fields {
  return recordOf(names.map((name) => fields[name]).find(isRecord));
}

function recordOf(value: unknown): Fields {
  return isRecord(value) ? value : {};
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" ? countOf(value) : undefined;
}
