// Calls Fuelgauge's JSON interface over a bad network: retries with backoff and jitter.
// Every call of the tools may be retried: reports carry running totals, and the operator's calls are upserts.
// A refusal is returned like any answer. Unreachable is thrown only if the server does not answer or stays busy.
import { setTimeout as sleep } from "node:timers/promises";

/** Status and parsed body of an answer; the body is null if it is empty or is not JSON. */
export interface Answer {
  status: number;
  body: unknown;
}

/** Makes one call: method, path from the root, and an optional body. */
export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** The server did not answer, or stayed busy, until the caller gave up. */
export class Unreachable extends Error {}

/** Where to call, with which key, and how long to retry. */
interface CallerOptions {
  baseUrl: string;
  key: string;
  giveUpAfterMs: number;
}

const RETRIED_STATUSES = new Set([429, 500, 502, 503, 504]);
/** A 500 may be transient or a bug, so it is worth a few attempts but not minutes. */
const MAX_ATTEMPTS_ON_500 = 5;
const MIN_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5000;
const ATTEMPT_TIMEOUT_MS = 30_000;

/** Creates a caller that retries on network errors, 429 and 5xx, and honours Retry-After. */
export function createCaller({ baseUrl, key, giveUpAfterMs }: CallerOptions): Call {
  return async (method, path, body) => {
    const deadlineMs = Date.now() + giveUpAfterMs;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await callOnce(new URL(path, baseUrl), method, key, body);
      if ("answer" in outcome && isFinal(outcome.answer.status, attempt)) return outcome.answer;
      const waitMs = outcome.retryAfterMs ?? backoffMs(attempt);
      if (Date.now() + waitMs > deadlineMs) {
        throw new Unreachable(
          `${method} ${baseUrl}${path}: ${outcome.problem}; gave up after ${giveUpAfterMs / 1000} s`,
        );
      }
      await sleep(waitMs);
    }
  };
}

/** Describes a problem+json answer in one line: `402 credits_exhausted (…)`. */
export function describeProblem({ status, body }: Answer): string {
  const { code, detail, errors } = (body ?? {}) as { code?: string; detail?: string; errors?: unknown };
  const words = [detail, errors && JSON.stringify(errors)].filter(Boolean).join("; ");
  return `${status} ${code ?? ""}`.trim() + (words ? ` (${words})` : "");
}

type Outcome = { problem: string; retryAfterMs?: number } & ({ answer: Answer } | Record<never, never>);

async function callOnce(url: URL, method: string, key: string, body: unknown): Promise<Outcome> {
  try {
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ATTEMPT_TIMEOUT_MS),
      redirect: "manual",
    });
    const text = await response.text();
    const answer = { status: response.status, body: parseJson(text) };
    const waitMs = retryAfterMs(response.headers.get("retry-after"));
    return { answer, problem: describeProblem(answer), ...(waitMs === null ? {} : { retryAfterMs: waitMs }) };
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const { message = "", code = "", name = "" } = cause as { message?: string; code?: string; name?: string };
    return { problem: message || code || name };
  }
}

function isFinal(status: number, attempt: number): boolean {
  return !RETRIED_STATUSES.has(status) || (status === 500 && attempt + 1 >= MAX_ATTEMPTS_ON_500);
}

/** Adds jitter, so that callers that failed together do not retry together. */
function backoffMs(attempt: number): number {
  const maxMs = Math.min(MAX_BACKOFF_MS, MIN_BACKOFF_MS * 2 ** attempt);
  return maxMs * (0.5 + Math.random() / 2);
}

/** Retry-After is a number of seconds or a date. */
function retryAfterMs(header: string | null): number | null {
  if (!header) return null;
  const seconds = /^\d+$/.test(header.trim()) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isFinite(seconds) ? Math.max(0, seconds * 1000) + Math.random() * 250 : null;
}

function parseJson(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null;
  }
}
