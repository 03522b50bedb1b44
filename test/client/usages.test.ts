// Every way in which a provider states its usage, through the providers' real SDKs, streamed and complete: the client
// reports exactly what it means, under the right price tier.
import Anthropic from "@anthropic-ai/sdk";
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import { GoogleGenAI } from "@google/genai";
import { NodeHttpHandler } from "@smithy/node-http-handler";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as anthropic from "../../packages/client/src/anthropic.ts";
import * as bedrock from "../../packages/client/src/bedrock.ts";
import type { Run } from "../../packages/client/src/fuelgauge.ts";
import * as google from "../../packages/client/src/google.ts";
import * as openai from "../../packages/client/src/openai.ts";
import { startFakeLedger } from "./fake-ledger.ts";
import { type Framing, startProvider } from "./provider.ts";
import type { Api, UsageCase } from "./usage-case.ts";
import { answersOf, eventsOf } from "./usage-events.ts";
import { reported, tiersOf, USAGE_CASES } from "./usages.ts";

let ledger: Awaited<ReturnType<typeof startFakeLedger>>;
let provider: Awaited<ReturnType<typeof startProvider>>;

beforeAll(async () => {
  [ledger, provider] = await Promise.all([startFakeLedger(tiersOf), startProvider()]);
});

afterAll(() => {
  ledger.close();
  provider.close();
});

const MESSAGES = [{ role: "user" as const, content: "Hello" }];
const CONVERSE = { messages: [{ role: "user" as const, content: [{ text: "Hello" }] }] };

const NO_EVENTS: AsyncIterable<never> = { [Symbol.asyncIterator]: async function* () {} };

type Sdk = {
  framing: Framing;
  stream(url: string, run: Run, model: string): Promise<AsyncIterable<unknown>>;
  complete(url: string, run: Run, model: string): Promise<unknown>;
};

function bedrockAt(endpoint: string): BedrockRuntimeClient {
  const credentials = { accessKeyId: "k", secretAccessKey: "k" };
  return new BedrockRuntimeClient({
    endpoint,
    region: "us-east-1",
    credentials,
    requestHandler: new NodeHttpHandler(),
  });
}

const SDKS: Record<Api, Sdk> = {
  chat: {
    framing: "openai-chat",
    async stream(baseURL, run, model) {
      const { chat } = new OpenAI({ baseURL, apiKey: "k" });
      return openai.meter(await chat.completions.create({ model, messages: MESSAGES, stream: true }), run);
    },
    async complete(baseURL, run, model) {
      const { chat } = new OpenAI({ baseURL, apiKey: "k" });
      return openai.record(await chat.completions.create({ model, messages: MESSAGES }), run);
    },
  },
  responses: {
    framing: "openai-responses",
    async stream(baseURL, run, model) {
      const { responses } = new OpenAI({ baseURL, apiKey: "k" });
      return openai.meter(await responses.create({ model, input: "Hello", stream: true }), run);
    },
    async complete(baseURL, run, model) {
      const { responses } = new OpenAI({ baseURL, apiKey: "k" });
      return openai.record(await responses.create({ model, input: "Hello" }), run);
    },
  },
  anthropic: {
    framing: "anthropic",
    async stream(baseURL, run, model) {
      const { messages } = new Anthropic({ baseURL, apiKey: "k" });
      return anthropic.meter(await messages.create({ model, max_tokens: 9, messages: MESSAGES, stream: true }), run);
    },
    async complete(baseURL, run, model) {
      const { messages } = new Anthropic({ baseURL, apiKey: "k" });
      return anthropic.record(await messages.create({ model, max_tokens: 9, messages: MESSAGES }), run);
    },
  },
  google: {
    framing: "google",
    async stream(baseUrl, run, model) {
      const { models } = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
      return google.meter(await models.generateContentStream({ model, contents: "Hello" }), run);
    },
    async complete(baseUrl, run, model) {
      const { models } = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl } });
      return google.record(await models.generateContent({ model, contents: "Hello" }), run);
    },
  },
  bedrock: {
    framing: "bedrock",
    async stream(url, run, modelId) {
      const { stream = NO_EVENTS } = await bedrockAt(url).send(new ConverseStreamCommand({ modelId, ...CONVERSE }));
      return bedrock.meter(stream, run, { model: modelId });
    },
    async complete(url, run, modelId) {
      const response = await bedrockAt(url).send(new ConverseCommand({ modelId, ...CONVERSE }));
      return bedrock.record(response, run, { model: modelId });
    },
  },
};

/** What the run must have reported at its end, by model and tier. */
function expected({ model, means }: UsageCase) {
  const byTier = Object.entries(means);
  return Object.fromEntries(
    byTier.map(([tier, kinds]) => [tier === "standard" ? model : `${model} ${tier}`, reported(kinds)]),
  );
}

describe("a usage is counted exactly", () => {
  it.each(USAGE_CASES.map((usageCase) => [usageCase.name, usageCase] as const))("in a stream: %s", async (_, it) => {
    const { framing, stream } = SDKS[it.api];
    const run = await ledger.startRun();
    const { url } = provider.play({ provider: framing, responses: [eventsOf(it)], ending: "end" });
    for await (const _event of await stream(url, run, it.model));
    expect(await run.finish()).toMatchObject({ delivered: true, refused: [], not_counted: [] });
    expect(ledger.finals(run)).toEqual(expected(it));
  });

  it.each(USAGE_CASES.map((usageCase) => [usageCase.name, usageCase] as const))("in an answer: %s", async (_, it) => {
    const { framing, complete } = SDKS[it.api];
    const run = await ledger.startRun();
    for (const answer of answersOf(it)) {
      const { url } = provider.play({ provider: framing, responses: [[answer]], ending: "end", complete: true });
      await complete(url, run, it.model);
    }
    expect(await run.finish()).toMatchObject({ delivered: true, refused: [], not_counted: [] });
    expect(ledger.finals(run)).toEqual(expected(it));
  });
});
