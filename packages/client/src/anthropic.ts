/**
 * Anthropic Messages: `message_start` says what the prompt used, each `message_delta` the whole message's totals so
 * far, of which the last one counts. The four kinds are disjoint as they come; cache writes of both lifetimes are
 * `cache_write_tokens`. Where a message lists its iterations, those are what is billed: a compaction stands only there,
 * and an advisor's or a fallback's tokens belong to another model.
 */
import type { Counted, Fold, MeterOptions } from "./metered.ts";
import { countOf, meterStream, recordResponse } from "./metered.ts";
import type { Run } from "./run.ts";
import { sumOf, type Totals } from "./totals.ts";

type Count = number | null | undefined;

type TokenCounts = {
  input_tokens?: Count;
  output_tokens?: Count;
  cache_read_input_tokens?: Count;
  cache_creation_input_tokens?: Count;
  cache_creation?: { ephemeral_5m_input_tokens?: Count; ephemeral_1h_input_tokens?: Count } | null;
};

type MessageUsage = TokenCounts & { iterations?: readonly (TokenCounts & { model?: string | null })[] | null };

/** An event of a streamed message, or a message that came in one piece. */
export type AnthropicEvent = {
  type: string;
  message?: { id?: string; model: string; usage: MessageUsage };
  model?: string;
  usage?: MessageUsage | null;
};

export function anthropicUsage({ model: name }: MeterOptions = {}): Fold<AnthropicEvent> {
  let started: { id: string | undefined; model: string } | null = null;
  let usage: MessageUsage = {};
  const start = (id: string | undefined, model: string, said: MessageUsage) => {
    // A start that comes again is no news: it would set the totals back.
    if (started !== null && started.id === id && started.model === model) return;
    started = { id, model };
    usage = said;
  };
  return {
    add(event) {
      if (event.type === "message_start" && event.message !== undefined) {
        start(event.message.id, event.message.model, event.message.usage);
      } else if (event.type === "message_delta") {
        usage = { ...usage, ...whatIsSaid(event.usage ?? {}) };
      } else if (event.type === "message" && event.model !== undefined) {
        start(undefined, event.model, event.usage ?? {});
      }
    },
    counted() {
      if (started === null) return [];
      const { model } = started;
      const { iterations } = usage;
      if (!Array.isArray(iterations) || iterations.length === 0) {
        return [{ model: name ?? model, usage: totalsOf(usage) }];
      }
      const byModel = new Map<string, Totals[]>();
      for (const iteration of iterations) {
        const own = iteration.model === null || iteration.model === undefined || iteration.model === model;
        const key = own ? (name ?? model) : iteration.model;
        byModel.set(key, [...(byModel.get(key) ?? []), totalsOf(iteration)]);
      }
      return [...byModel].map(([key, all]): Counted => ({ model: key, usage: sumOf(all) }));
    },
  };
}

/** Passes the events of a streamed message through and reports what they say: `meter(await messages.create(…), run)`. */
export function meter<Event extends AnthropicEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, anthropicUsage(options));
}

/** Reports a message that came in one piece, and gives it back. */
export function record<Message extends AnthropicEvent>(message: Message, run: Run, options?: MeterOptions): Message {
  return recordResponse(message, run, anthropicUsage(options));
}

function totalsOf(usage: TokenCounts): Totals {
  const { ephemeral_5m_input_tokens, ephemeral_1h_input_tokens } = usage.cache_creation ?? {};
  return {
    input_tokens: countOf(usage.input_tokens),
    output_tokens: countOf(usage.output_tokens),
    cache_read_tokens: countOf(usage.cache_read_input_tokens),
    cache_write_tokens:
      countOf(usage.cache_creation_input_tokens) ||
      countOf(ephemeral_5m_input_tokens) + countOf(ephemeral_1h_input_tokens),
  };
}

/** A null in a delta says nothing; it does not take back what was said. */
function whatIsSaid(usage: MessageUsage): MessageUsage {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null && value !== undefined));
}
