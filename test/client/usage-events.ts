/** The events and answers with which a provider states the usage of a case, in the shapes of its interface. */
import type { UsageCase } from "./usage-case.ts";

/** The events of one stream that contains all responses of a case. */
export function eventsOf(usageCase: UsageCase): object[] {
  return usageCase.usages.flatMap((usage, turn) => EVENTS[usageCase.api](usageCase, usage, turn));
}

/** The complete answers of a case, one per response. */
export function answersOf(usageCase: UsageCase): object[] {
  return usageCase.usages.map((usage, turn) => ANSWERS[usageCase.api](usageCase, usage, turn));
}

type Make<T> = Record<UsageCase["api"], (usageCase: UsageCase, usage: object, turn: number) => T>;

const EVENTS: Make<object[]> = {
  chat({ model, more = {}, place }, usage, turn) {
    const chunk = (delta: object, finish_reason: string | null, choice = {}) => ({
      id: `chatcmpl-${turn}`,
      object: "chat.completion.chunk",
      created: 1_700_000_000,
      model,
      choices: [{ index: 0, delta, finish_reason, ...choice }],
    });
    const first = chunk({ role: "assistant", content: "Hi" }, null);
    const last = chunk({}, "stop");
    if (place === "x_groq") return [first, { ...last, x_groq: { id: "req_1", usage } }];
    if (place === "choice") return [first, chunk({}, "stop", { usage })];
    if (place === "last choice") return [first, { ...last, usage }];
    if (place === "every chunk")
      return [
        { ...first, usage: { ...usage, completion_tokens: 1 } },
        { ...last, usage },
      ];
    const empty = place === "chunk with an empty choice" ? chunk({ role: "assistant", content: "" }, null).choices : [];
    return [
      { ...first, usage: null },
      { ...last, usage: null },
      { ...last, choices: empty, usage, ...more },
    ];
  },
  responses({ model, more = {} }, usage, turn) {
    const response = { id: `resp_${turn}`, object: "response", model, output: [], service_tier: "auto" };
    const { output = [] } = more as { output?: object[] };
    const items = output.map((item, output_index) => ({ type: "response.output_item.done", output_index, item }));
    return [
      { type: "response.created", response: { ...response, status: "in_progress", usage: null } },
      ...items,
      {
        type: "response.completed",
        response: { ...response, status: "completed", service_tier: "default", ...more, usage },
      },
    ].map((event, sequence_number) => ({ ...event, sequence_number }));
  },
  anthropic({ model, more = {} }, usage, turn) {
    const stated = usage as { output_tokens: number; iterations?: object; server_tool_use?: object };
    const { output_tokens, iterations, server_tool_use, ...prompt } = stated;
    const message = { id: `msg_${turn}`, type: "message", role: "assistant", content: [], model, ...more };
    const delta = { stop_reason: "end_turn", stop_sequence: null };
    return [
      { type: "message_start", message: { ...message, usage: { ...prompt, output_tokens: 1 } } },
      { type: "content_block_start", index: 0, content_block: { type: "text", text: "" } },
      { type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "Hi" } },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta, usage: { output_tokens, iterations, server_tool_use } },
      { type: "message_stop" },
    ];
  },
  google(usageCase, usage, turn) {
    const answer = ANSWERS.google(usageCase, usage, turn) as { candidates: object[] };
    const { promptTokenCount } = usage as { promptTokenCount: number };
    const first = { candidates: [{ content: { parts: [{ text: "Hi" }], role: "model" }, index: 0 }] };
    return [{ ...answer, ...first, usageMetadata: { promptTokenCount, totalTokenCount: promptTokenCount } }, answer];
  },
  bedrock({ more = {} }, usage) {
    return [
      { messageStart: { role: "assistant" } },
      { contentBlockDelta: { contentBlockIndex: 0, delta: { text: "Hi" } } },
      { contentBlockStop: { contentBlockIndex: 0 } },
      { messageStop: { stopReason: "end_turn" } },
      { metadata: { usage, metrics: { latencyMs: 100 }, ...more } },
    ];
  },
};

const ANSWERS: Make<object> = {
  chat({ model, more = {}, place }, usage, turn) {
    const choice = { index: 0, message: { role: "assistant", content: "Hi" }, finish_reason: "stop" };
    const choices = [place === "choice" ? { ...choice, usage } : choice];
    const stated = place === "choice" ? {} : { usage };
    return { id: `chatcmpl-${turn}`, object: "chat.completion", created: 1, model, choices, ...stated, ...more };
  },
  responses({ model, more = {} }, usage, turn) {
    return { id: `resp_${turn}`, object: "response", model, status: "completed", output: [], ...more, usage };
  },
  anthropic({ model, more = {} }, usage, turn) {
    const message = { id: `msg_${turn}`, type: "message", role: "assistant", model, stop_reason: "end_turn" };
    return { ...message, content: [{ type: "text", text: "Hi" }], usage, ...more };
  },
  google({ model, more = {} }, usage, turn) {
    const content = { parts: [{ text: "!" }], role: "model" };
    const candidates = [{ content, finishReason: "STOP", index: 0, ...more }];
    return { candidates, usageMetadata: usage, modelVersion: model, responseId: `r-${turn}` };
  },
  bedrock({ more = {} }, usage) {
    const output = { message: { role: "assistant", content: [{ text: "Hi" }] } };
    return { output, stopReason: "end_turn", usage, metrics: { latencyMs: 100 }, ...more };
  },
};
