/**
 * The adapter for Google GenAI. Each chunk states the running totals of its response. The prompt's count includes cached
 * tokens, but not the results of tools. The output's count does not include thoughts, so the adapter adds them. With
 * automatic function calling, one stream contains one response per turn, and the adapter adds them up. When the SDK
 * continues a response with another request, the SDK adds up the counts itself.
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
  /** The first request's prompt, if the SDK has added up the counts of several requests. */
  initialPromptTokenCount?: number | undefined;
};

/** A chunk of a stream, or a complete response. */
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

/** Passes the chunks of a stream through and reports their usage: `meter(await models.generateContentStream(…), run)`. */
export function meter<Event extends GoogleEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, googleUsage(options));
}

/** Reports the usage of a complete response, and returns the response. */
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

/** Whether these counts are the sum of several requests. This chunk belongs to the last of them. */
function isContinued({ promptTokenCount, initialPromptTokenCount }: UsageMetadata): boolean {
  return initialPromptTokenCount !== undefined && initialPromptTokenCount < countOf(promptTokenCount);
}
