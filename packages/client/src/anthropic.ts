/**
 * The adapter for Anthropic Messages. `message_start` states the prompt's usage. Each `message_delta` states the whole
 * message's totals so far, and the last one counts. Anthropic's four kinds do not overlap. `cache_write_tokens` includes
 * cache writes of both lifetimes. If a message lists `iterations`, Anthropic bills the iterations: only they include a
 * compaction, and they name the other model that an advisor or a fallback used.
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

/** An event of a streamed message, or a complete message. */
export type AnthropicEvent = {
  type: string;
  message?: { id?: string; model: string; usage: MessageUsage };
  model?: string;
  usage?: MessageUsage | null;
};

export function anthropicUsage({ model: name }: MeterOptions = {}): Fold<AnthropicEvent> {
  let started: { id: string | undefined; model: string } | null = null;
  let usage: MessageUsage = {};
  const start = (id: string | undefined, model: string, stated: MessageUsage) => {
    // A repeated start must not reset the totals.
    if (started !== null && started.id === id && started.model === model) return;
    started = { id, model };
    usage = stated;
  };
  return {
    add(event) {
      if (event.type === "message_start" && event.message !== undefined) {
        start(event.message.id, event.message.model, event.message.usage);
      } else if (event.type === "message_delta") {
        usage = { ...usage, ...statedFields(event.usage ?? {}) };
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

/** Passes the events of a streamed message through and reports their usage: `meter(await messages.create(…), run)`. */
export function meter<Event extends AnthropicEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, anthropicUsage(options));
}

/** Reports the usage of a complete message, and returns the message. */
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

/** Returns the fields that a delta states. A null field does not replace an earlier number. */
function statedFields(usage: MessageUsage): MessageUsage {
  return Object.fromEntries(Object.entries(usage).filter(([, value]) => value !== null && value !== undefined));
}
