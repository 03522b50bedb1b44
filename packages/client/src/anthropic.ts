/**
 * The adapter for Anthropic Messages. `message_start` states the prompt's usage. Each `message_delta` states the whole
 * message's totals so far, and the last one counts. Anthropic's kinds do not overlap. Cache writes whose lifetime is not
 * stated count as five-minute writes. If a message lists `iterations`, Anthropic bills the iterations: only they include a
 * compaction, and they name the other model that an advisor or a fallback used. Each of them is a separate call.
 */
import type { Counted } from "./counted.ts";
import type { Fold, MeterOptions } from "./metered.ts";
import {
  addText,
  countOf,
  estimateTokens,
  isRecord,
  mergeStated,
  meterStream,
  recordResponse,
  serviceTier,
} from "./metered.ts";
import type { Run } from "./run.ts";
import { sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";

type Count = number | null | undefined;

type TokenCounts = {
  input_tokens?: Count;
  output_tokens?: Count;
  cache_read_input_tokens?: Count;
  cache_creation_input_tokens?: Count;
  cache_creation?: { ephemeral_5m_input_tokens?: Count; ephemeral_1h_input_tokens?: Count } | null;
};

type MessageUsage = TokenCounts & {
  iterations?: readonly (TokenCounts & { model?: string | null })[] | null;
  server_tool_use?: { web_search_requests?: Count } | null;
  service_tier?: string | null;
  speed?: string | null;
};

/** An event of a streamed message, or a complete message. */
export type AnthropicEvent = {
  type: string;
  message?: { id?: string; model: string; usage: object };
  model?: string;
  usage?: object | null;
};

type Message = {
  id: string | undefined;
  model: string;
  usage: MessageUsage;
  ended: boolean;
  text: { ascii: number; other: number };
};

export function anthropicUsage(options: MeterOptions = {}): Fold<AnthropicEvent> {
  const messages: Message[] = [];
  let memo: readonly Counted[] | null = null;

  const start = (id: string | undefined, model: string, usage: unknown): Message => {
    // A repeated start must not reset the totals.
    const repeated = messages.find((one) => one.id === id && one.model === model && (id !== undefined || !one.ended));
    if (repeated !== undefined) return repeated;
    const message = { id, model, usage: mergeStated({}, usage), ended: false, text: { ascii: 0, other: 0 } };
    messages.push(message);
    return message;
  };

  return {
    add(event) {
      if (!isRecord(event)) return;
      const message = messages.at(-1);
      if (event.type === "message_start" && event.message !== undefined) {
        start(event.message.id, event.message.model, event.message.usage);
      } else if (event.type === "message" && event.model !== undefined) {
        start(undefined, event.model, event.usage).ended = true;
      } else if (event.type === "message_delta" && message !== undefined) {
        message.usage = mergeStated(message.usage, event.usage);
        const { delta } = event as { delta?: unknown };
        if (isRecord(delta) && typeof delta.stop_reason === "string") message.ended = true;
      } else if (event.type === "message_stop" && message !== undefined) {
        message.ended = true;
      } else {
        if (message !== undefined && options.estimate) addOutput(message, event);
        return;
      }
      memo = null;
    },
    counted() {
      memo ??= messages.flatMap((message) => countedOf(message, options));
      return memo;
    },
    model: () => options.model ?? messages.at(-1)?.model,
    ended: () => messages.at(-1)?.ended === true,
    stated: () => messages.length > 0,
    estimated: () =>
      messages.flatMap((message) => {
        if (message.ended) return countedOf(message, options);
        const output_tokens = Math.max(countOf(message.usage.output_tokens), estimateTokens(message.text));
        return countedOf({ ...message, usage: { ...message.usage, output_tokens } }, options);
      }),
  };
}

/** Passes the events of a streamed message through and reports their usage: `meter(await messages.create(…), run)`. */
export function meter<Event extends AnthropicEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, anthropicUsage(options), options);
}

/** Reports the usage of a complete message, and returns the message. */
export function record<Message extends AnthropicEvent>(message: Message, run: Run, options?: MeterOptions): Message {
  return recordResponse(message, run, anthropicUsage(options), options);
}

function countedOf({ model: served, usage }: Message, options: MeterOptions): Counted[] {
  const model = options.model ?? served;
  const tier = options.tier ?? (usage.speed === "fast" ? "fast" : serviceTier(usage.service_tier));
  const searches = { ...ZERO_TOTALS, web_searches: countOf(usage.server_tool_use?.web_search_requests) };
  const { iterations } = usage;
  if (!Array.isArray(iterations) || iterations.length === 0) {
    return [{ model, usage: sumOf([anthropicTotals(usage), searches]), tier }];
  }
  const counted = iterations.map((iteration): Counted => {
    const isOwn = iteration.model === null || iteration.model === undefined || iteration.model === served;
    return { model: isOwn ? model : iteration.model, usage: anthropicTotals(iteration), tier };
  });
  return searches.web_searches > 0 ? [...counted, { model, usage: searches, tier }] : counted;
}

/** Splits cache writes by lifetime. What the split leaves out has an unknown lifetime. */
function anthropicTotals(usage: TokenCounts): Totals {
  const written5m = countOf(usage.cache_creation?.ephemeral_5m_input_tokens);
  const written1h = countOf(usage.cache_creation?.ephemeral_1h_input_tokens);
  return sumOf([
    {
      input_tokens: countOf(usage.input_tokens),
      output_tokens: countOf(usage.output_tokens),
      cache_read_tokens: countOf(usage.cache_read_input_tokens),
      cache_write_tokens: Math.max(written5m, countOf(usage.cache_creation_input_tokens) - written1h),
      cache_write_1h_tokens: written1h,
    },
  ]);
}

function addOutput({ text }: Message, event: object): void {
  const { delta } = event as { delta?: unknown };
  if (isRecord(delta)) for (const field of ["text", "thinking", "partial_json"]) addText(text, delta[field]);
}
