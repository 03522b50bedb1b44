/**
 * The Vercel AI SDK (`ai` ≥ 6): a middleware for `wrapLanguageModel` that reports every call of the wrapped model,
 * each step of an agent included. The SDK says a stream's usage in its last part; so that a stream cut short is not
 * free, the provider's own events are asked for and read too, where they are of a shape that the adapters know, and
 * are kept from readers who did not ask for them.
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

/** What `wrapLanguageModel` takes; typed by the parts that are used, so that several versions of `ai` fit. */
export type FuelgaugeMiddleware = {
  /** `ai` 6 accepts no other version, `ai` 7 accepts any; the usage has the same shape in both. */
  specificationVersion: "v3";
  transformParams<P extends Params>(options: { type: "generate" | "stream"; params: P }): Promise<P>;
  wrapGenerate<G extends Generated>(options: { doGenerate: () => PromiseLike<G>; model: Model }): Promise<G>;
  wrapStream<P extends Part, S extends Streamed<P>>(options: {
    doStream: () => PromiseLike<S & Streamed<P>>;
    params: Params;
    model: Model;
  }): Promise<S>;
};

/** Reports under the id of the wrapped model, unless another name is given. */
export function fuelgaugeMiddleware(run: Run, { model: name }: MeterOptions = {}): FuelgaugeMiddleware {
  const wantRaw = new WeakSet<Params>();
  return {
    specificationVersion: "v3",
    async transformParams({ type, params }) {
      if (type !== "stream") return params;
      const asked = { ...params, includeRawChunks: true };
      if (params.includeRawChunks === true) wantRaw.add(asked);
      return asked;
    },
    async wrapGenerate({ doGenerate, model }) {
      const result = await doGenerate();
      const count = counter(name ?? model.modelId);
      count.add({ type: "raw", rawValue: result.response?.body });
      count.add({ type: "finish", usage: result.usage });
      const call = run.call();
      for (const { model, usage } of count.counted()) call.update(model, usage);
      call.end();
      return result;
    },
    async wrapStream({ doStream, params, model }) {
      const result = await doStream();
      const fold = counter(name ?? model.modelId);
      const stream = meterParts(result.stream, run, fold, wantRaw.has(params));
      return { ...result, stream };
    },
  };
}

type CountedPart = Part & { rawValue?: unknown; usage?: ModelUsage };

/** Reads the provider's own events while they pass, and the SDK's usage at the end where those were not enough. */
function counter(model: string): Fold<CountedPart> {
  const anthropic = anthropicUsage({ model });
  const google = googleUsage({ model });
  const openai = openaiUsage({ model });
  let said: Counted[] = [];
  let complete = false;
  return {
    add(part) {
      if (part.type === "finish" && part.usage !== undefined && !complete) {
        said = [{ model, usage: totalsOf(part.usage) }];
      }
      if (part.type !== "raw") return;
      const event = part.rawValue;
      if (isAnthropic(event)) said = folded(anthropic, event);
      else if (isGoogle(event)) said = folded(google, event);
      else if (isOpenAI(event)) said = folded(openai, event);
      else return;
      // A message's start knows the prompt alone; the other events know all that there is so far.
      complete ||= shape(event).type !== "message_start";
    },
    counted: () => said,
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
  // Nothing is read ahead of the reader.
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
  const { type } = shape(event);
  return type === "message_start" || type === "message_delta" || type === "message";
}

function isGoogle(event: unknown): event is GoogleEvent {
  return typeof shape(event).usageMetadata === "object";
}

/** Only with its details: servers that merely resemble OpenAI's tell what was cached in ways of their own. */
function isOpenAI(event: unknown): event is OpenAIEvent {
  const usage = shape(shape(shape(event).response ?? event).usage);
  return typeof (usage.prompt_tokens_details ?? usage.input_tokens_details) === "object";
}

function shape(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
