// Uses the providers' SDKs in ways other than a plain stream: complete answers, the SDKs' helpers, automatic function
// calls, agents with several steps, and a run that is asked to stop; and their previous majors. There is no ledger in
// these tests: they check what the run has counted.
import Anthropic from "@anthropic-ai/sdk";
import { type CallableTool, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import { createGateway, generateText, stepCountIs, streamText, tool, wrapLanguageModel } from "ai";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { fuelgaugeMiddleware } from "../../packages/client/src/ai-sdk.ts";
import * as anthropic from "../../packages/client/src/anthropic.ts";
import { createFuelgauge, type Fuelgauge, type Run, type Trouble } from "../../packages/client/src/fuelgauge.ts";
import * as google from "../../packages/client/src/google.ts";
import * as openai from "../../packages/client/src/openai.ts";
import { asExpected, casesOf, expectedAfter, GOLDEN, type ProviderName, sizeOf } from "./golden.ts";
import { type Ending, startProvider } from "./provider.ts";
import { openStream } from "./sdks.ts";

let provider: Awaited<ReturnType<typeof startProvider>>;
const troubles: Trouble[] = [];

const clients: Fuelgauge[] = [];

beforeAll(async () => {
  provider = await startProvider();
});

afterAll(() => {
  for (const client of clients) client.close();
  provider.close();
});

/** A run that starts without a ledger, and is asked to stop when it has counted more than `maxUnreported` tokens. */
async function newRun(maxUnreported = 1e12): Promise<Run> {
  const fuelgauge = createFuelgauge({
    url: "http://127.0.0.1:9",
    enterprise: "acme",
    key: "k",
    startLimitMs: 1,
    whenUnreachable: { policy: "open", maxRuns: 1, maxUnreported },
    onTrouble: (trouble) => troubles.push(trouble),
  });
  clients.push(fuelgauge);
  const run = `run-${clients.length}`;
  const started = await fuelgauge.startRun({ run, surface: "cli", workspace: "w1", user: "u1" });
  if (!started.admitted) throw new Error(started.refusal.detail);
  return started.run;
}

function play(name: ProviderName, responses: object[][], ending: Ending = "end") {
  return provider.play({ provider: name, responses, ending });
}

/** The URL of a provider that answers without streaming. */
function answerWith(name: ProviderName, body: object): string {
  return provider.play({ provider: name, responses: [[body]], ending: "end", complete: true }).url;
}

const ASK = { model: "claude-sonnet-5", max_tokens: 100, messages: [{ role: "user" as const, content: "Hello" }] };

const PROMPT = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello" }] }];

describe("a complete answer", () => {
  it("of Anthropic is recorded and returned", async () => {
    const usage = { input_tokens: 3, output_tokens: 9, cache_read_input_tokens: 2, cache_creation_input_tokens: 4 };
    const message = { id: "msg_1", type: "message", role: "assistant", model: "claude-opus-4-6", content: [], usage };
    const [run, client] = [await newRun(), new Anthropic({ baseURL: answerWith("anthropic", message), apiKey: "k" })];
    const given = anthropic.record(await client.messages.create(ASK), run);
    expect(given).toMatchObject({ id: "msg_1" });
    expect(asExpected(run.totals)).toEqual({ "claude-opus-4-6": [3, 9, 2, 4] });
  });

  it("of OpenAI is recorded: a chat and a response add up", async () => {
    const run = await newRun();
    const chatUsage = { prompt_tokens: 10, completion_tokens: 4, prompt_tokens_details: { cached_tokens: 8 } };
    const chat = { id: "c", object: "chat.completion", model: "gpt-5-mini", choices: [], usage: chatUsage };
    const usage = {
      input_tokens: 7,
      output_tokens: 1,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 5 },
    };
    const response = { id: "r", object: "response", model: "gpt-5-mini", status: "completed", output: [], usage };
    const chats = new OpenAI({ baseURL: answerWith("openai-chat", chat), apiKey: "k" });
    const responses = new OpenAI({ baseURL: answerWith("openai-responses", response), apiKey: "k" });
    const messages = [{ role: "user" as const, content: "Hello" }];
    openai.record(await chats.chat.completions.create({ model: "gpt-5-mini", messages }), run);
    openai.record(await responses.responses.create({ model: "gpt-5-mini", input: "Hello" }), run);
    expect(asExpected(run.totals)).toEqual({ "gpt-5-mini": [4, 5, 8, 5] });
  });

  it("of Google is recorded under the given name, and returned", async () => {
    const run = await newRun();
    const usageMetadata = {
      promptTokenCount: 20,
      cachedContentTokenCount: 5,
      candidatesTokenCount: 3,
      thoughtsTokenCount: 2,
    };
    const response = { candidates: [], usageMetadata, modelVersion: "gemini-2.5-flash-lite-08-2031", responseId: "r" };
    const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: answerWith("google", response) } });
    const given = await client.models.generateContent({ model: "gemini-2.5-flash", contents: "Hello" });
    google.record(given, run, { model: "gemini-2.5-flash" });
    expect(asExpected(run.totals)).toEqual({ "gemini-2.5-flash": [15, 5, 5, 0] });
  });

  it("of the AI SDK is recorded from the provider's raw answer if that states more", async () => {
    const run = await newRun();
    const usage = { inputTokens: { total: 10, noCache: 4, cacheRead: 6 }, outputTokens: { total: 5, text: 5 } };
    const content = [{ type: "text", text: "Hi" }];
    const url = answerWith("ai-sdk", { content, finishReason: { unified: "stop", raw: "stop" }, usage, warnings: [] });
    const model = wrapLanguageModel({
      model: createGateway({ baseURL: url, apiKey: "k" })("openai/gpt-5-mini"),
      middleware: fuelgaugeMiddleware(run),
    });
    expect((await generateText({ model, prompt: "Hello" })).text).toBe("Hi");
    expect(asExpected(run.totals)).toEqual({ "openai/gpt-5-mini": [4, 5, 6, 0] });
    const body = {
      object: "response",
      usage: { input_tokens: 10, input_tokens_details: { cached_tokens: 6, cache_write_tokens: 3 } },
    };
    const doGenerate = async () => ({ usage, response: { body } });
    await fuelgaugeMiddleware(run).wrapGenerate({ doGenerate, model: { modelId: "gpt-5.6-terra" } });
    expect(asExpected(run.totals)["gpt-5.6-terra"]).toEqual([1, 0, 6, 3]);
  });
});

