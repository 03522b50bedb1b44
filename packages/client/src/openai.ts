/**
 * The adapter for OpenAI Chat Completions and Responses. In both, the prompt's count includes cache reads and cache
 * writes, so the adapter subtracts them. The completion's count includes reasoning. A chat stream states its usage in
 * the last chunk, and only if the request has `stream_options: {include_usage: true}`. A response states its usage when
 * it completes, fails or ends incomplete. OpenAI states nothing earlier, so a stream that is cut off counts nothing.
 */
import type { Fold, MeterOptions } from "./metered.ts";
import { countOf, meterStream, recordResponse, splitPrompt } from "./metered.ts";
import type { Run } from "./run.ts";
import type { Totals } from "./totals.ts";

type Details = { cached_tokens?: number | null; cache_write_tokens?: number | null } | null;

/** The usage of a chat (`prompt_tokens`, `completion_tokens`) or of a response (`input_tokens`, `output_tokens`). */
export type OpenAIUsage = {
  prompt_tokens?: number;
  completion_tokens?: number;
  prompt_tokens_details?: Details;
  input_tokens?: number;
  output_tokens?: number;
  input_tokens_details?: Details;
};

/** A chunk of a chat stream, an event of a response stream, or a complete chat or response. */
export type OpenAIEvent = {
  object?: string;
  model?: string;
  usage?: OpenAIUsage | null;
  type?: string;
  response?: { model?: string; usage?: OpenAIUsage | null };
};

export function openaiUsage({ model: name }: MeterOptions = {}): Fold<OpenAIEvent> {
  let served: string | undefined;
  let totals: Totals | null = null;
  return {
    add(event) {
      const { model, usage } = event.response ?? event;
      // Some servers leave the model empty in chunks that contain only content filters.
      served = model || served;
      if (usage !== null && usage !== undefined) totals = openaiTotals(usage);
    },
    counted() {
      const model = name ?? served;
      return totals === null || model === undefined ? [] : [{ model, usage: totals }];
    },
  };
}

/** Converts OpenAI's inclusive counts to the four disjoint kinds. */
export function openaiTotals(usage: OpenAIUsage): Totals {
  const prompt = countOf(usage.prompt_tokens ?? usage.input_tokens);
  const details = usage.prompt_tokens_details ?? usage.input_tokens_details;
  return {
    ...splitPrompt(prompt, countOf(details?.cached_tokens), countOf(details?.cache_write_tokens)),
    output_tokens: countOf(usage.completion_tokens ?? usage.output_tokens),
  };
}

/** Passes the chunks of a chat or the events of a response through, and reports their usage. */
export function meter<Event extends OpenAIEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, openaiUsage(options));
}

/** Reports the usage of a complete chat completion or response, and returns it. */
export function record<Response extends OpenAIEvent>(response: Response, run: Run, options?: MeterOptions): Response {
  return recordResponse(response, run, openaiUsage(options));
}
