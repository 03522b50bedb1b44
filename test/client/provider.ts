/**
 * A simulated model provider on this machine. It streams the given events in the provider's framing, and can fail in the
 * ways that providers fail. Each script has its own URL, which the SDK uses as the provider's address.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { EventStreamCodec } from "@smithy/core/event-streams";
import type { ProviderName } from "./golden.ts";

/** How a provider frames its events. */
export type Framing = ProviderName | "bedrock";

/** How a stream ends: normally, with the provider's error event, with a lost connection, or never. */
export type Ending = "end" | "error" | "lost" | "never";

type Script = {
  provider: Framing;
  /** The events of the answer to each request. Further requests are refused. */
  responses: object[][];
  ending: Ending;
  /** True for an answer without streaming: its body is the first event. */
  complete?: boolean;
};

const ERRORS: Record<Framing, object> = {
  anthropic: { type: "error", error: { type: "overloaded_error", message: "Overloaded" } },
  "openai-chat": { error: { message: "The server had an error", type: "server_error", param: null, code: null } },
  "openai-responses": {
    type: "error",
    code: "server_error",
    message: "The server had an error",
    param: null,
    sequence_number: 99,
  },
  google: { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } },
  "ai-sdk": { type: "error", error: { message: "Overloaded" } },
  bedrock: { modelStreamErrorException: { message: "Overloaded" } },
};

const codec = new EventStreamCodec(
  (bytes) => Buffer.from(bytes).toString(),
  (text) => Buffer.from(text),
);

/** One event as it is sent. OpenAI's responses and Anthropic name their events; Bedrock frames them in binary. */
function frame(provider: Framing, event: object): string | Uint8Array {
  if (provider === "bedrock") {
    const [[type, body]] = Object.entries(event) as [[string, object]];
    const header = (value: string) => ({ type: "string" as const, value });
    const headers = { ":event-type": header(type), ":message-type": header("event") };
    const json = { ":content-type": header("application/json") };
    return codec.encode({ headers: { ...headers, ...json }, body: Buffer.from(JSON.stringify(body)) });
  }
  const named = provider === "anthropic" || provider === "openai-responses";
  const name = named ? `event: ${(event as { type: string }).type}\n` : "";
  return `${name}data: ${JSON.stringify(event)}\n\n`;
}

export async function startProvider() {
  const scripts = new Map<string, Script & { requests: { url: string; body: unknown }[]; closed: () => void }>();
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const [, id = "", ...rest] = (request.url ?? "").split("/");
    const script = scripts.get(id);
    if (script === undefined) {
      response.writeHead(404).end();
      return;
    }
    const turn = script.requests.push({ url: `/${rest.join("/")}`, body: JSON.parse(body) });
    response.on("close", script.closed);
    const events = script.responses[turn - 1];
    if (events === undefined) response.writeHead(400).end();
    else answer(response, script, events, turn === script.responses.length);
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const { port } = server.address() as AddressInfo;
  let made = 0;
  return {
    /** Returns the script's URL, the requests that it receives, and a promise for the end of the first one. */
    play(script: Script) {
      const id = String(++made);
      const requests: { url: string; body: unknown }[] = [];
      const { promise: over, resolve: closed } = Promise.withResolvers<void>();
      scripts.set(id, { ...script, requests, closed });
      return { url: `http://127.0.0.1:${port}/${id}`, requests, over };
    },
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

function answer(response: ServerResponse, script: Script, events: object[], last: boolean): void {
  const { provider, ending, complete = false } = script;
  if (complete) {
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(events[0]));
    return;
  }
  const type = provider === "bedrock" ? "application/vnd.amazon.eventstream" : "text/event-stream";
  response.writeHead(200, { "Content-Type": type });
  response.flushHeaders();
  for (const event of events) response.write(frame(provider, event));
  if (last && ending === "error") response.write(frame(provider, ERRORS[provider]));
  if (last && ending === "lost") {
    // Shuts the socket down cleanly within the body: what was written arrives, and the rest never does.
    response.socket?.end();
    return;
  }
  if (last && ending === "never") return;
  response.end(provider === "openai-chat" && ending === "end" ? "data: [DONE]\n\n" : "");
}
