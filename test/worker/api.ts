/**
 * A caller of the Worker over its HTTP interface, for tests: nothing of it reaches behind that interface, but for
 * `objectOf` and `copyNow`, which stand for what time and operations do to an object.
 * One enterprise has a test clock unless it says otherwise, so no test waits for time.
 */
import { runDurableObjectAlarm } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";

export const OPERATOR_KEY = "operator-key-of-the-tests";
export const NOON = "2026-03-10T12:00:00.000Z";
/** Micros of one credit, and of one US dollar. */
export const CREDIT = 1_000_000;
export const MAX = Number.MAX_SAFE_INTEGER;

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely; their shapes are what is tested
export type Answer = { status: number; body: any; headers: Headers; text: string };

export type Send = (method: string, path: string, body?: unknown, init?: RequestInit) => Promise<Answer>;

/** Sends with a key; a string or a body of bytes goes as it is. */
export function senderWith(key: string | null): Send {
  return async (method, path, body, init = {}) => {
    const headers = new Headers(init.headers);
    if (key !== null) headers.set("Authorization", `Bearer ${key}`);
    if (body !== undefined && !headers.has("Content-Type")) headers.set("Content-Type", "application/json");
    const asItIs = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
    const sent = body === undefined ? {} : { body: (asItIs ? body : JSON.stringify(body)) as BodyInit };
    const response = await exports.default.fetch(`https://fuelgauge.test${path}`, {
      ...init,
      method,
      headers,
      ...sent,
    });
    const text = await response.text();
    const json = text !== "" && response.headers.get("Content-Type")?.includes("json") === true;
    return { status: response.status, body: json ? JSON.parse(text) : null, headers: response.headers, text };
  };
}

export const operator = senderWith(OPERATOR_KEY);

/** Expects a problem as RFC 9457 and the contract have it, and gives its body. */
export function expectProblem(answer: Answer, status: number, code: string) {
  expect(`${answer.status} ${answer.body?.code} ${answer.body?.detail}`).toMatch(new RegExp(`^${status} ${code} `));
  expect(answer.headers.get("Content-Type")).toMatch(/^application\/problem\+json/);
  expect(answer.body).toMatchObject({ status, code, type: expect.any(String), title: expect.any(String) });
  if (code === "validation_failed") {
    expect(answer.body.errors.length).toBeGreaterThan(0);
    for (const error of answer.body.errors) {
      expect(error).toEqual({ path: expect.any(String), message: expect.any(String) });
    }
  }
  return answer.body;
}

/** The paths that a validation error names, sorted. */
export function faultyPaths(answer: Answer): string[] {
  const { errors } = expectProblem(answer, 422, "validation_failed");
  return [...new Set<string>(errors.map((error: { path: string }) => error.path))].sort();
}

let made = 0;

/** An id that no other enterprise of this run has. */
export function freshId(): string {
  return `e${++made}-${crypto.randomUUID().slice(0, 8)}`;
}

/** A new enterprise of its own id, on a test clock that stands at NOON; what is given overrides the defaults. */
export async function newEnterprise(settings: Record<string, unknown> = {}, id = freshId()) {
  const path = `/v1/enterprises/${encodeURIComponent(id)}`;
  const defaults = { name: "Acme", billing_model: "credits", plan: "pro", test_clock: NOON };
  const created = await operator("PUT", path, { ...defaults, ...settings });
  if (created.status !== 201) throw new Error(`no enterprise: ${created.text}`);
  const keyOf = async (scopes: string[], more: Record<string, unknown> = {}) => {
    const answer = await operator("POST", `${path}/keys`, { name: "agent", scopes, ...more });
    if (answer.status !== 201) throw new Error(`no key: ${answer.text}`);
    return { id: answer.body.id as string, key: answer.body.key as string, send: senderWith(answer.body.key) };
  };
  const { key, send: agent } = await keyOf(["debit", "read"]);
  const get = async (rest: string) => (await agent("GET", `${path}/${rest}`)).body;
  return {
    id,
    path,
    key,
    agent,
    keyOf,
    get,
    put: (change: unknown) => operator("PUT", path, change),
    moveTo: (now: string) => operator("POST", `${path}/test-clock`, { now }),
    gauge: () => get("gauge"),
    debit: (reported: unknown) => agent("POST", `${path}/debits`, reported),
    start: (run: unknown) => agent("POST", `${path}/runs`, run),
    grant: (grant: Record<string, unknown>) =>
      operator("POST", `${path}/grants`, { amount_micros: 100 * CREDIT, source: "promotion", ...grant }),
    receipt: (run: string) => get(`runs/${encodeURIComponent(run)}`),
    /** The journal, oldest first. */
    entries: async (): Promise<Answer["body"][]> => (await get("entries?limit=100")).rows.toReversed(),
    audit: async () => (await operator("GET", `${path}/audit`)).body,
  };
}

export type Enterprise = Awaited<ReturnType<typeof newEnterprise>>;

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

/** A report whose totals cost so many credits (1,000 output tokens of gpt-5 each), or a hundredth as many USD. */
export function costing(credits: number, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return report({ usage: { input_tokens: 0, output_tokens: Math.round(credits * 1_000) }, ...fields });
}

/** A run that asks to start; what is given overrides. */
export function start(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { run: "run-1", surface: "web", workspace: "w1", user: "u1", ...fields };
}

/** The object of an enterprise, for what only time and operations do to it. */
export function objectOf(id: string) {
  return env.ENTERPRISE.getByName(id);
}

/** Lets the alarm come now: what was charged is in the copy afterwards. */
export async function copyNow(id: string): Promise<void> {
  await runDurableObjectAlarm(objectOf(id));
}

/** The reasons for which an audit fails; none when the books and the copy are right. */
export async function auditFaults(enterprise: Pick<Enterprise, "audit">): Promise<string[]> {
  const { ok, checks } = await enterprise.audit();
  const faults = checks.filter((check: { ok: boolean }) => !check.ok);
  expect(ok).toBe(faults.length === 0);
  return faults.map(({ name, detail }: { name: string; detail: string }) => `${name}: ${detail}`);
}
