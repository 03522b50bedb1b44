/**
 * A model provider on this machine: streams the events it is told to, in the provider's own framing, and behaves badly
 * when told to. Each script has an address of its own, which the SDK takes for the provider's.
 */
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ProviderName } from "./golden.ts";

/** How a stream ends: as it should, with the provider's error event, with the connection, or never. */
export type Ending = "end" | "error" | "lost" | "never";

export type Script = {
  provider: ProviderName;
  /** The events of the answer to each request; one more request is refused. */
  responses: object[][];
  ending: Ending;
  /** True for an answer in one piece: the first event is its body. */
  whole?: boolean;
};

const ERRORS: Record<ProviderName, object> = {
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
};

/** The framing of one event: OpenAI's responses and Anthropic name it, the others only send it. */
function frame(provider: ProviderName, event: object): string {
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
    /** The address that plays the script, the requests that came to it, and when one of them is over. */
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
  const { provider, ending, whole = false } = script;
  if (whole) {
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(events[0]));
    return;
  }
  response.writeHead(200, { "Content-Type": "text/event-stream" });
  response.flushHeaders();
  for (const event of events) response.write(frame(provider, event));
  if (last && ending === "error") response.write(frame(provider, ERRORS[provider]));
  if (last && ending === "lost") {
    // A clean shutdown of the socket within the body: what was written arrives, the rest never does.
    response.socket?.end();
    return;
  }
  if (last && ending === "never") return;
  response.end(provider === "openai-chat" && ending === "end" ? "data: [DONE]\n\n" : "");
}
