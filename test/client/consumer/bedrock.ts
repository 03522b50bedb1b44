/** Meters both ways to converse that the SDK for Amazon Bedrock offers. Only the compiler reads it. */
import { BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand } from "@aws-sdk/client-bedrock-runtime";
import type { Run } from "@fuelgauge/client";
import { meter, record } from "@fuelgauge/client/bedrock";

const client = new BedrockRuntimeClient({ region: "us-east-1" });
const ask = { modelId: "amazon.nova-pro-v1:0", messages: [{ role: "user" as const, content: [{ text: "Hello" }] }] };

export async function streams(run: Run): Promise<string> {
  let text = "";
  const { stream } = await client.send(new ConverseStreamCommand(ask), { abortSignal: run.signal });
  if (stream === undefined) return text;
  for await (const event of meter(stream, run, { model: ask.modelId })) {
    text += event.contentBlockDelta?.delta?.text ?? "";
  }
  return text;
}

export async function answers(run: Run): Promise<string | undefined> {
  const response = record(await client.send(new ConverseCommand(ask)), run, { model: ask.modelId });
  return response.stopReason;
}
