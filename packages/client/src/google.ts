/**
 * Google GenAI: each chunk carries the running totals of its response. The prompt includes what came from the cache;
 * the results of tools are input beside it; thoughts are output beside the candidates. One stream can hold several
 * responses: with automatic function calling each turn is one of its own and they add up; where the SDK continues a
 * response by another request, it has added those up itself.
 */
import type { Fold, MeterOptions } from "./metered.ts";
import { countOf, meterStream, recordResponse, splitPrompt } from "./metered.ts";
import type { Run } from "./run.ts";
import { sumOf, type Totals } from "./totals.ts";

type UsageMetadata = {
  promptTokenCount?: number;
  cachedContentTokenCount?: number;
  toolUsePromptTokenCount?: number;
  candidatesTokenCount?: number;
  thoughtsTokenCount?: number;
  /** The first request's prompt, where the SDK has added the counts of several requests. */
  initialPromptTokenCount?: number | undefined;
};

/** A chunk, or a response that came in one piece. */
export type GoogleEvent = { responseId?: string; modelVersion?: string; usageMetadata?: UsageMetadata };

export function googleUsage({ model: name }: MeterOptions = {}): Fold<GoogleEvent> {
  let served: string | undefined;
  let last: { usage: UsageMetadata } | null = null;
  const byId = new Map<string, { usage: UsageMetadata }>();
  return {
    add({ responseId = "", modelVersion, usageMetadata }) {
      served = modelVersion || served;
      if (usageMetadata === undefined || usageMetadata === null) return;
      const known = byId.get(responseId) ?? (isContinued(usageMetadata) ? last : null);
      last = known ?? { usage: {} };
      last.usage = { ...last.usage, ...usageMetadata };
      byId.set(responseId, last);
    },
    counted() {
      const model = name ?? served;
      if (model === undefined || byId.size === 0) return [];
      return [{ model, usage: sumOf([...new Set(byId.values())].map(({ usage }) => totalsOf(usage))) }];
    },
  };
}

/** Passes the chunks of a response through and reports what they say: `meter(await models.generateContentStream(…), run)`. */
export function meter<Event extends GoogleEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, googleUsage(options));
}

/** Reports a response that came in one piece, and gives it back. */
export function record<Response extends GoogleEvent>(response: Response, run: Run, options?: MeterOptions): Response {
  return recordResponse(response, run, googleUsage(options));
}

function totalsOf(usage: UsageMetadata): Totals {
  const { input_tokens, ...cache } = splitPrompt(
    countOf(usage.promptTokenCount),
    countOf(usage.cachedContentTokenCount),
    0,
  );
  return {
    ...cache,
    input_tokens: input_tokens + countOf(usage.toolUsePromptTokenCount),
    output_tokens: countOf(usage.candidatesTokenCount) + countOf(usage.thoughtsTokenCount),
  };
}

/** True when the counts are those of several requests, of which this chunk's is the latest. */
function isContinued({ promptTokenCount, initialPromptTokenCount }: UsageMetadata): boolean {
  return initialPromptTokenCount !== undefined && initialPromptTokenCount < countOf(promptTokenCount);
}
