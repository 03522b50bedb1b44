/**
 * One call of the ledger over HTTP: the key, a time limit, and an answer whatever happens. Nothing is thrown: a network
 * that fails is an answer with status 0, so that those who retry have one case to look at.
 */
import { type Clock, within } from "./clock.ts";

/** The part of `fetch` that is used; give another one to go through a proxy or to test. */
export type Fetch = (
  url: string,
  init: { method: string; headers: Record<string, string>; body?: string; signal: AbortSignal },
) => Promise<{ status: number; headers: { get(name: string): string | null }; text(): Promise<string> }>;

export type Key = string | (() => string | Promise<string>);

export type Answered = {
  /** 0 when there was no answer. */
  status: number;
  /** The JSON that came, or a problem with `code` and `detail`. */
  body: Record<string, unknown>;
  retryAfterMs: number | null;
  /** The server's clock, from its Date header. */
  dateMs: number | null;
};

export type Ledger = {
  /** Where the enterprise is, without a slash at the end. */
  base: string;
  headers(): Promise<Record<string, string>>;
  call(method: string, path: string, body?: unknown, limitMs?: number): Promise<Answered>;
};

const LONGEST_RETRY_AFTER_MS = 600_000;

export function connectHttp(options: {
  url: string;
  enterprise: string;
  key: Key;
  fetch: Fetch;
  clock: Clock;
  timeoutMs: number;
}): Ledger {
  const { key, clock, timeoutMs } = options;
  const base = `${options.url.replace(/\/+$/, "")}/v1/enterprises/${encodeURIComponent(options.enterprise)}`;
  const headers = async () => ({ Authorization: `Bearer ${typeof key === "function" ? await key() : key}` });
  const send = async (method: string, path: string, body: unknown, signal: AbortSignal): Promise<Answered> => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const type: Record<string, string> = body === undefined ? {} : { "Content-Type": "application/json" };
    const init = { method, headers: { ...(await headers()), ...type }, ...sent, signal };
    const response = await options.fetch(base + path, init);
    const dateMs = timeOf(response.headers.get("Date"));
    const retryAfterMs = waitOf(response.headers.get("Retry-After"), dateMs ?? clock.nowMs());
    return { status: response.status, body: parse(await response.text()), retryAfterMs, dateMs };
  };
  return {
    base,
    headers,
    async call(method, path, body, limitMs = timeoutMs) {
      const controller = new AbortController();
      // Ends by the limit even where what is waited for does not listen to its signal.
      const work = send(method, path, body, controller.signal).catch((error: unknown) => noAnswer(reasonOf(error)));
      const answered = await within(clock, limitMs, work);
      if (answered === null) controller.abort();
      return answered ?? noAnswer(`nothing within ${Math.round(limitMs)} ms`);
    },
  };
}

/** True for an answer that may be another one soon, whoever asks. */
export function isPassing(status: number): boolean {
  return status === 0 || status === 408 || status === 425 || status === 429 || status >= 500;
}

export function noAnswer(detail: string): Answered {
  return { status: 0, body: { code: "ledger_unreachable", detail }, retryAfterMs: null, dateMs: null };
}

/** What went wrong, for people. */
export function describe({ status, body }: Answered): string {
  return [status === 0 ? "no answer:" : `${status} ${body.code ?? ""}`, body.detail].filter(Boolean).join(" ");
}

/** "fetch failed" says little: what caused it stands beside it. */
function reasonOf(error: unknown): string {
  const { cause } = error as { cause?: { code?: unknown; message?: unknown } };
  const reason = cause?.code ?? cause?.message;
  return reason === undefined ? String(error) : `${error} (${reason})`;
}

function parse(text: string): Record<string, unknown> {
  try {
    const json: unknown = JSON.parse(text);
    if (typeof json === "object" && json !== null) return json as Record<string, unknown>;
  } catch {
    // Not JSON: a proxy in between, or an answer cut short.
  }
  return { detail: text.slice(0, 200) };
}

function timeOf(header: string | null): number | null {
  const ms = Date.parse(header ?? "");
  return Number.isNaN(ms) ? null : ms;
}

/** Retry-After is a number of seconds, or a date by the server's clock. */
function waitOf(header: string | null, nowMs: number): number | null {
  if (header === null) return null;
  const ms = /^\s*\d+\s*$/.test(header) ? Number(header) * 1000 : Date.parse(header) - nowMs;
  return Number.isNaN(ms) ? null : Math.min(LONGEST_RETRY_AFTER_MS, Math.max(0, ms));
}
