// The demo editor: a page on another origin that embeds <usage-bar>, as a platform's own editor would, and its backend.
// Keys stay in this process. The page gets embed tokens for its own origin. When it asks for a run, this process does
// the run as an agent, over the documented interface, with a key of the enterprise.
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { transform } from "esbuild";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { type Call, createCaller, describeProblem } from "../kit/http.ts";
import { isRunSize, runForEditor } from "./editor-run.ts";
import type { DemoEnterprise } from "./world.ts";

/** Which enterprises the editor shows, and how it reaches Fuelgauge. */
interface EditorOptions {
  baseUrl: string;
  /** Calls with the operator's key. */
  operator: Call;
  book: PriceBook;
  enterprises: readonly DemoEnterprise[];
  /** The port to listen on, or any free one if it is taken. */
  port: number;
}

const FILES: Record<string, { file: string; type: string }> = {
  "/": { file: "page.html", type: "text/html; charset=utf-8" },
  "/editor.css": { file: "editor.css", type: "text/css; charset=utf-8" },
  "/editor.js": { file: "editor.ts", type: "text/javascript; charset=utf-8" },
};
const FOLDER = new URL("./editor/", import.meta.url);
const RUN_GIVES_UP_AFTER_MS = 30_000;
const KEY_LIFE_MS = 86_400_000;
const MAX_BODY_LENGTH = 10_000;
const MAX_OPEN_RUNS = 6;

/** Starts the editor. Returns its origin and a function that stops it. */
export async function startEditor(options: EditorOptions): Promise<{ origin: string; close: () => void }> {
  const keys = new Map<string, { call: Call; untilMs: number }>();
  let origin = "";
  let openRuns = 0;
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      console.error(`Demo editor: ${error instanceof Error ? error.message : error}`);
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
    if (request.method !== "POST") return send(response, 404, { error: "There is no such page." });
    // Every web page can send requests to a local port. Only our own page may use the keys of this process.
    if (request.headers.origin !== origin) return send(response, 403, { error: "Only the editor's page may ask." });
    const { enterprise: id, size } = await readJson(request);
    const enterprise = options.enterprises.find((known) => known.id === id);
    if (!enterprise) return send(response, 422, { error: "There is no such demo enterprise." });
    if (pathname === "/token") return sendToken(response, enterprise);
    if (pathname === "/run" && isRunSize(size)) return streamRun(response, enterprise, size);
    return send(response, 404, { error: "There is no such page." });
  }

  async function sendToken(response: ServerResponse, { id, users }: DemoEnterprise): Promise<void> {
    const claims = { user: users[0]!.id, role: "admin", origin };
    const made = await options.operator("POST", `/v1/enterprises/${id}/embed-tokens`, claims);
    if (made.status === 201) return send(response, 200, made.body);
    return send(response, 502, { error: describeProblem(made) });
  }

  /** Sends one line of JSON per step. The run continues if the page is closed. */
  async function streamRun(response: ServerResponse, enterprise: DemoEnterprise, size: "small" | "large") {
    if (openRuns >= MAX_OPEN_RUNS)
      return send(response, 429, { error: "Too many agents are running. Try again soon." });
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

  /** Calls with a key that has the scopes debit and read, made when first needed and valid for a day. */
  async function agentOf({ id }: DemoEnterprise): Promise<Call> {
    const known = keys.get(id);
    if (known && known.untilMs > Date.now()) return known.call;
    const untilMs = Date.now() + KEY_LIFE_MS;
    const keyRequest = { name: "Demo editor", scopes: ["debit", "read"], expires_at: new Date(untilMs).toISOString() };
    const made = await options.operator("POST", `/v1/enterprises/${id}/keys`, keyRequest);
    if (made.status !== 201) throw new Error(`no key for ${id}: ${describeProblem(made)}`);
    const { key } = made.body as { key: string };
    const call = createCaller({ baseUrl: options.baseUrl, key, giveUpAfterMs: RUN_GIVES_UP_AFTER_MS });
    keys.set(id, { call, untilMs: untilMs - RUN_GIVES_UP_AFTER_MS });
    return call;
  }
}

/** Sends a file with the strictest content security policy that still lets the usage bar load and connect. */
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
  const source = await readFile(new URL(file, FOLDER), "utf8");
  const text = (file.endsWith(".ts") ? (await transform(source, { loader: "ts" })).code : source)
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
    if (text.length > MAX_BODY_LENGTH) return {};
  }
  try {
    return (JSON.parse(text) as object | null) ?? {};
  } catch {
    return {};
  }
}

/** Listens on the given port, or on any free one if that is taken. */
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
