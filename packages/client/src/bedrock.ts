/**
 * The adapter for Amazon Bedrock's Converse and ConverseStream. A stream states its usage in its last event, `metadata`.
 * The kinds do not overlap: `inputTokens` excludes cache reads and writes. `cacheDetails` splits the writes by lifetime.
 * Responses do not name their model, so the caller passes the id of the request, unless a prompt router chose the model.
 */
import type { Counted } from "./counted.ts";
import type { Fold, MeterOptions } from "./metered.ts";
import { addText, countOf, estimateTokens, isRecord, meterStream, recordResponse, serviceTier } from "./metered.ts";
import type { Run } from "./run.ts";
import { promptOf, sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";

/** An event of a ConverseStream, or the response of a Converse. */
export type BedrockEvent = {
  metadata?: { usage?: object | undefined } | undefined;
  usage?: object | undefined;
};

/** Options of the adapter. `model` is the `modelId` of the request. */
export type BedrockOptions = MeterOptions & { model: string };

type Fields = Record<string, unknown>;

export function bedrockUsage(options: MeterOptions): Fold<BedrockEvent> {
  let stated: Fields | null = null;
  let served: string | undefined;
  let tier: string | undefined;
  let ended = false;
  let memo: readonly Counted[] | null = null;
  const text = { ascii: 0, other: 0 };
  const model = () => idOf(served ?? options.model);
  const countedAs = (usage: Totals): Counted[] => {
    const name = model();
    return name === undefined ? [] : [{ model: name, usage, tier: options.tier ?? tier }];
  };
  return {
    add(event) {
      if (!isRecord(event)) return;
      const { metadata, messageStop, contentBlockDelta } = event as Fields;
      if (options.estimate && isRecord(contentBlockDelta)) addOutput(text, contentBlockDelta.delta);
      if (isRecord(messageStop)) ended = true;
      const body: Fields = isRecord(metadata) ? metadata : event;
      if (!isRecord(body.usage)) return;
      stated = body.usage;
      ended = true;
      memo = null;
      if (isRecord(body.serviceTier)) tier = serviceTier(body.serviceTier.type);
      const trace = isRecord(body.trace) ? body.trace.promptRouter : undefined;
      if (isRecord(trace) && typeof trace.invokedModelId === "string") served = trace.invokedModelId;
    },
    counted() {
      memo ??= stated === null ? [] : countedAs(bedrockTotals(stated));
      return memo;
    },
    model,
    ended: () => ended,
    stated: () => stated !== null,
    estimated: (promptTokens) =>
      stated !== null
        ? countedAs(bedrockTotals(stated))
        : countedAs({ ...ZERO_TOTALS, input_tokens: promptTokens, output_tokens: estimateTokens(text) }),
  };
}

/** Passes the events of a ConverseStream through and reports their usage: `meter(response.stream, run, {model})`. */
export function meter<Event extends BedrockEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options: BedrockOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, bedrockUsage(options), options);
}

/** Reports the usage of the response of a Converse, and returns the response. */
export function record<Response extends BedrockEvent>(response: Response, run: Run, options: BedrockOptions): Response {
  return recordResponse(response, run, bedrockUsage(options), options);
}

function bedrockTotals(usage: Fields): Totals {
  const details = Array.isArray(usage.cacheDetails) ? usage.cacheDetails.filter(isRecord) : [];
  const writtenFor = (isHour: boolean) =>
    details.reduce((sum, { ttl, inputTokens }) => sum + ((ttl === "1h") === isHour ? countOf(inputTokens) : 0), 0);
  const written1h = writtenFor(true);
  const totals = {
    ...ZERO_TOTALS,
    input_tokens: countOf(usage.inputTokens),
    cache_read_tokens: countOf(usage.cacheReadInputTokens ?? usage.cacheReadInputTokenCount),
    cache_write_tokens: Math.max(
      writtenFor(false),
      countOf(usage.cacheWriteInputTokens ?? usage.cacheWriteInputTokenCount) - written1h,
    ),
    cache_write_1h_tokens: written1h,
  };
  // Some models leave a part of the output out of its count. The total shows it.
  const output = Math.max(countOf(usage.outputTokens), countOf(usage.totalTokens) - promptOf(totals));
  return sumOf([{ ...totals, output_tokens: output }]);
}

/** Returns the model's id from an ARN such as `arn:aws:bedrock:…:foundation-model/anthropic.claude-…`. */
function idOf(model: string | undefined): string | undefined {
  return model?.startsWith("arn:") ? model.slice(model.lastIndexOf("/") + 1) : model;
}

function addOutput(text: { ascii: number; other: number }, delta: unknown): void {
  if (!isRecord(delta)) return;
  addText(text, delta.text);
  if (isRecord(delta.reasoningContent)) addText(text, delta.reasoningContent.text);
  if (isRecord(delta.toolUse)) addText(text, delta.toolUse.input);
}
