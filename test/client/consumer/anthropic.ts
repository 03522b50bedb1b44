/** Meters every kind of call that the Anthropic SDK offers. Only the compiler reads it. */
import Anthropic from "@anthropic-ai/sdk";
import type { Run } from "@fuelgauge/client";
import { meter, record } from "@fuelgauge/client/anthropic";

const client = new Anthropic();
const ask = { model: "claude-sonnet-4-6", max_tokens: 100, messages: [{ role: "user" as const, content: "Hello" }] };

export async function streams(run: Run): Promise<string> {
  let text = "";
  const stream = await client.messages.create({ ...ask, stream: true }, { signal: run.signal });
  for await (const event of meter(stream, run)) {
    if (event.type === "content_block_delta" && event.delta.type === "text_delta") text += event.delta.text;
  }
  const beta = await client.beta.messages.create({ ...ask, stream: true });
  for await (const event of meter(beta, run)) text += event.type;
  for await (const event of meter(client.messages.stream(ask), run)) text += event.type;
  return text;
}

export async function answers(run: Run): Promise<string | null> {
  const beta = record(await client.beta.messages.create(ask), run);
  return record(await client.messages.create(ask), run, { model: "claude" }).stop_reason ?? beta.stop_reason;
}
