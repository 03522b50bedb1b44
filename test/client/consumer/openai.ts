/** Meters every kind of call that the OpenAI SDK offers. Only the compiler reads it. */
import type { Run } from "@fuelgauge/client";
import { meter, record } from "@fuelgauge/client/openai";
import OpenAI from "openai";

const client = new OpenAI();
const chat = { model: "gpt-5-mini", messages: [{ role: "user" as const, content: "Hello" }] };
const usage = { stream_options: { include_usage: true } };
const response = { model: "gpt-5-mini", input: "Hello" };

export async function streams(run: Run): Promise<string> {
  let text = "";
  const chunks = await client.chat.completions.create({ ...chat, ...usage, stream: true }, { signal: run.signal });
  for await (const chunk of meter(chunks, run)) text += chunk.choices[0]?.delta.content ?? "";
  for await (const chunk of meter(client.chat.completions.stream({ ...chat, ...usage }), run)) text += chunk.model;
  const events = await client.responses.create({ ...response, stream: true });
  for await (const event of meter(events, run)) if (event.type === "response.output_text.delta") text += event.delta;
  for await (const event of meter(client.responses.stream(response), run)) text += event.type;
  return text;
}

export async function answers(run: Run): Promise<string | null | undefined> {
  const completion = record(await client.chat.completions.create(chat), run, { model: "gpt" });
  return completion.choices[0]?.message.content ?? record(await client.responses.create(response), run).output_text;
}
