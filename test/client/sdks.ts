/**
 * Opens a stream with each provider's real SDK, at a URL of this machine, metered by its adapter. Every SDK is here in its
 * current and its previous major version.
 */
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { createGateway, wrapLanguageModel } from "ai";
import * as ai6 from "ai-6";
import Anthropic0 from "anthropic-sdk-0";
import { GoogleGenAI as GoogleGenAI2 } from "google-genai-2";
import OpenAI from "openai";
import OpenAI6 from "openai-6";
import { fuelgaugeMiddleware } from "../../packages/client/src/ai-sdk.ts";
import { meter as meterAnthropic } from "../../packages/client/src/anthropic.ts";
import type { Run } from "../../packages/client/src/fuelgauge.ts";
import { meter as meterGoogle } from "../../packages/client/src/google.ts";
import { meter as meterOpenAI } from "../../packages/client/src/openai.ts";
import type { ProviderName } from "./golden.ts";

type Major = "current" | "previous";

type Open = (url: string, run: Run, model: string | null) => Promise<AsyncIterable<unknown>>;

/** @param model the name to report under, if the SDK does not state the model's name */
export function openStream(
  name: ProviderName,
  url: string,
  run: Run,
  model: string | null,
  major: Major = "current",
): Promise<AsyncIterable<unknown>> {
  return OPEN[major][name](url, run, model);
}

const OPEN: Record<Major, Record<ProviderName, Open>> = {
  current: {
    anthropic: openAnthropic(Anthropic),
    "openai-chat": openChat(OpenAI),
    "openai-responses": openResponses(OpenAI),
    google: openGoogle(GoogleGenAI),
    async "ai-sdk"(url, run, model) {
      const wrapped = wrapLanguageModel({
        model: createGateway({ baseURL: url, apiKey: "k" })("anthropic/claude-sonnet-4.5"),
        middleware: fuelgaugeMiddleware(run, model === null ? {} : { model }),
      });
      return (await wrapped.doStream({ prompt: PROMPT })).stream;
    },
  },
  previous: {
    anthropic: openAnthropic(Anthropic0 as unknown as typeof Anthropic),
    "openai-chat": openChat(OpenAI6 as unknown as typeof OpenAI),
    "openai-responses": openResponses(OpenAI6 as unknown as typeof OpenAI),
    google: openGoogle(GoogleGenAI2 as unknown as typeof GoogleGenAI),
    async "ai-sdk"(url, run, model) {
      const wrapped = ai6.wrapLanguageModel({
        model: ai6.createGateway({ baseURL: url, apiKey: "k" })("anthropic/claude-sonnet-4.5"),
        middleware: fuelgaugeMiddleware(run, model === null ? {} : { model }),
      });
      return (await wrapped.doStream({ prompt: PROMPT })).stream;
    },
  },
};

const PROMPT = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello" }] }];

function openAnthropic(SDK: typeof Anthropic): Open {
  return async (url, run) => {
    const client = new SDK({ baseURL: url, apiKey: "k", maxRetries: 0 });
    const messages = [{ role: "user" as const, content: "Hello" }];
    const stream = await client.messages.create({ model: "claude-sonnet-5", max_tokens: 1024, messages, stream: true });
    return meterAnthropic(stream, run);
  };
}

function openChat(SDK: typeof OpenAI): Open {
  return async (url, run) => {
    const client = new SDK({ baseURL: url, apiKey: "k", maxRetries: 0 });
    const stream = await client.chat.completions.create({
      model: "gpt-5-mini",
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
      stream_options: { include_usage: true },
    });
    return meterOpenAI(stream, run);
  };
}

function openResponses(SDK: typeof OpenAI): Open {
  return async (url, run) => {
    const client = new SDK({ baseURL: url, apiKey: "k", maxRetries: 0 });
    return meterOpenAI(await client.responses.create({ model: "gpt-5-mini", input: "Hello", stream: true }), run);
  };
}

function openGoogle(SDK: typeof GoogleGenAI): Open {
  return async (url, run) => {
    const client = new SDK({ apiKey: "k", httpOptions: { baseUrl: url } });
    const stream = await client.models.generateContentStream({ model: "gemini-2.5-flash", contents: "Hello" });
    return meterGoogle(stream, run);
  };
}