describe("the SDKs' helpers", () => {
  it("meters Anthropic's stream helper, which still returns its message afterwards", async () => {
    const [golden] = casesOf("anthropic");
    const client = new Anthropic({ baseURL: play("anthropic", golden?.responses ?? []).url, apiKey: "k" });
    const run = await newRun();
    const stream = client.messages.stream(ASK);
    let seen = 0;
    for await (const _event of anthropic.meter(stream, run)) seen += 1;
    expect(seen).toBe(7);
    expect((await stream.finalMessage()).usage).toMatchObject({ input_tokens: 25, output_tokens: 15 });
    expect(asExpected(run.totals)).toEqual({ "claude-sonnet-4-5-20250929": [25, 15, 0, 0] });
  });

  it("meters OpenAI's stream helpers for chats and responses", async () => {
    const run = await newRun();
    const chat = casesOf("openai-chat")[1];
    const response = casesOf("openai-responses")[2];
    const chats = new OpenAI({ baseURL: play("openai-chat", chat?.responses ?? []).url, apiKey: "k" });
    const responses = new OpenAI({ baseURL: play("openai-responses", response?.responses ?? []).url, apiKey: "k" });
    const messages = [{ role: "user" as const, content: "Hello" }];
    const asked = { model: "gpt-5-mini", messages, stream_options: { include_usage: true } };
    for await (const _chunk of openai.meter(chats.chat.completions.stream(asked), run));
    for await (const _event of openai.meter(responses.responses.stream({ model: "gpt-5-mini", input: "Hello" }), run));
    expect(asExpected(run.totals)).toEqual({ "gpt-5-mini-2025-08-07": [86 + 372, 300 + 7, 1920 + 128, 0] });
  });

  it("counts every turn when Google's SDK calls functions automatically", async () => {
    const run = await newRun();
    const turn = (id: string, parts: object[], promptTokenCount: number, candidatesTokenCount: number) => ({
      candidates: [{ content: { parts, role: "model" }, finishReason: "STOP", index: 0 }],
      usageMetadata: {
        promptTokenCount,
        candidatesTokenCount,
        totalTokenCount: promptTokenCount + candidatesTokenCount,
      },
      modelVersion: "gemini-2.5-flash",
      responseId: id,
    });
    const { url, requests } = play("google", [
      [turn("a", [{ functionCall: { name: "weather", args: {} } }], 50, 12)],
      [turn("b", [{ text: "It " }], 90, 2), turn("b", [{ text: "rains." }], 90, 7)],
    ]);
    const weather: CallableTool = {
      tool: async () => ({ functionDeclarations: [{ name: "weather", description: "The weather" }] }),
      callTool: async () => [{ functionResponse: { name: "weather", response: { rain: true } } }],
    };
    const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: url } });
    const stream = await client.models.generateContentStream({
      model: "gemini-2.5-flash",
      contents: "Does it rain?",
      config: { tools: [weather], toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } } },
    });
    let text = "";
    for await (const chunk of google.meter(stream, run)) text += chunk.candidates?.[0]?.content?.parts?.[0]?.text ?? "";
    expect([text, requests.length]).toEqual(["It rains.", 2]);
    expect(asExpected(run.totals)).toEqual({ "gemini-2.5-flash": [140, 19, 0, 0] });
  });

  it("counts every step of an agent of the AI SDK", async () => {
    const run = await newRun();
    const usage = (total: number, out: number) => ({
      inputTokens: { total, noCache: total, cacheRead: 0, cacheWrite: 0 },
      outputTokens: { total: out, text: out, reasoning: 0 },
    });
    const { url, requests } = play("ai-sdk", [
      [
        { type: "stream-start", warnings: [] },
        { type: "tool-call", toolCallId: "1", toolName: "weather", input: "{}" },
        { type: "finish", finishReason: { unified: "tool-calls", raw: "tool_calls" }, usage: usage(50, 12) },
      ],
      [
        { type: "stream-start", warnings: [] },
        { type: "text-start", id: "0" },
        { type: "text-delta", id: "0", delta: "It rains." },
        { type: "text-end", id: "0" },
        { type: "finish", finishReason: { unified: "stop", raw: "stop" }, usage: usage(90, 7) },
      ],
    ]);
    const model = wrapLanguageModel({
      model: createGateway({ baseURL: url, apiKey: "k" })("openai/gpt-5-mini"),
      middleware: fuelgaugeMiddleware(run, { model: "gpt-5-mini" }),
    });
    const weather = tool({
      description: "The weather",
      inputSchema: z.object({}),
      execute: async () => ({ rain: true }),
    });
    const result = streamText({ model, prompt: "Does it rain?", tools: { weather }, stopWhen: stepCountIs(3) });
    expect([await result.text, requests.length]).toEqual(["It rains.", 2]);
    expect(asExpected(run.totals)).toEqual({ "gpt-5-mini": [140, 19, 0, 0] });
  });
});

