/** Meters every kind of call that the Google GenAI SDK offers. Only the compiler reads it. */
import type { Run } from "@fuelgauge/client";
import { meter, record } from "@fuelgauge/client/google";
import { GoogleGenAI } from "@google/genai";

const { models, chats } = new GoogleGenAI({ apiKey: "k" });
const ask = { model: "gemini-2.5-flash", contents: "Hello" };

export async function streams(run: Run): Promise<string> {
  let text = "";
  for await (const chunk of meter(await models.generateContentStream(ask), run)) text += chunk.text ?? "";
  const chat = chats.create({ model: "gemini-2.5-flash" });
  for await (const chunk of meter(await chat.sendMessageStream({ message: "Hello" }), run)) text += chunk.text ?? "";
  return text;
}

export async function answers(run: Run): Promise<string | undefined> {
  return record(await models.generateContent(ask), run, { model: "gemini" }).text;
}
