/**
 * A caller of the Worker over its HTTP interface, for tests: nothing of it reaches behind that interface.
 * One enterprise has a test clock unless it says otherwise, so no test waits for time.
 */
import { exports } from "cloudflare:workers";

export const OPERATOR_KEY = "operator-key-of-the-tests";
export const NOON = "2026-03-10T12:00:00.000Z";

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely; their shapes are what is tested
export type Answer = { status: number; body: any; headers: Headers; text: string };

export type Send = (method: string, path: string, body?: unknown, init?: RequestInit) => Promise<Answer>;

/** Sends with a key; a string body goes as it is. */
export function senderWith(key: string | null): Send {
  return async (method, path, body, init = {}) => {
    const headers = new Headers(init.headers);
    if (key !== null) headers.set("Authorization", `Bearer ${key}`);
    if (body !== undefined && !headers.has("Content-Type")) headers.set("Content-Type", "application/json");
    const sent = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await exports.default.fetch(`https://fuelgauge.test${path}`, {
      ...init,
      method,
      headers,
      ...sent,
    });
    const text = await response.text();
    const json = response.headers.get("Content-Type")?.includes("json") === true;
    return { status: response.status, body: json ? JSON.parse(text) : null, headers: response.headers, text };
  };
}

export const operator = senderWith(OPERATOR_KEY);

let made = 0;

/** A new enterprise of its own id, on a test clock that stands at NOON; what is given overrides the defaults. */
export async function newEnterprise(settings: Record<string, unknown> = {}) {
  const id = `e${++made}-${crypto.randomUUID().slice(0, 8)}`;
  const path = `/v1/enterprises/${id}`;
  const defaults = { name: "Acme", billing_model: "credits", plan: "pro", test_clock: NOON };
  const created = await operator("PUT", path, { ...defaults, ...settings });
  if (created.status !== 201) throw new Error(`no enterprise: ${created.text}`);
  const { body } = await operator("POST", `${path}/keys`, { name: "agent", scopes: ["debit", "read"] });
  const agent = senderWith(body.key);
  return {
    id,
    path,
    key: body.key as string,
    agent,
    moveTo: (now: string) => operator("POST", `${path}/test-clock`, { now }),
    gauge: async () => (await agent("GET", `${path}/gauge`)).body,
    debit: (report: unknown) => agent("POST", `${path}/debits`, report),
  };
}

/** A report of a run; what is given overrides. gpt-5 costs 1.25 USD a million input tokens, 10 a million output. */
export function report(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    run: "run-1",
    model: "gpt-5",
    usage: { input_tokens: 1_000, output_tokens: 100 },
    surface: "web",
    workspace: "w1",
    user: "u1",
    started_at: NOON,
    ...fields,
  };
}
