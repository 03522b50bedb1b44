// Calls of Fuelgauge's JSON interface that survive a bad network: what may be sent again is, with backoff and jitter.
// Every call of the tools may: reports carry running totals, and the operator's calls are upserts.
// What the server refuses is an answer like any other; only a server that stays away is thrown, as Unreachable.
import { setTimeout as sleep } from "node:timers/promises";

/** Status and parsed body of an answer; the body is null where there is none. */
export interface Answer {
  status: number;
  body: unknown;
}

/** One call: method, path from the root, and a body if there is one. */
export type Call = (method: string, path: string, body?: unknown) => Promise<Answer>;

/** The server did not answer, or stayed busy, for as long as the caller was ready to wait. */
export class Unreachable extends Error {}

/** Where to call, as whom, and how long to go on trying. */
interface CallerOptions {
  baseUrl: string;
  key: string;
  giveUpAfterMs: number;
}

const RETRIED_STATUSES = new Set([429, 500, 502, 503, 504]);
/** A 500 may be a passing fault or a defect: worth a few attempts, not minutes. */
const MOST_ATTEMPTS_AFTER_500 = 5;
const FIRST_BACKOFF_MS = 100;
const LONGEST_BACKOFF_MS = 5000;
const ATTEMPT_TIMEOUT_MS = 30_000;

/** A caller that tries again on network errors, 429 and 5xx, and waits as long as Retry-After asks. */
export function createCaller({ baseUrl, key, giveUpAfterMs }: CallerOptions): Call {
  return async (method, path, body) => {
    const deadlineMs = Date.now() + giveUpAfterMs;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await callOnce(new URL(path, baseUrl), method, key, body);
      if ("answer" in outcome && isLastWord(outcome.answer.status, attempt)) return outcome.answer;
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

/** What went wrong, from problem+json: `402 credits_exhausted (…)`. */
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

function isLastWord(status: number, attempt: number): boolean {
  return !RETRIED_STATUSES.has(status) || (status === 500 && attempt + 1 >= MOST_ATTEMPTS_AFTER_500);
}

/** With jitter: many callers that fail at once must not come back at once. */
function backoffMs(attempt: number): number {
  const longest = Math.min(LONGEST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** attempt);
  return longest * (0.5 + Math.random() / 2);
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
