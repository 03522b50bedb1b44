/**
 * The Vercel AI SDK (`ai` ≥ 6): a middleware for `wrapLanguageModel` that reports every call of the wrapped model,
 * including each step of an agent. The SDK states a stream's usage only in its last part, which a stream that is cut off
 * never reaches, and does not state every kind. So the middleware also requests the provider's raw events, and counts
 * those that the other adapters understand. It removes the raw events from the stream if the caller did not request them.
 */
import { anthropicUsage } from "./anthropic.ts";
import { bedrockUsage } from "./bedrock.ts";
import type { Counted } from "./counted.ts";
import { googleUsage } from "./google.ts";
import {
  addText,
  countOf,
  estimateTokens,
  type Fold,
  isRecord,
  type MeterOptions,
  meterCall,
  serviceTier,
} from "./metered.ts";
import { openaiUsage } from "./openai.ts";
import { statesUsage } from "./openai-usage.ts";
import type { Run } from "./run.ts";
import { sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";

type Count = number | undefined;

type ModelUsage = {
  inputTokens: { total?: Count; noCache?: Count; cacheRead?: Count; cacheWrite?: Count };
  outputTokens: { total?: Count };
  /** The usage as the provider states it. */
  raw?: unknown;
};

type Model = { modelId: string };
type Generated = { usage: ModelUsage; response?: { body?: unknown }; providerMetadata?: object | undefined };
type Part = { type: string };
type Streamed<P extends Part> = { stream: ReadableStream<P> };
type Params = { includeRawChunks?: boolean | undefined; prompt?: unknown };

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
export function fuelgaugeMiddleware(run: Run, options: MeterOptions = {}): FuelgaugeMiddleware {
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
      const own = { ...options, model: options.model ?? model.modelId };
      const metered = meterCall(run, partsUsage(own), { ...own, estimate: false });
      metered.add({ type: "raw", rawValue: result.response?.body });
      metered.add({ type: "finish", usage: result.usage, providerMetadata: result.providerMetadata });
      metered.end("ended");
      return result;
    },
    async wrapStream({ doStream, params, model }) {
      const result = await doStream();
      const own = { ...options, model: options.model ?? model.modelId };
      if (own.estimate === true) own.estimate = { prompt: params.prompt };
      const metered = meterCall(run, partsUsage(own), own);
      return { ...result, stream: meterParts(result.stream, metered, rawRequested.has(params)) };
    },
  };
}

type CountedPart = Part & {
  rawValue?: unknown;
  usage?: ModelUsage;
  providerMetadata?: object | undefined;
  delta?: unknown;
};
type NamedOptions = MeterOptions & { model: string };
type RawFold = { fold: Fold<never>; isAnthropic: boolean };

/** Reads the provider's raw events as they pass. If they lack the final usage, counts the SDK's usage instead. */
function partsUsage(options: NamedOptions): Fold<CountedPart> {
  const { model } = options;
  const text = { ascii: 0, other: 0 };
  let raw: RawFold | null = null;
  let isComplete = false;
  /** Whether the usage arrived with the SDK's last part. A stream that is cut off has this part too, but no usage. */
  let statedAtEnd = false;
  let sdk: readonly Counted[] | null = null;

  const addRaw = (event: unknown) => {
    raw ??= foldFor(event, options);
    if (raw === null) return;
    raw.fold.add(event as never);
    // The start of a message states the prompt only; all other events state everything so far.
    const isStart = raw.isAnthropic && isRecord(event) && !/^message(_delta)?$/.test(String(event.type));
    isComplete ||= raw.fold.stated() && !isStart;
  };
  const counted = () => {
    const fromRaw = raw?.fold.counted() ?? [];
    return (isComplete && fromRaw.length > 0) || sdk === null ? fromRaw : sdk;
  };

  return {
    add(part) {
      if (part.type === "raw") addRaw(part.rawValue);
      else if (part.type === "finish" && part.usage !== undefined) {
        statedAtEnd = !isComplete;
        if (!isComplete) addRaw(asEvent(part.usage.raw, model));
        const tier = options.tier ?? serviceTier(statedTier(part.providerMetadata));
        if (!isComplete) sdk = [{ model, usage: totalsOf(part.usage), tier }];
      } else if (options.estimate && part.type.endsWith("-delta")) addText(text, part.delta);
    },
    counted,
    model: () => model,
    ended: () => statedAtEnd || (isComplete && raw?.fold.ended() === true),
    stated: () => counted().length > 0,
    estimated(promptTokens) {
      const [first = { model, usage: { ...ZERO_TOTALS, input_tokens: promptTokens } }, ...others] = counted();
      const output_tokens = Math.max(first.usage.output_tokens, estimateTokens(text));
      return [{ ...first, usage: { ...first.usage, output_tokens } }, ...others];
    },
  };
}

