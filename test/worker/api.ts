/**
 * Calls the Worker over its HTTP interface and makes the enterprises, reports and runs that tests send. Only `objectOf`
 * and `projectNow` reach behind that interface, for what time and operations do to an object.
 * Enterprises have a test clock by default, so that no test waits for time to pass.
 */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";

export const OPERATOR_KEY = "operator-key-of-the-tests-32-characters";
export const NOON = "2026-03-10T12:00:00.000Z";
/** Micros of one credit, and of one US dollar. */
export const CREDIT = 1_000_000;
export const MAX_MICROS = Number.MAX_SAFE_INTEGER;

// biome-ignore lint/suspicious/noExplicitAny: the shapes of answers are what is under test
export type Answer = { status: number; body: any; headers: Headers; text: string };

export type Send = (method: string, path: string, body?: unknown, init?: RequestInit) => Promise<Answer>;

/** Sends requests with a key. Strings, bytes and streams are sent unchanged, everything else as JSON. */
export function senderWith(key: string | null): Send {
  return async (method, path, body, init = {}) => {
    const headers = new Headers(init.headers);
    if (key !== null) headers.set("Authorization", `Bearer ${key}`);
    if (body !== undefined && !headers.has("Content-Type")) headers.set("Content-Type", "application/json");
    const isRaw = typeof body === "string" || body instanceof Uint8Array || body instanceof ReadableStream;
    const sent = body === undefined ? {} : { body: (isRaw ? body : JSON.stringify(body)) as BodyInit };
    const response = await exports.default.fetch(`https://fuelgauge.test${path}`, {
      ...init,
      method,
      headers,
      ...sent,
    });
    const text = await response.text();
    const json = text !== "" && /[/+]json/.test(response.headers.get("Content-Type") ?? "");
    return { status: response.status, body: json ? JSON.parse(text) : null, headers: response.headers, text };
  };
}

export const operator = senderWith(OPERATOR_KEY);

/** Expects a problem document (RFC 9457) with this status and code, and returns its body. */
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
export function invalidPaths(answer: Answer): string[] {
  const { errors } = expectProblem(answer, 422, "validation_failed");
  return [...new Set<string>(errors.map((error: { path: string }) => error.path))].sort();
}

let idsMade = 0;

/** An id that no other enterprise of this test run has. */
export function freshId(): string {
  return `e${++idsMade}-${crypto.randomUUID().slice(0, 8)}`;
}

/** Creates an enterprise whose test clock shows NOON, with a key for `debit` and `read`. */
export async function newEnterprise(settings: Record<string, unknown> = {}, id = freshId()) {
  const path = `/v1/enterprises/${encodeURIComponent(id)}`;
  const defaults = { name: "Acme", billing_model: "credits", plan: "pro", test_clock: NOON };
  const created = await operator("PUT", path, { ...defaults, ...settings });
  if (created.status !== 201) throw new Error(`could not create the enterprise: ${created.text}`);
  const createKey = async (scopes: string[], more: Record<string, unknown> = {}) => {
    const answer = await operator("POST", `${path}/keys`, { name: "agent", scopes, ...more });
    if (answer.status !== 201) throw new Error(`could not create the key: ${answer.text}`);
    return { id: answer.body.id as string, key: answer.body.key as string, send: senderWith(answer.body.key) };
  };
  const { key, send: agent } = await createKey(["debit", "read"]);
  const get = async (rest: string) => (await agent("GET", `${path}/${rest}`)).body;
  return {
    id,
    path,
    key,
    agent,
    createKey,
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
    /** The result of an audit. On a slow machine, an audit may outlive the call that starts it. */
    audit: async (): Promise<Answer["body"]> => {
      for (;;) {
        const { body } = await operator("GET", `${path}/audit`);
        if (body.job === undefined) return body;
        await scheduler.wait(50);
      }
    },
  };
}

export type Enterprise = Awaited<ReturnType<typeof newEnterprise>>;

/** A report of a run. gpt-5 costs 1.25 USD per million input tokens and 10 USD per million output tokens. */
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

/** A report whose totals cost this many credits (1,000 output tokens of gpt-5 each); byom: a hundredth of it in USD. */
export function costing(credits: number, fields: Record<string, unknown> = {}): Record<string, unknown> {
  return report({ usage: { input_tokens: 0, output_tokens: Math.round(credits * 1_000) }, ...fields });
}

/** The body of a request to start a run. */
export function start(fields: Record<string, unknown> = {}): Record<string, unknown> {
  return { run: "run-1", surface: "web", workspace: "w1", user: "u1", ...fields };
}

/** The object of an enterprise. */
export function objectOf(id: string) {
  return env.ENTERPRISE.getByName(id);
}

/** Runs an object's alarm now, even if none is set: the platform may have fired it, and its work may not have ended. */
export async function runAlarm(object: ReturnType<typeof objectOf>): Promise<void> {
  if (!(await runDurableObjectAlarm(object))) await runInDurableObject(object, (instance) => instance.alarm?.());
}

/** Runs the alarm now. Afterwards the copy has everything that was charged, unless D1 fails. */
export async function projectNow(id: string): Promise<void> {
  const object = objectOf(id);
  await runAlarm(object);
  // The projection pauses after a batch that took long, which on a slow machine is any batch.
  for (let waiting = await countOutbox(object), before = Infinity; waiting > 0 && waiting < before; ) {
    await runAlarm(object);
    [before, waiting] = [waiting, await countOutbox(object)];
  }
}

function countOutbox(object: ReturnType<typeof objectOf>): Promise<number> {
  return runInDurableObject(object, (_, { storage }) =>
    Number(storage.sql.exec("SELECT count(*) AS n FROM outbox_items").one().n),
  );
}

/** Reads a route that is answered from the copy, once the copy is up to date. */
export async function readFromCopy(
  { id, get }: Pick<Enterprise, "id" | "get">,
  route: string,
): Promise<Answer["body"]> {
  await projectNow(id);
  return get(route);
}

/** The failed checks of an audit. Empty when the books and the copy are correct. */
export async function auditFailures(enterprise: Pick<Enterprise, "audit">): Promise<string[]> {
  const { ok, checks } = await enterprise.audit();
  const failures = checks.filter((check: { ok: boolean }) => !check.ok);
  expect(ok).toBe(failures.length === 0);
  return failures.map(({ name, detail }: { name: string; detail: string }) => `${name}: ${detail}`);
}

/** The pages of a list, each an array of rows. */
export async function readPages(
  { get }: Pick<Enterprise, "get">,
  route: string,
  limit: number,
): Promise<Record<string, unknown>[][]> {
  const pages: Record<string, unknown>[][] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page = await get(`${route}?limit=${limit}${cursor && `&cursor=${cursor}`}`);
    pages.push(page.rows);
    cursor = page.next_cursor;
  }
  return pages;
}