it("shows raw events of the AI SDK only to callers that requested them", async () => {
  const golden = casesOf("ai-sdk").find(({ name }) => name.startsWith("Anthropic"));
  for (const includeRawChunks of [undefined, false, true]) {
    const { url } = play("ai-sdk", golden?.responses ?? []);
    const run = await newRun();
    const model = wrapLanguageModel({
      model: createGateway({ baseURL: url, apiKey: "k" })("anthropic/claude-sonnet-4.5"),
      middleware: fuelgaugeMiddleware(run),
    });
    const asked = { prompt: PROMPT, ...(includeRawChunks === undefined ? {} : { includeRawChunks }) };
    const types: string[] = [];
    for await (const part of (await model.doStream(asked)).stream) types.push(part.type);
    expect(types.filter((type) => type === "raw")).toHaveLength(includeRawChunks === true ? 2 : 0);
    expect(asExpected(run.totals)).toEqual({ "anthropic/claude-sonnet-4.5": [900, 321, 7, 50] });
  }
});

it("ends the streams of a run that is asked to stop, and counts what they used", async () => {
  const start = { id: "msg_1", type: "message", role: "assistant", model: "claude-opus-4-6", content: [] };
  const usage = { input_tokens: 5_000, output_tokens: 1 };
  const { url, over } = play("anthropic", [[{ type: "message_start", message: { ...start, usage } }]], "never");
  const run = await newRun(1_000);
  const client = new Anthropic({ baseURL: url, apiKey: "k", maxRetries: 0 });
  const stream = await client.messages.create({ ...ASK, stream: true }, { signal: run.signal });
  for await (const event of anthropic.meter(stream, run)) expect(event.type).toBe("message_start");
  await over;
  expect(run.signal.reason).toMatchObject({ name: "RunStopped", reason: "ledger_unreachable" });
  expect(asExpected(run.totals)).toEqual({ "claude-opus-4-6": [5_000, 1, 0, 0] });
});

it("reports a stream that states no usage to onTrouble", async () => {
  const golden = casesOf("openai-chat").find(({ counts }) => counts.length === 0);
  const client = new OpenAI({ baseURL: play("openai-chat", golden?.responses ?? []).url, apiKey: "k" });
  const run = await newRun();
  const messages = [{ role: "user" as const, content: "Hello" }];
  const stream = await client.chat.completions.create({ model: "gpt-5-mini", messages, stream: true });
  for await (const _chunk of openai.meter(stream, run));
  expect(troubles.filter((trouble) => trouble.kind === "no_usage" && trouble.run === run.id)).toHaveLength(1);
});

it.each(Object.keys(GOLDEN) as ProviderName[])(
  "counts each golden case with the previous major too: %s",
  async (name) => {
    for (const golden of casesOf(name)) {
      const run = await newRun();
      const stream = await openStream(name, play(name, golden.responses).url, run, golden.model, "previous");
      for await (const _event of stream);
      expect(asExpected(run.totals), golden.name).toEqual(expectedAfter(golden, sizeOf(golden)));
    }
  },
);
