/**
 * Starts Fuelgauge, empty, and runs the commands of the documentation in a shell against it. With `npm start` it is started
 * as `npm start -- --port N --persist-to DIR --no-demo`, which takes as long as many tests: wrangler starts twice.
 * Otherwise the built Worker is started with the same variables.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { freePort } from "../../tools/kit/free-port.ts";
import { OPERATOR_KEY, startBuiltWorker } from "../support/start-worker.ts";

export const ROOT = resolve(import.meta.dirname, "../..");
export { OPERATOR_KEY };

/** Less than the time limit of `beforeAll`, so that no server is left behind. */
const HEALTHY_WITHIN_MS = 240_000;

export type Server = Awaited<ReturnType<typeof startServer>>;
// biome-ignore lint/suspicious/noExplicitAny: tests read any field of an answer; the shapes are what they check
export type Answer = { status: number; type: string; body: any };
export type Printed = { status: number | null; out: string; err: string };

/** A server on another port if another test takes the free port before the Worker listens on it. */
async function npmStart(folder: string, attemptsLeft = 3): Promise<{ url: string; end: () => Promise<void> }> {
  const port = await freePort();
  const args = ["tools/start.mjs", "--port", String(port), "--persist-to", join(folder, "state"), "--no-demo"];
  const secrets = { OPERATOR_KEY, SIGNING_SECRET: "signing-secret-of-the-tests-32-characters" };
  // As a script of npm, it ends by itself when this process or its parent is killed.
  const environment = { ...process.env, ...secrets, npm_lifecycle_event: "start" };
  const started = spawn(process.execPath, args, { cwd: ROOT, env: environment });
  let output = "";
  started.stdout.on("data", (data) => (output += data));
  started.stderr.on("data", (data) => (output += data));
  const url = `http://localhost:${port}`;
  const deadlineMs = Date.now() + HEALTHY_WITHIN_MS;
  while (!output.includes(`running at ${url}`)) {
    const isPortTaken = started.exitCode !== null && output.includes("Address already in use");
    if (isPortTaken && attemptsLeft > 1) return npmStart(folder, attemptsLeft - 1);
    if (started.exitCode !== null || Date.now() > deadlineMs) {
      await end();
      throw new Error(`npm start: ${output}`);
    }
    await sleep(50);
  }
  return { url, end };

  async function end(): Promise<void> {
    started.kill("SIGTERM");
    if (started.exitCode === null) await once(started, "exit");
  }
}

/** Starts the built Worker with the variables that `npm start` sets. */
async function startBuilt(): Promise<{ url: string; end: () => Promise<void> }> {
  const variables = {
    RATE_LIMIT_FACTOR: "1000",
    EMAIL_FROM: "fuelgauge@localhost.example",
    SIMULATE_REGIONS: "true",
  };
  const { url, stop } = await startBuiltWorker({ variables });
  return { url: url.replace(/\/$/, ""), end: stop };
}

export async function startServer(by: "npm start" | "built Worker" = "built Worker") {
  const folder = mkdtempSync(join(tmpdir(), "fuelgauge-docs-"));
  const { url, end } = await (by === "npm start" ? npmStart(folder) : startBuilt());

  async function call(key: string | null, method: string, path: string, body?: unknown, type = "application/json") {
    const headers = { ...(key === null ? {} : { Authorization: `Bearer ${key}` }), "Content-Type": type };
    const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    return answerOf(await fetch(new URL(path, url), { method, headers, ...sent }));
  }

  /** Creates an enterprise, and a key with these scopes. */
  async function newEnterprise(id: string, settings: Record<string, unknown> = {}, scopes = ["debit", "read"]) {
    const made = { name: "Acme", billing_model: "credits", plan: "pro", ...settings };
    await call(OPERATOR_KEY, "PUT", `/v1/enterprises/${id}`, made);
    return newKey(id, scopes);
  }

  async function newKey(id: string, scopes: string[]): Promise<{ id: string; key: string }> {
    const { status, body } = await call(OPERATOR_KEY, "POST", `/v1/enterprises/${id}/keys`, { name: "k", scopes });
    if (status !== 201) throw new Error(JSON.stringify(body));
    return body;
  }

  /** Runs a command to its end, in the server's temporary folder. */
  async function run(command: string[], environment: Record<string, string> = {}, input = ""): Promise<Printed> {
    const { PATH = "", HOME = "" } = process.env;
    const [program = "", ...rest] = command;
    const child = spawn(program, rest, { cwd: folder, env: { PATH, HOME, URL: url, OPERATOR_KEY, ...environment } });
    const printed = { out: "", err: "" };
    child.stdout.on("data", (data) => (printed.out += data));
    child.stderr.on("data", (data) => (printed.err += data));
    // A program that ends without reading its input closes the pipe. That is not an error of the example.
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    const [status] = await once(child, "close");
    return { status, ...printed };
  }

  async function stop(): Promise<void> {
    await end();
    rmSync(folder, { recursive: true, maxRetries: 20, retryDelay: 100 });
  }

  const shell = (script: string, environment: Record<string, string> = {}) =>
    run(["bash", "--norc", "-euo", "pipefail", "-c", script], environment);
  return { url, folder, call, newEnterprise, newKey, run, shell, stop };
}

async function answerOf(response: Response): Promise<Answer> {
  const type = response.headers.get("Content-Type") ?? "";
  const text = await response.text();
  return { status: response.status, type, body: type.includes("json") ? JSON.parse(text) : text };
}
