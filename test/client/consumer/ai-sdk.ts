/** Wraps models of the Vercel AI SDK in the ways that it offers. Only the compiler reads it. */
import type { Run } from "@fuelgauge/client";
import { type FuelgaugeMiddleware, fuelgaugeMiddleware } from "@fuelgauge/client/ai-sdk";
import { createGateway, generateText, streamText, wrapLanguageModel, wrapProvider } from "ai";

const gateway = createGateway({ apiKey: "k" });

export async function streams(run: Run): Promise<string> {
  const model = wrapLanguageModel({ model: gateway("openai/gpt-5-mini"), middleware: fuelgaugeMiddleware(run) });
  let text = "";
  for await (const part of streamText({ model, prompt: "Hello", abortSignal: run.signal }).textStream) text += part;
  return text;
}

export async function answers(run: Run): Promise<string> {
  const middleware: FuelgaugeMiddleware = fuelgaugeMiddleware(run, { model: "gpt-5-mini" });
  const model = wrapLanguageModel({ model: gateway("openai/gpt-5-mini"), middleware: [middleware] });
  const provider = wrapProvider({ provider: gateway, languageModelMiddleware: middleware });
  const other = await generateText({ model: provider.languageModel("openai/gpt-5-mini"), prompt: "Hello" });
  return (await generateText({ model, prompt: other.text })).text;
}