/** Returns the adapter that understands a provider's event or complete answer. */
function foldFor(event: unknown, options: NamedOptions): RawFold | null {
  if (!isRecord(event)) return null;
  const { type, usage, metadata } = event;
  if (/^message(_start)?$/.test(String(type)) && isRecord(event.message ?? usage)) {
    return { fold: anthropicUsage(options), isAnthropic: true };
  }
  if (isRecord(event.usageMetadata)) return { fold: googleUsage(options), isAnthropic: false };
  const converse = isRecord(metadata) ? metadata.usage : usage;
  if (isRecord(converse) && typeof converse.inputTokens === "number") {
    return { fold: bedrockUsage(options), isAnthropic: false };
  }
  const response = isRecord(event.response) ? event.response : event;
  const isChat = Array.isArray(event.choices) || isRecord(event.x_groq) || /^response\./.test(String(type));
  const isOpenAI = isChat || (isRecord(response.usage) && hasCounts(response.usage));
  return isOpenAI ? { fold: openaiUsage(options), isAnthropic: false } : null;
}

function hasCounts(usage: Record<string, unknown>): boolean {
  const { prompt_tokens, completion_tokens, input_tokens, output_tokens } = usage;
  return [prompt_tokens, completion_tokens, input_tokens, output_tokens].some((count) => typeof count === "number");
}

/** Fields that only Anthropic's usage has, if it has no total. */
const ANTHROPIC_FIELDS = ["cache_creation_input_tokens", "cache_read_input_tokens", "server_tool_use", "iterations"];

/** Makes an answer from the usage that the SDK has kept as the provider stated it. */
function asEvent(usage: unknown, model: string): unknown {
  if (!statesUsage(usage)) return null;
  const fields = usage as Record<string, unknown>;
  if (typeof fields.promptTokenCount === "number") return { usageMetadata: fields };
  const isAnthropic = ANTHROPIC_FIELDS.some((field) => field in fields) && !("total_tokens" in fields);
  return isAnthropic ? { type: "message", model, usage } : { usage };
}

/** Finds the service tier in the SDK's metadata, which is grouped by provider. */
function statedTier(metadata: object | undefined): unknown {
  for (const provider of Object.values(metadata ?? {})) {
    if (isRecord(provider) && typeof provider.serviceTier === "string") return provider.serviceTier;
  }
  return undefined;
}

function meterParts<P extends Part>(
  stream: ReadableStream<P>,
  metered: ReturnType<typeof meterCall<CountedPart>>,
  showRaw: boolean,
): ReadableStream<P> {
  const reader = stream.getReader();
  // With a high-water mark of 0, the stream reads nothing until the caller reads.
  return new ReadableStream<P>(
    {
      async pull(controller) {
        try {
          for (;;) {
            const { done, value } = await reader.read();
            if (done) {
              metered.end("ended");
              controller.close();
              return;
            }
            metered.add(value as CountedPart);
            if (value.type === "raw" && !showRaw) continue;
            controller.enqueue(value);
            return;
          }
        } catch (error) {
          metered.end({ error });
          controller.error(error);
        }
      },
      cancel(reason) {
        metered.end({ left: true });
        return reader.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
}

function totalsOf({ inputTokens, outputTokens }: ModelUsage): Totals {
  const read = countOf(inputTokens.cacheRead);
  const write = countOf(inputTokens.cacheWrite);
  const input =
    inputTokens.noCache === undefined
      ? Math.max(0, countOf(inputTokens.total) - read - write)
      : countOf(inputTokens.noCache);
  const output = countOf(outputTokens.total);
  return sumOf([{ input_tokens: input, output_tokens: output, cache_read_tokens: read, cache_write_tokens: write }]);
}
