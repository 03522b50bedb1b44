/**
 * The adapter for Google GenAI. Each chunk states the running totals of its response. The prompt's count includes cached
 * tokens, but not the results of tools. The output's count does not include thoughts, so the adapter adds them. Counts by
 * modality tell audio and images from text. With automatic function calling, one stream contains one response per turn,
 * and the adapter counts each. When the SDK continues a response with another request, the SDK adds up the counts itself.
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
import { type Media, splitPrompt } from "./prompt.ts";
import type { Run } from "./run.ts";
import { sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";

type UsageMetadata = {
  promptTokenCount?: number;
  cachedContentTokenCount?: number;
  toolUsePromptTokenCount?: number;
  candidatesTokenCount?: number;
  /** The name of `candidatesTokenCount` in a live session. */
  responseTokenCount?: number;
  thoughtsTokenCount?: number;
  totalTokenCount?: number;
  /** The first request's prompt, if the SDK has added up the counts of several requests. */
  initialPromptTokenCount?: number | undefined;
};

/** A chunk of a stream, or a complete response. */
export type GoogleEvent = { responseId?: string; modelVersion?: string; usageMetadata?: UsageMetadata };

type Fields = Record<string, unknown>;

/** One response of the provider. */
type Answer = {
  usage: UsageMetadata | null;
  ended: boolean;
  webQueries: Set<unknown>;
  storageQueries: Set<unknown>;
  text: { ascii: number; other: number };
};

export function googleUsage(options: MeterOptions = {}): Fold<GoogleEvent> {
  let served: string | undefined;
  let last: Answer | null = null;
  const answers: Answer[] = [];
  const byId = new Map<string, Answer>();
  let memo: readonly Counted[] | null = null;

  const answerOf = (id: string, usage: unknown): Answer => {
    const known = byId.get(id) ?? (isContinued(usage) ? last : null);
    if (known !== null && known !== undefined) return known;
    const answer: Answer = {
      usage: null,
      ended: false,
      webQueries: new Set(),
      storageQueries: new Set(),
      text: { ascii: 0, other: 0 },
    };
    answers.push(answer);
    return answer;
  };
  const countedOf = (answer: Answer, estimate?: number): Counted[] => {
    const model = options.model ?? served;
    const { usage, webQueries, storageQueries } = answer;
    if (model === undefined || (usage === null && estimate === undefined)) return [];
    const stated = usage === null ? { usage: ZERO_TOTALS, promptTokens: estimate } : googleTotals(usage);
    const totals = { ...stated.usage, web_searches: webQueries.size, storage_searches: storageQueries.size };
    if (usage === null) totals.input_tokens = estimate ?? 0;
    if (estimate !== undefined) totals.output_tokens = Math.max(totals.output_tokens, estimateTokens(answer.text));
    const { serviceTier: named, trafficType } = (usage ?? {}) as Fields;
    const tier = options.tier ?? serviceTier(named ?? trafficType);
    return [{ model, usage: sumOf([totals]), tier, promptTokens: stated.promptTokens }];
  };

  return {
    add(event) {
      if (!isRecord(event)) return;
      memo = null;
      const { responseId, modelVersion, usageMetadata, candidates, serverContent } = event as Fields;
      served = typeof modelVersion === "string" && modelVersion !== "" ? modelVersion : served;
      const id = typeof responseId === "string" ? responseId : "";
      const answer = answerOf(id, usageMetadata);
      last = answer;
      byId.set(id, answer);
      if (isRecord(usageMetadata)) answer.usage = mergeStated(answer.usage ?? {}, usageMetadata);
      for (const candidate of [...(Array.isArray(candidates) ? candidates : []), serverContent].filter(isRecord)) {
        addCandidate(answer, candidate, options.estimate);
      }
      if (isRecord((event as Fields).promptFeedback)) answer.ended = true;
      // The counts of a live session's turn arrive with its end, and the next turn has its own.
      if (id === "" && answer.ended && isRecord(serverContent)) byId.delete(id);
    },
    counted() {
      memo ??= answers.flatMap((answer) => countedOf(answer));
      return memo;
    },
    model: () => options.model ?? served,
    ended: () => last?.ended === true,
    stated: () => last !== null && last.usage !== null,
    estimated: (promptTokens) =>
      answers.flatMap((answer) => countedOf(answer, answer === last ? promptTokens : undefined)),
  };
}

