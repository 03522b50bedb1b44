/**
 * OpenAI, Chat Completions and Responses. Both count the prompt as a whole: what was read from the cache and what was
 * written to it are parts of it and are taken off. Reasoning is part of the completion. A chat stream says its usage
 * in the last chunk, and only when asked by `stream_options: {include_usage: true}`; a response says it when it has
 * completed, failed, or ended incomplete. Before that, OpenAI says nothing, so a stream cut short counts nothing.
 */
import type { Fold, MeterOptions } from "./metered.ts";
import { countOf, meterStream, recordResponse, splitPrompt } from "./metered.ts";
import type { Run } from "./run.ts";
import type { Totals } from "./totals.ts";

type Details = { cached_tokens?: number | null; cache_write_tokens?: number | null } | null;

/** Of a chat (`prompt_tokens`, `completion_tokens`) or of a response (`input_tokens`, `output_tokens`). */
export type OpenAIUsage = {
  prompt_tokens?: number;
  completion_tokens?: number;
  prompt_tokens_details?: Details;
  input_tokens?: number;
  output_tokens?: number;
  input_tokens_details?: Details;
};

/** A chunk of a chat, an event of a response, or either of them in one piece. */
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
      // Some servers leave the model empty in a chunk that only carries filters.
      served = model || served;
      if (usage !== null && usage !== undefined) totals = openaiTotals(usage);
    },
    counted() {
      const model = name ?? served;
      return totals === null || model === undefined ? [] : [{ model, usage: totals }];
    },
  };
}

/** The four disjoint kinds of an inclusive usage. */
export function openaiTotals(usage: OpenAIUsage): Totals {
  const prompt = countOf(usage.prompt_tokens ?? usage.input_tokens);
  const details = usage.prompt_tokens_details ?? usage.input_tokens_details;
  return {
    ...splitPrompt(prompt, countOf(details?.cached_tokens), countOf(details?.cache_write_tokens)),
    output_tokens: countOf(usage.completion_tokens ?? usage.output_tokens),
  };
}

/** Passes the chunks of a chat or the events of a response through and reports what they say. */
export function meter<Event extends OpenAIEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, openaiUsage(options));
}

/** Reports a chat completion or a response that came in one piece, and gives it back. */
export function record<Answer extends OpenAIEvent>(answer: Answer, run: Run, options?: MeterOptions): Answer {
  return recordResponse(answer, run, openaiUsage(options));
}
