/**
 * Sends one HTTP request to the ledger, with the key and a time limit. It never throws. If the network fails, the result
 * has status 0, so callers that retry have a single case to handle.
 */
import { type Clock, withTimeout } from "./clock.ts";

/** The part of `fetch` that the client uses. Pass another implementation to go through a proxy, or in tests. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal: AbortSignal; redirect: "manual" },
) => Promise<{ status: number; headers: { get(name: string): string | null }; text(): Promise<string> }>;

export type Key = string | (() => string | Promise<string>);

export type Answer = {
  /** The HTTP status; 0 if there was no response. */
  status: number;
  /** The parsed response body. If it is not JSON, its first characters are in `detail`. */
  body: Record<string, unknown>;
  retryAfterMs: number | null;
  /** The server's time, from the response's Date header. */
  dateMs: number | null;
};

export type Ledger = {
  /** The enterprise's URL, without a slash at the end. */
  base: string;
  headers(): Promise<Record<string, string>>;
  /** Sends a request to a path of the enterprise, or to any path that starts with `/v1/`. */
  call(method: string, path: string, body?: unknown, limitMs?: number): Promise<Answer>;
};

const MAX_RETRY_AFTER_MS = 600_000;

export function connectHttp(options: {
  url: string;
  enterprise: string;
  key: Key;
  fetch: Fetch;
  clock: Clock;
  timeoutMs: number;
}): Ledger {
  const { key, clock, timeoutMs } = options;
  const root = options.url.replace(/\/+$/, "");
  const base = `${root}/v1/enterprises/${encodeURIComponent(options.enterprise)}`;
  const headers = async () => {
    const value = (typeof key === "function" ? await key() : key).trim();
    // `fetch` would name the key in its error.
    if (/[^ -~]/.test(value)) throw new TypeError("the key is not one line of ASCII");
    return { Authorization: `Bearer ${value}` };
  };
  const send = async (method: string, path: string, body: unknown, signal: AbortSignal): Promise<Answer> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
    // A redirect is not followed, so the key and the reports go only to the given address.
    const init = { method, headers: { ...(await headers()), ...type }, ...sent, signal, redirect: "manual" as const };
    const response = await options.fetch((path.startsWith("/v1/") ? root : base) + path, init);
    const dateMs = parseDate(response.headers.get("Date"));
    const retryAfterMs = parseRetryAfter(response.headers.get("Retry-After"), dateMs ?? clock.nowMs());
    return { status: response.status, body: parseBody(await response.text()), retryAfterMs, dateMs };
  };
  return {
    base,
    headers,
    async call(method, path, body, limitMs = timeoutMs) {
      const controller = new AbortController();
      // The limit holds even if `fetch` or the key's function ignores the signal.
      const work = send(method, path, body, controller.signal).catch((error: unknown) => noAnswer(causeOf(error)));
      const answer = await withTimeout(clock, limitMs, work);
      if (answer === null) controller.abort();
      return answer ?? noAnswer(`timed out after ${Math.round(limitMs)} ms`);
    },
  };
}

/** Whether the same request may succeed later: no response, too many requests, or a server error. */
export function isTransient(status: number): boolean {
  return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;
}

export function noAnswer(detail: string): Answer {
  return { status: 0, body: { code: "ledger_unreachable", detail }, retryAfterMs: null, dateMs: null };
}

/** Describes for people what went wrong. */
export function describe({ status, body }: Answer): string {
  return [status === 0 ? "no answer:" : `${status} ${body.code ?? ""}`, body.detail].filter(Boolean).join(" ");
}

/** Formats an error with its cause. Node's "fetch failed" does not give the reason without its cause. */
function causeOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  const reason = cause?.code ?? cause?.message;
  return reason === undefined ? String(error) : `${error} (${reason})`;
}

/** Parses a JSON object. Of any other text, the first characters are in `detail`. */
export function parseBody(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  } catch {
    // The body is not JSON: it comes from a proxy, or it was cut off.
  }
  return { detail: text.slice(0, 200) };
}

function parseDate(header: string | null): number | null {
  const ms = Date.parse(header ?? "");
  return Number.isNaN(ms) ? null : ms;
}

/** Parses Retry-After, which is a number of seconds or a date by the server's clock. */
function parseRetryAfter(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms));
}