/** Passes the chunks of a stream through and reports their usage: `meter(await models.generateContentStream(…), run)`. */
export function meter<Event extends GoogleEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, googleUsage(options), options);
}

/** Reports the usage of a complete response, and returns the response. */
export function record<Response extends GoogleEvent>(response: Response, run: Run, options?: MeterOptions): Response {
  return recordResponse(response, run, googleUsage(options), options);
}

/** Takes the end, the searches and the text from a candidate, or from the content of a live session. */
function addCandidate(answer: Answer, candidate: Fields, estimate: unknown): void {
  if (candidate.finishReason || candidate.turnComplete) answer.ended = true;
  const { groundingMetadata: grounding, content, modelTurn } = candidate;
  if (isRecord(grounding)) {
    addQueries(answer.webQueries, grounding.webSearchQueries);
    addQueries(answer.storageQueries, grounding.retrievalQueries);
  }
  const turn = isRecord(content) ? content : modelTurn;
  if (!estimate || !isRecord(turn) || !Array.isArray(turn.parts)) return;
  for (const part of turn.parts.filter(isRecord)) {
    addText(answer.text, part.text);
    if (part.functionCall !== undefined) addText(answer.text, JSON.stringify(part.functionCall));
  }
}

/** Chunks repeat the queries of earlier chunks. An empty query is not a search. */
function addQueries(queries: Set<unknown>, stated: unknown): void {
  if (Array.isArray(stated)) for (const query of stated) if (query !== "") queries.add(query);
}

function googleTotals(stated: UsageMetadata): { usage: Totals; promptTokens: number } {
  const usage = stated as Fields;
  const prompt = countOf(stated.promptTokenCount);
  const toolPrompt = countOf(stated.toolUsePromptTokenCount);
  const cached = countOf(stated.cachedContentTokenCount);
  const answered = countOf(stated.candidatesTokenCount) || countOf(stated.responseTokenCount);
  const known = answered + countOf(stated.thoughtsTokenCount);
  // Some servers leave a part of the output out of its counts. The total shows it.
  const output = Math.max(known, countOf(stated.totalTokenCount) - prompt - toolPrompt);
  const read = Array.isArray(usage.cacheTokensDetails) ? mediaOf(usage.cacheTokensDetails) : null;
  const asked = addMedia(mediaOf(usage.promptTokensDetails), mediaOf(usage.toolUsePromptTokensDetails));
  const made = mediaOf(usage.candidatesTokensDetails ?? usage.responseTokensDetails);
  const totals = {
    ...splitPrompt(prompt + toolPrompt, { read: cached, written: 0, written1h: 0 }, asked, read),
    output_tokens: Math.max(0, output - made.audio - made.image),
    output_audio_tokens: made.audio,
    output_image_tokens: made.image,
  };
  return { usage: sumOf([totals]), promptTokens: prompt };
}

/** Adds up the counts by modality. Video and documents are priced like text. */
function mediaOf(details: unknown): Media {
  const media = { audio: 0, image: 0 };
  for (const one of (Array.isArray(details) ? details : []).filter(isRecord)) {
    if (one.modality === "AUDIO") media.audio += countOf(one.tokenCount);
    if (one.modality === "IMAGE") media.image += countOf(one.tokenCount);
  }
  return media;
}

function addMedia(a: Media, b: Media): Media {
  return { audio: a.audio + b.audio, image: a.image + b.image };
}

/** Whether these counts are the sum of several requests. This chunk belongs to the last of them. */
function isContinued(usage: unknown): boolean {
  const initial = isRecord(usage) ? usage.initialPromptTokenCount : undefined;
  return isRecord(usage) && typeof initial === "number" && initial < countOf(usage.promptTokenCount);
}
