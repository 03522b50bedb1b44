// Searches everything that a real server wrote for secrets, after calling it in many ways, failing ones included: its log,
// its files, and every answer except the one that shows a secret once.

import { type ChildProcess, fork } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { localNode } from "../../tools/install.mjs";
import { builtWorker } from "../support/built-worker.ts";

interface ServerInfo {
  port: number;
  operatorKey: string;
  signingSecret: string;
}

const PATH = "/v1/enterprises/canary-town";
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-canary-"));
let child: ChildProcess;
let served: ServerInfo;
let log = "";
beforeAll(async () => {
  const state = join(directory, "state");
  const bundle = await builtWorker();
  child = fork(join(import.meta.dirname, "serve-worker.ts"), [bundle, state], { execPath: localNode(), silent: true });
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (log += String(chunk)));
  served = await new Promise<ServerInfo>((done, fail) => {
    child.once("message", (message) => done(message as ServerInfo));
    child.once("exit", () => fail(new Error(log)));
  });
});
afterAll(async () => {
  const gone = new Promise((done) => child.once("exit", done));
  child.disconnect();
  await gone;
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

/** Every answer that must not contain a secret, as text with its headers. */
const answers: string[] = [];

/** @param showsSecret this answer is meant to show a secret */
async function call(
  method: string,
  path: string,
  key: string | null,
  body?: unknown,
  { showsSecret = false, headers = {} } = {},
) {
  const response = await fetch(`http://localhost:${served.port}${path}`, {
    method,
    redirect: "manual",
    headers: {
      ...(key === null ? {} : { Authorization: `Bearer ${key}` }),
      ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const shown = `${method} ${path.split("?")[0]} ${response.status} ${JSON.stringify([...response.headers])} ${text}`;
  if (!showsSecret) answers.push(shown);
  const json = response.headers.get("Content-Type")?.includes("json") === true;
  return { status: response.status, headers: response.headers, body: json ? JSON.parse(text) : null, text };
}

/** Opens a socket, sends a message, and closes it after the first reply. */
async function sendOverSocket(path: string, protocols: string[], key: string | null, message: string): Promise<void> {
  const headers = key === null ? {} : { Authorization: `Bearer ${key}` };
  const url = `ws://localhost:${served.port}${path}`;
  const options = { protocols, headers } as unknown as string[];
  const socket = new WebSocket(url, options);
  await new Promise<void>((done) => {
    socket.onopen = () => socket.send(message);
    socket.onmessage = ({ data }) => {
      answers.push(String(data));
      socket.close();
    };
    socket.onclose = () => done();
    setTimeout(() => socket.close(), 2_000);
  });
}

/** The parts of a secret to search for: the whole, and the signature of a signed one. */
const partsOf = (secret: string) => [secret, ...(secret.includes(".") ? [secret.split(".").at(-1) as string] : [])];

it("writes no secret to its log, its files or an answer", async () => {
  const { operatorKey, signingSecret } = served;
  const operator = (method: string, path: string, body?: unknown, more = {}) =>
    call(method, path, operatorKey, body, more);
  const settings = {
    name: "Canary Town",
    billing_model: "byom",
    plan: "pro",
    webhook_url: "https://hooks.canary.example/a",
  };
  const made = await operator("PUT", PATH, settings, { showsSecret: true });
  const moved = await operator("PUT", PATH, { webhook_url: "https://hooks.canary.example/b" }, { showsSecret: true });
  const keys: string[] = [];
  for (const scopes of [["debit"], ["read"], ["admin"], ["debit", "read"]]) {
    keys.push((await operator("POST", `${PATH}/keys`, { name: "k", scopes }, { showsSecret: true })).body.key);
  }
  const [debit = "", read = "", admin = ""] = keys;
  const listed = await operator("GET", `${PATH}/keys`);
  await operator("DELETE", `${PATH}/keys/${listed.body.rows[0].id}`);
  const link = await operator("POST", `${PATH}/sessions`, { user: "ada", role: "admin" }, { showsSecret: true });
  const linkToken = new URL(link.body.url).searchParams.get("token") as string;
  const origin = "http://editor.example";
  const embed = (
    await operator("POST", `${PATH}/embed-tokens`, { user: "ada", role: "member", origin }, { showsSecret: true })
  ).body.token;
  // The sign-in page contains the token of its link.
  await call("GET", `/signin?token=${linkToken}`, null, undefined, { showsSecret: true });
  const signIn = () => call("POST", "/signin", null, `token=${linkToken}`, { showsSecret: true, headers: FORM });
  const session = /=([^;]+)/.exec((await signIn()).headers.get("Set-Cookie") ?? "")?.[1] as string;
  expect((await signIn()).status).toBe(410);
  const entered = await call("POST", "/operator/signin", null, `operator_key=${operatorKey}`, {
    showsSecret: true,
    headers: FORM,
  });
  const operatorSession = /=([^;]+)/.exec(entered.headers.get("Set-Cookie") ?? "")?.[1] as string;
  await call("POST", "/operator/signin", null, `operator_key=${operatorKey}x`, { headers: FORM });

  const secrets = [operatorKey, signingSecret, ...keys, linkToken, embed, session, operatorSession];
  // The object stores these, because it signs with them.
  const stored = [made.body.webhook_secret, moved.body.webhook_secret];
  secrets.push(...stored);
  expect(secrets.every((secret) => typeof secret === "string" && secret.length >= 24)).toBe(true);
  expect(new Set(secrets).size).toBe(secrets.length);

  const report = { run: "r", model: "gpt-5", usage: { input_tokens: 9, output_tokens: 9 } };
  const whole = { ...report, surface: "web", workspace: "w", user: "u", started_at: new Date().toISOString() };
  await operator("PUT", `${PATH}/spend-cap`, { monthly_cap_micros: 20 });
  for (const key of [...keys, embed, linkToken, session, signingSecret, `${read}x`, read.slice(0, -1), operatorKey]) {
    await call("POST", `${PATH}/debits`, key, whole);
    await call("POST", `${PATH}/debits`, key, `{"key":"${key}"`);
    for (const rest of ["/gauge", "/runs/r", "/runs.csv", "/entries", "/keys", "/audit", "/usage/timeseries", ""]) {
      await call("GET", `${PATH}${rest}`, key, undefined, { headers: { Origin: origin } });
    }
    await call("GET", "/v1/enterprises/elsewhere/gauge", key);
    await call("POST", `${PATH}/runs`, key, { ...whole, run: "s", usage: undefined });
  }
  const cookie = { Cookie: `fuelgauge=${session}; fuelgauge-operator=${operatorSession}`, Accept: "text/html" };
  for (const path of [
    "/",
    "/settings/usage",
    "/settings/model",
    "/settings/usage/runs/r",
    "/signout",
    "/operator",
    "/nothing",
  ]) {
    await call("GET", path, null, undefined, { headers: cookie });
    await call("GET", path, null, undefined, { headers: { ...cookie, Cookie: `${cookie.Cookie}x` } });
  }
  await call("POST", "/settings/model", null, "limit=none&from=20", { headers: { ...FORM, ...cookie } });
  await sendOverSocket(`${PATH}/debits/stream`, [], debit, JSON.stringify({ id: 1, ...report, final: true }));
  await sendOverSocket(`${PATH}/live`, ["fuelgauge", embed], null, read);
  await sendOverSocket(`${PATH}/live`, ["fuelgauge", `${embed}x`], null, read);
  await call("PUT", `${PATH}/spend-cap`, admin, { monthly_cap_micros: 5 });
  for (const path of ["/webhooks/test", "/rebuild"]) await operator("POST", `${PATH}${path}`);
  for (const path of ["/v1/enterprises", `${PATH}/webhooks`, `${PATH}/grants`, "/metrics", "/openapi.json"])
    await operator("GET", path);
  // The delivery of the webhook fails and is logged.
  const attempts = async () => {
    const { body } = await operator("GET", `${PATH}/webhooks`);
    return Math.max(...body.rows.map(({ attempts }: { attempts: number }) => attempts));
  };
  await expect.poll(attempts, { interval: 100 }).toBeGreaterThan(0);

  const files = readdirSync(join(directory, "state"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => [join(entry.parentPath, entry.name), readFileSync(join(entry.parentPath, entry.name))] as const);
  // The search finds what must be in the files, so it would also find a secret.
  const places = files.filter(([, bytes]) => bytes.includes("Canary Town"));
  expect(places.length).toBeGreaterThanOrEqual(2);
  const hashOf = (key: string) => createHash("sha256").update(key).digest("base64url");
  for (const key of keys) expect(files.some(([, bytes]) => bytes.includes(hashOf(key)))).toBe(true);
  expect(log).toContain("operator_sign_in_failed");
  expect(answers.length).toBeGreaterThan(150);

  const isStored = (secret: string) => stored.some((known) => partsOf(known).includes(secret));
  const found = secrets
    .flatMap(partsOf)
    .flatMap((secret) => [
      ...files
        .filter(([name, bytes]) => bytes.includes(secret) && !(isStored(secret) && name.includes("EnterpriseObject")))
        .map(([name]) => `${secret} in ${name}`),
      ...answers.filter((answer) => answer.includes(secret)).map((answer) => `${secret} in ${answer.slice(0, 200)}`),
      ...(log.includes(secret) ? [`${secret} in the log`] : []),
    ]);
  expect(found).toEqual([]);
});
