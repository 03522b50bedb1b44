/** The providers' real SDKs, each opening its stream at an address of this machine, metered by its adapter. */
import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import { createGateway, wrapLanguageModel } from "ai";
import OpenAI from "openai";
import { fuelgaugeMiddleware } from "../../packages/client/src/ai-sdk.ts";
import { meter as meterAnthropic } from "../../packages/client/src/anthropic.ts";
import type { Run } from "../../packages/client/src/fuelgauge.ts";
import { meter as meterGoogle } from "../../packages/client/src/google.ts";
import { meter as meterOpenAI } from "../../packages/client/src/openai.ts";
import type { ProviderName } from "./golden.ts";

/** @param model what to report under, where the SDK does not hear the model's name */
export function openStream(
  name: ProviderName,
  url: string,
  run: Run,
  model: string | null,
): Promise<AsyncIterable<unknown>> {
  return OPEN[name](url, run, model);
}

const OPEN: Record<ProviderName, (url: string, run: Run, model: string | null) => Promise<AsyncIterable<unknown>>> = {
  async anthropic(url, run) {
    const client = new Anthropic({ baseURL: url, apiKey: "k", maxRetries: 0 });
    const messages = [{ role: "user" as const, content: "Hello" }];
    const stream = await client.messages.create({ model: "claude-sonnet-5", max_tokens: 1024, messages, stream: true });
    return meterAnthropic(stream, run);
  },
  async "openai-chat"(url, run) {
    const client = new OpenAI({ baseURL: url, apiKey: "k", maxRetries: 0 });
    const stream = await client.chat.completions.create({
      model: "gpt-5-mini",
      messages: [{ role: "user", content: "Hello" }],
      stream: true,
      stream_options: { include_usage: true },
    });
    return meterOpenAI(stream, run);
  },
  async "openai-responses"(url, run) {
    const client = new OpenAI({ baseURL: url, apiKey: "k", maxRetries: 0 });
    return meterOpenAI(await client.responses.create({ model: "gpt-5-mini", input: "Hello", stream: true }), run);
  },
  async google(url, run) {
    const client = new GoogleGenAI({ apiKey: "k", httpOptions: { baseUrl: url } });
    return meterGoogle(
      await client.models.generateContentStream({ model: "gemini-2.5-flash", contents: "Hello" }),
      run,
    );
  },
  async "ai-sdk"(url, run, model) {
    const wrapped = wrapLanguageModel({
      model: createGateway({ baseURL: url, apiKey: "k" })("anthropic/claude-sonnet-4.5"),
      middleware: fuelgaugeMiddleware(run, model === null ? {} : { model }),
    });
    const prompt = [{ role: "user" as const, content: [{ type: "text" as const, text: "Hello" }] }];
    return (await wrapped.doStream({ prompt })).stream;
  },
};
