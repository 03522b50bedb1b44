/**
 * Usage of further kinds: audio and images, lifetimes of cache writes, searches, and price tiers. This file is long
 * because it is a table.
 */
import type { Usage } from "../../packages/client/src/fuelgauge.ts";
import { TOKEN_USAGES } from "./token-usages.ts";
import { type Means, one, type UsageCase } from "./usage-case.ts";

const SEARCHES = [
  { type: "web_search_call", id: "ws_1", status: "completed", action: { type: "search", query: "a" } },
  { type: "web_search_call", id: "ws_2", status: "completed", action: { type: "open_page", url: "https://a.example" } },
  { type: "web_search_call", id: "ws_3", status: "completed", action: { type: "search", query: "b" } },
  { type: "web_search_call", id: "ws_4", status: "completed", action: { type: "find_in_page", pattern: "c" } },
  { type: "file_search_call", id: "fs_1", status: "completed", queries: ["d"] },
];

export const USAGE_CASES: UsageCase[] = [
  ...TOKEN_USAGES,

  // Audio and images.
  one(
    "audio in and out",
    "chat",
    "gpt-audio",
    {
      prompt_tokens: 1_100,
      completion_tokens: 600,
      total_tokens: 1_700,
      prompt_tokens_details: { audio_tokens: 1_000 },
      completion_tokens_details: { audio_tokens: 500 },
    },
    { input_tokens: 100, input_audio_tokens: 1_000, output_tokens: 100, output_audio_tokens: 500 },
  ),
  one(
    "audio and text of a realtime response, both partly cached",
    "responses",
    "gpt-realtime",
    {
      input_tokens: 1_459,
      output_tokens: 396,
      total_tokens: 1_855,
      input_token_details: {
        text_tokens: 1_349,
        audio_tokens: 110,
        cached_tokens: 1_408,
        cached_tokens_details: { text_tokens: 1_344, audio_tokens: 64 },
      },
      output_token_details: { text_tokens: 97, audio_tokens: 299 },
    },
    {
      input_tokens: 5,
      cache_read_tokens: 1_344,
      input_audio_tokens: 46,
      cache_audio_read_tokens: 64,
      output_tokens: 97,
      output_audio_tokens: 299,
    },
  ),
  one(
    "image output",
    "responses",
    "gpt-image-1.5",
    { input_tokens: 50, output_tokens: 4_160, output_tokens_details: { image_tokens: 4_160 } },
    { input_tokens: 50, output_image_tokens: 4_160 },
  ),
  one(
    "images in the prompt and in the output",
    "responses",
    "gpt-image-1.5",
    {
      input_tokens: 373,
      output_tokens: 4_200,
      total_tokens: 4_573,
      input_tokens_details: { text_tokens: 50, image_tokens: 323 },
      output_tokens_details: { text_tokens: 40, image_tokens: 4_160 },
    },
    { input_tokens: 50, input_image_tokens: 323, output_tokens: 40, output_image_tokens: 4_160 },
  ),
  one(
    "audio that can only have come from the cache",
    "chat",
    "gpt-audio",
    {
      prompt_tokens: 1_100,
      completion_tokens: 5,
      prompt_tokens_details: { audio_tokens: 1_000, cached_tokens: 1_024 },
    },
    { cache_read_tokens: 100, input_audio_tokens: 76, cache_audio_read_tokens: 924, output_tokens: 5 },
  ),
  one(
    "Gemini's counts by modality",
    "google",
    "gemini-2.5-flash",
    {
      promptTokenCount: 2_000,
      cachedContentTokenCount: 900,
      candidatesTokenCount: 1_300,
      thoughtsTokenCount: 50,
      totalTokenCount: 3_350,
      promptTokensDetails: [
        { modality: "TEXT", tokenCount: 700 },
        { modality: "AUDIO", tokenCount: 1_000 },
        { modality: "IMAGE", tokenCount: 200 },
        { modality: "VIDEO", tokenCount: 100 },
      ],
      cacheTokensDetails: [
        { modality: "TEXT", tokenCount: 300 },
        { modality: "AUDIO", tokenCount: 600 },
      ],
      candidatesTokensDetails: [
        { modality: "IMAGE", tokenCount: 1_290 },
        { modality: "TEXT", tokenCount: 10 },
      ],
    },
    {
      input_tokens: 500,
      cache_read_tokens: 300,
      input_audio_tokens: 400,
      cache_audio_read_tokens: 600,
      input_image_tokens: 200,
      output_tokens: 60,
      output_image_tokens: 1_290,
    },
  ),

  // Lifetimes of cache writes.
  one(
    "cache writes of both lifetimes",
    "anthropic",
    "claude-sonnet-4-6",
    {
      input_tokens: 10,
      output_tokens: 20,
      cache_read_input_tokens: 0,
      cache_creation_input_tokens: 4_000,
      cache_creation: { ephemeral_5m_input_tokens: 1_000, ephemeral_1h_input_tokens: 3_000 },
    },
    { input_tokens: 10, output_tokens: 20, cache_write_tokens: 1_000, cache_write_1h_tokens: 3_000 },
  ),
  one(
    "a split that states only a part",
    "anthropic",
    "claude-sonnet-4-6",
    {
      input_tokens: 10,
      output_tokens: 20,
      cache_creation_input_tokens: 100,
      cache_creation: { ephemeral_1h_input_tokens: 40 },
    },
    { input_tokens: 10, output_tokens: 20, cache_write_tokens: 60, cache_write_1h_tokens: 40 },
  ),
  one(
    "a coding session with one-hour writes",
    "anthropic",
    "claude-opus-5",
    {
      input_tokens: 28,
      output_tokens: 2_930,
      cache_read_input_tokens: 448_453,
      cache_creation_input_tokens: 24_403,
      cache_creation: { ephemeral_5m_input_tokens: 0, ephemeral_1h_input_tokens: 24_403 },
    },
    { input_tokens: 28, output_tokens: 2_930, cache_read_tokens: 448_453, cache_write_1h_tokens: 24_403 },
  ),
  one(
    "Converse with cache writes of both lifetimes",
    "bedrock",
    "us.anthropic.claude-sonnet-4-6",
    {
      inputTokens: 12,
      outputTokens: 34,
      totalTokens: 5_046,
      cacheReadInputTokens: 3_000,
      cacheWriteInputTokens: 2_000,
      cacheDetails: [
        { ttl: "1h", inputTokens: 1_500 },
        { ttl: "5m", inputTokens: 500 },
      ],
    },
    {
      input_tokens: 12,
      output_tokens: 34,
      cache_read_tokens: 3_000,
      cache_write_tokens: 500,
      cache_write_1h_tokens: 1_500,
    },
  ),
  one(
    "Converse at a service tier",
    "bedrock",
    "amazon.nova-pro-v1:0",
    { inputTokens: 100, outputTokens: 20, totalTokens: 120 },
    {},
    { more: { serviceTier: { type: "flex" } }, means: { flex: { input_tokens: 100, output_tokens: 20 } } },
  ),

  // Searches.
  one(
    "Anthropic's searches",
    "anthropic",
    "claude-sonnet-4-6",
    { input_tokens: 31_772, output_tokens: 644, server_tool_use: { web_search_requests: 2, web_fetch_requests: 5 } },
    { input_tokens: 31_772, output_tokens: 644, web_searches: 2 },
  ),
  one(
    "OpenAI's searches, without the pages opened",
    "responses",
    "gpt-5",
    { input_tokens: 900, output_tokens: 80, total_tokens: 980 },
    { input_tokens: 900, output_tokens: 80, web_searches: 2, storage_searches: 1 },
    { more: { output: SEARCHES } },
  ),
  one(
    "OpenAI's searches, as a number",
    "responses",
    "gpt-5",
    { input_tokens: 900, output_tokens: 80, total_tokens: 980 },
    { input_tokens: 900, output_tokens: 80, web_searches: 3 },
    { more: { output: [], tool_usage: { web_search: { num_requests: 3 } } } },
  ),
  one(
    "xAI's searches",
    "responses",
    "grok-4.5",
    {
      input_tokens: 200,
      output_tokens: 30,
      total_tokens: 230,
      server_side_tool_usage_details: { web_search_calls: 2, x_search_calls: 1, file_search_calls: 4 },
    },
    { input_tokens: 200, output_tokens: 30, web_searches: 3, storage_searches: 4 },
  ),
  one(
    "xAI's live search",
    "chat",
    "grok-4.5",
    { prompt_tokens: 200, completion_tokens: 30, total_tokens: 230, num_sources_used: 5 },
    { input_tokens: 200, output_tokens: 30, web_searches: 5 },
  ),
  one(
    "Gemini's queries",
    "google",
    "gemini-2.5-flash",
    { promptTokenCount: 20, candidatesTokenCount: 30, totalTokenCount: 50 },
    { input_tokens: 20, output_tokens: 30, web_searches: 2 },
    { more: { groundingMetadata: { webSearchQueries: ["a", "b", ""] } } },
  ),

  // Tiers.
  one(
    "a call past the long-context threshold",
    "responses",
    "gpt-5.4",
    { input_tokens: 300_000, output_tokens: 1_000, total_tokens: 301_000 },
    {},
    { means: { above_271999: { input_tokens: 300_000, output_tokens: 1_000 } } },
  ),
  {
    name: "two calls that pass the threshold only together",
    api: "responses",
    model: "gpt-5.4",
    usages: [
      { input_tokens: 150_000, output_tokens: 500, total_tokens: 150_500 },
      { input_tokens: 150_000, output_tokens: 500, total_tokens: 150_500 },
    ],
    means: { standard: { input_tokens: 300_000, output_tokens: 1_000 } },
  },
  {
    name: "two calls of which one passes the threshold, most of it cached",
    api: "responses",
    model: "gpt-5.4",
    usages: [
      { input_tokens: 271_999, output_tokens: 500, total_tokens: 272_499 },
      {
        input_tokens: 272_000,
        output_tokens: 7,
        total_tokens: 272_007,
        input_tokens_details: { cached_tokens: 270_000 },
      },
    ],
    means: {
      standard: { input_tokens: 271_999, output_tokens: 500 },
      above_271999: { input_tokens: 2_000, cache_read_tokens: 270_000, output_tokens: 7 },
    },
  },
  one(
    "a service tier",
    "responses",
    "gpt-5",
    { input_tokens: 1_000, output_tokens: 100, total_tokens: 1_100 },
    {},
    { more: { service_tier: "priority" }, means: { priority: { input_tokens: 1_000, output_tokens: 100 } } },
  ),
  one(
    "a service tier that is the standard one",
    "chat",
    "gpt-5",
    { prompt_tokens: 1_000, completion_tokens: 100, total_tokens: 1_100 },
    { input_tokens: 1_000, output_tokens: 100 },
    { more: { service_tier: "default" } },
  ),
  one(
    "a service tier past a threshold",
    "responses",
    "gpt-5.4",
    { input_tokens: 300_000, output_tokens: 1_000, total_tokens: 301_000 },
    {},
    { more: { service_tier: "batch" }, means: { batch_above_271999: { input_tokens: 300_000, output_tokens: 1_000 } } },
  ),
  one(
    "a service tier without a price past the threshold",
    "responses",
    "gpt-5.4",
    { input_tokens: 300_000, output_tokens: 1_000, total_tokens: 301_000 },
    {},
    { more: { service_tier: "flex" }, means: { flex: { input_tokens: 300_000, output_tokens: 1_000 } } },
  ),
  one(
    "the tier that Anthropic states within the usage",
    "anthropic",
    "claude-sonnet-4-6",
    { input_tokens: 10, output_tokens: 20, service_tier: "batch" },
    {},
    { means: { batch: { input_tokens: 10, output_tokens: 20 } } },
  ),
  one(
    "the tier that Gemini states as a kind of traffic",
    "google",
    "gemini-2.5-flash",
    { promptTokenCount: 20, candidatesTokenCount: 30, totalTokenCount: 50, trafficType: "ON_DEMAND_FLEX" },
    {},
    { means: { flex: { input_tokens: 20, output_tokens: 30 } } },
  ),
  one(
    "iterations that pass the threshold one by one",
    "anthropic",
    "claude-sonnet-4-5",
    {
      input_tokens: 60_000,
      output_tokens: 900,
      iterations: [
        { type: "compaction", input_tokens: 250_000, output_tokens: 700 },
        { type: "message", input_tokens: 60_000, output_tokens: 900 },
      ],
    },
    {},
    {
      means: {
        above_200000: { input_tokens: 250_000, output_tokens: 700 },
        standard: { input_tokens: 60_000, output_tokens: 900 },
      },
    },
  ),
];

/** The tiers of the models in these cases. */
export function tiersOf(model: string): Record<string, { above_input_tokens?: number }> | null {
  if (model === "gpt-5.4") {
    const above_271999 = { above_input_tokens: 271_999 };
    return { above_271999, batch: {}, flex: {}, batch_above_271999: above_271999 };
  }
  if (model === "claude-sonnet-4-5") return { above_200000: { above_input_tokens: 200_000 } };
  return model === "kimi-k2.6" ? null : {};
}

/** The usage with every kind that a report has. */
export function reported(means: Means): Usage {
  return { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0, ...means };
}
