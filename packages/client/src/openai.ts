/**
 * The adapter for OpenAI's interfaces and those that imitate them: chat completions, responses, realtime events, images,
 * transcriptions and embeddings. A chat stream states its usage at its end, and OpenAI's only if the request has
 * `stream_options: {include_usage: true}`. Others state it in the last choice, under `x_groq`, or in every chunk. A
 * response states its usage when it completes, fails or ends incomplete. One stream may contain several responses, for
 * example in a tool loop: each is counted.
 */
import type { Counted } from "./counted.ts";
import type { Fold, MeterOptions } from "./metered.ts";
import { estimateTokens, isRecord, meterStream, recordResponse } from "./metered.ts";
import {
  type Answer,
  addOutput,
  addTo,
  type Fields,
  hasContent,
  nameOf,
  newAnswer,
  searchesOf,
  statedBy,
} from "./openai-answer.ts";
import { openaiTotals, statesUsage } from "./openai-usage.ts";
import type { Run } from "./run.ts";
import { sumOf, ZERO_TOTALS } from "./totals.ts";

/** A chunk of a chat stream, an event of a response stream or a realtime session, or a complete response. */
export type OpenAIEvent = {
  object?: string;
  model?: string;
  usage?: object | null;
  type?: string;
  response?: { model?: string; usage?: object | null };
};

const HINT =
  "the stream states no usage: a chat stream of OpenAI needs stream_options: {include_usage: true} in its request";
export function openaiUsage(options: MeterOptions = {}): Fold<OpenAIEvent> {
  const answers: Answer[] = [];
  const byId = new Map<string, Answer>();
  let current: Answer | null = null;
  /** The models of a realtime session, which its responses do not name. */
  let session: { model?: string | undefined; transcription?: string | undefined } = {};
  let memo: readonly Counted[] | null = null;

  const open = (id: string): Answer => {
    const answer = newAnswer(id);
    answers.push(answer);
    if (id !== "") byId.set(id, answer);
    return answer;
  };

  /** Finds the response that an event belongs to. */
  const answerOf = (id: string, event: Fields, body: Fields): Answer => {
    const known = byId.get(id);
    if (known !== undefined) return known;
    if (current === null) return open(id);
    if (typeof event.type === "string") {
      const isNext = (id !== "" && current.id !== "") || (current.ended && event.type === "response.created");
      return isNext ? open(id) : adopt(current, id);
    }
    // Some servers give every chunk another id, or none. A chat is over after its last choice or its usage.
    const isNext = current.ended && (hasContent(body) || (id !== "" && !isUsageOnly(body, current)));
    return isNext ? open(id) : adopt(current, id);
  };
  const adopt = (answer: Answer, id: string): Answer => {
    if (answer.id === "" && id !== "") {
      answer.id = id;
      byId.set(id, answer);
    }
    return answer;
  };

  const addSession = (event: Fields) => {
    if (!isRecord(event.session)) return;
    const { model, input_audio_transcription: old, audio } = event.session;
    const input = isRecord(audio) && isRecord(audio.input) ? audio.input.transcription : undefined;
    const transcription = isRecord(input) ? input.model : isRecord(old) ? old.model : undefined;
    session = { model: nameOf(model) ?? session.model, transcription: nameOf(transcription) ?? session.transcription };
  };

  const nameFor = (answer: Answer) => options.model ?? answer.model ?? session.model;
  const countedOf = (answer: Answer, estimate?: number): Counted[] => {
    const model = nameFor(answer);
    const searches = searchesOf(answer);
    const counted: Counted[] = [];
    const usage = statedBy(answer);
    const tier = options.tier ?? answer.tier;
    if (usage !== null || estimate !== undefined || searches.web_searches + searches.storage_searches > 0) {
      const stated =
        usage === null ? { usage: ZERO_TOTALS, promptTokens: undefined } : openaiTotals(usage, answer.medium);
      const totals = { ...stated.usage };
      totals.web_searches = totals.web_searches || searches.web_searches;
      totals.storage_searches = totals.storage_searches || searches.storage_searches;
      let { promptTokens } = stated;
      if (estimate !== undefined && usage === null) {
        totals.input_tokens = promptTokens = estimate;
        totals.output_tokens = estimateTokens(answer.text);
      }
      if (model !== undefined) counted.push({ model, usage: sumOf([totals]), tier, promptTokens });
    }
    const { imageTool } = answer;
    if (imageTool !== null) {
      counted.push({ model: imageTool.model, ...openaiTotals(imageTool.usage, "image"), tier });
    }
    return counted;
  };

  const addEvent = (event: Fields) => {
    memo = null;
    addSession(event);
    if (isTranscription(event)) {
      const id = `transcription ${event.item_id}`;
      const model = options.model ?? session.transcription;
      Object.assign(byId.get(id) ?? open(id), { model, ended: true, usage: event.usage });
      return;
    }
    const body = isRecord(event.response) ? event.response : event;
    const isEvent = typeof event.type === "string";
    const id = isRecord(event.response) || !isEvent ? body.id : event.response_id;
    const answer = answerOf(typeof id === "string" ? id : "", event, body);
    current = answer;
    addTo(answer, event, body);
    if (options.estimate) addOutput(answer, event, body);
  };

  return {
    add(event) {
      if (isRecord(event)) addEvent(event);
    },
    counted() {
      memo ??= answers.flatMap((answer) => countedOf(answer));
      return memo;
    },
    model: () => options.model ?? current?.model ?? session.model,
    ended: () => current?.ended === true,
    stated: () => current !== null && statedBy(current) !== null,
    estimated: (promptTokens) =>
      answers.flatMap((answer) => countedOf(answer, answer === current ? promptTokens : undefined)),
  };
}

/** Passes the chunks of a chat or the events of a response through, and reports their usage. */
export function meter<Event extends OpenAIEvent>(
  stream: AsyncIterable<Event>,
  run: Run,
  options?: MeterOptions,
): AsyncGenerator<Event, void, undefined> {
  return meterStream(stream, run, openaiUsage(options), { hint: HINT, ...options });
}

/** Reports the usage of a complete chat completion or response, and returns it. */
export function record<Response extends OpenAIEvent>(response: Response, run: Run, options?: MeterOptions): Response {
  return recordResponse(response, run, openaiUsage(options), options);
}

function isTranscription({ type, usage }: Fields): boolean {
  return type === "conversation.item.input_audio_transcription.completed" && statesUsage(usage);
}

function isUsageOnly({ choices }: Fields, { usage }: Answer): boolean {
  return usage === null && (!Array.isArray(choices) || choices.length === 0);
}
