/**
 * The Vercel AI SDK (`ai` ≥ 6): a middleware for `wrapLanguageModel` that reports every call of the wrapped model,
 * including each step of an agent. The SDK states a stream's usage only in its last part, which a stream that is cut off
 * never reaches. So the middleware also requests the provider's raw events, and counts the events that the other
 * adapters understand. It removes the raw events from the stream if the caller did not request them.
 */
import { type AnthropicEvent, anthropicUsage } from "./anthropic.ts";
import { type GoogleEvent, googleUsage } from "./google.ts";
import { type Counted, countOf, type Fold, type MeterOptions } from "./metered.ts";
import { type OpenAIEvent, openaiUsage } from "./openai.ts";
import type { Run } from "./run.ts";
import type { Totals } from "./totals.ts";

type Count = number | undefined;

type ModelUsage = {
  inputTokens: { total?: Count; noCache?: Count; cacheRead?: Count; cacheWrite?: Count };
  outputTokens: { total?: Count };
};

type Model = { modelId: string };
type Generated = { usage: ModelUsage; response?: { body?: unknown } };
type Part = { type: string };
type Streamed<P extends Part> = { stream: ReadableStream<P> };
type Params = { includeRawChunks?: boolean | undefined };

/** A middleware for `wrapLanguageModel`. Its types name only the fields it uses, so that several versions of `ai` fit. */
export type FuelgaugeMiddleware = {
  /** `ai` 6 accepts only v3 and `ai` 7 accepts any version. The usage has the same shape in both. */
  specificationVersion: "v3";
  transformParams<P extends Params>(options: { type: "generate" | "stream"; params: P }): Promise<P>;
  wrapGenerate<G extends Generated>(options: { doGenerate: () => PromiseLike<G>; model: Model }): Promise<G>;
  wrapStream<P extends Part, S extends Streamed<P>>(options: {
    doStream: () => PromiseLike<S & Streamed<P>>;
    params: Params;
    model: Model;
  }): Promise<S>;
};

/** Makes a middleware that reports under the id of the wrapped model, or under `model` if it is given. */
export function fuelgaugeMiddleware(run: Run, { model: name }: MeterOptions = {}): FuelgaugeMiddleware {
  const rawRequested = new WeakSet<Params>();
  return {
    specificationVersion: "v3",
    async transformParams({ type, params }) {
      if (type !== "stream") return params;
      const changed = { ...params, includeRawChunks: true };
      if (params.includeRawChunks === true) rawRequested.add(changed);
      return changed;
    },
    async wrapGenerate({ doGenerate, model }) {
      const result = await doGenerate();
      const fold = partsUsage(name ?? model.modelId);
      fold.add({ type: "raw", rawValue: result.response?.body });
      fold.add({ type: "finish", usage: result.usage });
      const call = run.call();
      for (const { model, usage } of fold.counted()) call.update(model, usage);
      call.end();
      return result;
    },
    async wrapStream({ doStream, params, model }) {
      const result = await doStream();
      const fold = partsUsage(name ?? model.modelId);
      const stream = meterParts(result.stream, run, fold, rawRequested.has(params));
      return { ...result, stream };
    },
  };
}

type CountedPart = Part & { rawValue?: unknown; usage?: ModelUsage };

/** Reads the provider's raw events as they pass. If they lack the final usage, counts the SDK's usage instead. */
function partsUsage(model: string): Fold<CountedPart> {
  const anthropic = anthropicUsage({ model });
  const google = googleUsage({ model });
  const openai = openaiUsage({ model });
  let latest: Counted[] = [];
  let complete = false;
  return {
    add(part) {
      if (part.type === "finish" && part.usage !== undefined && !complete) {
        latest = [{ model, usage: totalsOf(part.usage) }];
      }
      if (part.type !== "raw") return;
      const event = part.rawValue;
      if (isAnthropic(event)) latest = folded(anthropic, event);
      else if (isGoogle(event)) latest = folded(google, event);
      else if (isOpenAI(event)) latest = folded(openai, event);
      else return;
      // The start of a message states the prompt only; all other events state everything so far.
      complete ||= asRecord(event).type !== "message_start";
    },
    counted: () => latest,
  };
}

function folded<Event>(fold: Fold<Event>, event: Event): Counted[] {
  fold.add(event);
  return fold.counted();
}

function meterParts<P extends Part>(
  stream: ReadableStream<P>,
  run: Run,
  fold: Fold<CountedPart>,
  showRaw: boolean,
): ReadableStream<P> {
  const reader = stream.getReader();
  const call = run.call();
  // With a high-water mark of 0, the stream reads nothing until the caller reads.
  return new ReadableStream<P>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) {
              call.end();
              controller.close();
              return;
            }
            fold.add(value as CountedPart);
            for (const { model, usage } of fold.counted()) call.update(model, usage);
            if (value.type === "raw" && !showRaw) continue;
            controller.enqueue(value);
            return;
          }
        } catch (error) {
          call.end();
          controller.error(error);
        }
      },
      cancel(reason) {
        call.end();
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function totalsOf({ inputTokens, outputTokens }: ModelUsage): Totals {
  const read = countOf(inputTokens.cacheRead);
  const write = countOf(inputTokens.cacheWrite);
  return {
    input_tokens:
      inputTokens.noCache === undefined
        ? Math.max(0, countOf(inputTokens.total) - read - write)
        : countOf(inputTokens.noCache),
    output_tokens: countOf(outputTokens.total),
    cache_read_tokens: read,
    cache_write_tokens: write,
  };
}

function isAnthropic(event: unknown): event is AnthropicEvent {
  const { type } = asRecord(event);
  return type === "message_start" || type === "message_delta" || type === "message";
}

function isGoogle(event: unknown): event is GoogleEvent {
  return typeof asRecord(event).usageMetadata === "object";
}

/** Requires the token details: servers that only imitate OpenAI's interface state cached tokens in other ways. */
function isOpenAI(event: unknown): event is OpenAIEvent {
  const usage = asRecord(asRecord(asRecord(event).response ?? event).usage);
  return typeof (usage.prompt_tokens_details ?? usage.input_tokens_details) === "object";
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
