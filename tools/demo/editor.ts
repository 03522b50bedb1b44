// The demo's editor: a page of another origin that embeds <usage-bar>, standing for the platform's own editor, and the
// small backend that such a platform has. Keys stay in this process: the page gets embed tokens for its own origin,
// and asks for runs that this process does as an agent, with the enterprise's debit key, over the documented interface.
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { PriceBook } from "../kit/expected-cost.ts";
import { type Call, createCaller, describeProblem } from "../kit/http.ts";
import { isRunSize, runForEditor } from "./editor-run.ts";
import type { DemoEnterprise } from "./world.ts";

/** Whom the editor serves, and how it reaches Fuelgauge. */
interface EditorOptions {
  baseUrl: string;
  /** Calls with the operator's key. */
  operator: Call;
  book: PriceBook;
  enterprises: readonly DemoEnterprise[];
  /** Where to listen; the next free port where it is taken. */
  port: number;
}

const FILES: Record<string, { file: string; type: string }> = {
  "/": { file: "page.html", type: "text/html; charset=utf-8" },
  "/editor.css": { file: "editor.css", type: "text/css; charset=utf-8" },
  "/editor.js": { file: "editor.js", type: "text/javascript; charset=utf-8" },
};
const FOLDER = new URL("./editor/", import.meta.url);
const RUN_GIVES_UP_AFTER_MS = 30_000;
const KEY_LIFE_MS = 86_400_000;
const MOST_BODY_BYTES = 10_000;
const MOST_RUNS_AT_ONCE = 6;

/** Starts the editor. Gives its origin, and a function that ends it. */
export async function startEditor(options: EditorOptions): Promise<{ origin: string; close: () => void }> {
  const keys = new Map<string, { call: Call; untilMs: number }>();
  let origin = "";
  let openRuns = 0;
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error(`The demo's editor: ${error instanceof Error ? error.message : error}`);
      if (response.headersSent) response.end();
      else send(response, 502, { error: "Fuelgauge did not answer." });
    });
  });
  await listen(server, options.port);
  origin = `http://localhost:${(server.address() as AddressInfo).port}`;
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { origin, close };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? "/", origin);
    const file = FILES[pathname];
    if (request.method === "GET" && file) {
      const shown = options.enterprises.find(({ id }) => id === searchParams.get("enterprise"));
      return sendFile(response, file, options, shown ?? options.enterprises[0]!);
    }
    if (request.method !== "POST") return send(response, 404, { error: "There is nothing here." });
    // Any page of the web can send to a port of this machine; only ours may use what this process can do.
    if (request.headers.origin !== origin) return send(response, 403, { error: "Only the editor's page may ask." });
    const { enterprise: id, size } = await readJson(request);
    const enterprise = options.enterprises.find((known) => known.id === id);
    if (!enterprise) return send(response, 422, { error: "No such demo enterprise." });
    if (pathname === "/token") return sendToken(response, enterprise);
    if (pathname === "/run" && isRunSize(size)) return streamRun(response, enterprise, size);
    return send(response, 404, { error: "There is nothing here." });
  }

  async function sendToken(response: ServerResponse, { id, users }: DemoEnterprise): Promise<void> {
    const wish = { user: users[0]!.id, role: "admin", origin };
    const made = await options.operator("POST", `/v1/enterprises/${id}/embed-tokens`, wish);
    if (made.status === 201) return send(response, 200, made.body);
    return send(response, 502, { error: describeProblem(made) });
  }

  /** One line of JSON for each thing that happens. A page that goes away does not stop its run. */
  async function streamRun(response: ServerResponse, enterprise: DemoEnterprise, size: "small" | "large") {
    if (openRuns >= MOST_RUNS_AT_ONCE) return send(response, 429, { error: "Enough agents are at work." });
    openRuns += 1;
    try {
      const agent = await agentOf(enterprise);
      response.writeHead(200, { "Content-Type": "application/x-ndjson", "Cache-Control": "no-store" });
      for await (const step of runForEditor(enterprise, options.book, agent, size)) {
        if (!response.destroyed) response.write(`${JSON.stringify(step)}\n`);
      }
    } finally {
      openRuns -= 1;
      response.end();
    }
  }

  /** Calls with a key of the scopes debit and read, made when the first agent needs it, for a day. */
  async function agentOf({ id }: DemoEnterprise): Promise<Call> {
    const known = keys.get(id);
    if (known && known.untilMs > Date.now()) return known.call;
    const untilMs = Date.now() + KEY_LIFE_MS;
    const wish = { name: "Demo editor", scopes: ["debit", "read"], expires_at: new Date(untilMs).toISOString() };
    const made = await options.operator("POST", `/v1/enterprises/${id}/keys`, wish);
    if (made.status !== 201) throw new Error(`no key for ${id}: ${describeProblem(made)}`);
    const { key } = made.body as { key: string };
    const call = createCaller({ baseUrl: options.baseUrl, key, giveUpAfterMs: RUN_GIVES_UP_AFTER_MS });
    keys.set(id, { call, untilMs: untilMs - RUN_GIVES_UP_AFTER_MS });
    return call;
  }
}

/** The page's policy is as strict as a host's can be: the bar needs its script, its socket, and nothing else. */
async function sendFile(
  response: ServerResponse,
  { file, type }: { file: string; type: string },
  { baseUrl, enterprises }: EditorOptions,
  shown: DemoEnterprise,
): Promise<void> {
  const socketUrl = baseUrl.replace(/^http/, "ws");
  const policy =
    `default-src 'none'; script-src 'self' ${baseUrl}; style-src 'self'; connect-src 'self' ${baseUrl} ${socketUrl}; ` +
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
  const links = enterprises.map(({ id, settings }) => {
    return `<a href="/?enterprise=${id}"${id === shown.id ? ' aria-current="page"' : ""}>${settings.name}</a>`;
  });
  const text = (await readFile(new URL(file, FOLDER), "utf8"))
    .replaceAll("{{base}}", baseUrl)
    .replaceAll("{{enterprise}}", shown.id)
    .replaceAll("{{links}}", links.join(" "));
  response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": policy, "Cache-Control": "no-store" });
  response.end(text);
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store" });
  response.end(JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<{ enterprise?: unknown; size?: unknown }> {
  let text = "";
  for await (const chunk of request) {
    text += chunk;
    if (text.length > MOST_BODY_BYTES) return {};
  }
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {};
  }
}

/** On the wished port, or on any where that one is taken. */
function listen(server: ReturnType<typeof createServer>, port: number): Promise<void> {
  return new Promise((done, fail) => {
    server.once("listening", done);
    server.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE" || port === 0) return fail(error);
      server.once("error", fail).listen(0, "localhost");
    });
    server.listen(port, "localhost");
  });
}
