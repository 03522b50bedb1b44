/**
 * Limits request rates with the rate limiting bindings of Workers. The isolate counts events in memory and reports them
 * to the binding in lots, so that most debits need no call to the binding. Once the binding refuses a subject, the
 * isolate refuses it for RETRY_AFTER_SECONDS without another call. Losing this memory is harmless, because the binding
 * keeps its own counts. Without the bindings (in workerd alone, as in the benchmarks) nothing is limited.
 */
import { RETRY_AFTER_SECONDS } from "./refusals.ts";

type Limit = "LIMIT_FAILURES" | "LIMIT_COSTLY" | "LIMIT_CALLERS";

/** The number of events in a lot, which the binding counts as one. The variable RATE_LIMIT_FACTOR multiplies it. */
const LOT: Record<Limit, number> = { LIMIT_FAILURES: 1, LIMIT_COSTLY: 1, LIMIT_CALLERS: 100 };
const MAX_SUBJECTS = 10_000;

const seen = new Map<string, { events: number; blockedUntilMs: number }>();

/**
 * Counts one event of a subject, and returns whether the subject is over the limit. A subject is an address, a key, or
 * a caller's use of a route.
 */
export async function isOver(env: Env, limit: Limit, subject: string): Promise<boolean> {
  const key = `${limit} ${subject}`;
  const known = seen.get(key) ?? remember(key);
  if (known.blockedUntilMs > 0 && known.blockedUntilMs > Date.now()) return true;
  known.events += 1;
  if (known.events < LOT[limit] * factorOf(env)) return false;
  known.events = 0;
  if (await isWithin(env[limit], key)) return false;
  known.blockedUntilMs = Date.now() + RETRY_AFTER_SECONDS * 1000;
  return true;
}

/** Whether the subject is currently refused. Counts no event. */
export function isBlocked(limit: Limit, subject: string): boolean {
  return (seen.get(`${limit} ${subject}`)?.blockedUntilMs ?? 0) > Date.now();
}

/**
 * Counts a failed authentication (a wrong key, a forged link) from the request's address, and returns whether the
 * address is over the limit. A valid key is never refused because of failures from the same address: secrets are too
 * long to be guessed, so valid keys need no such protection.
 */
export function failedTooOften(env: Env, headers: Headers): Promise<boolean> {
  return isOver(env, "LIMIT_FAILURES", addressOf(headers));
}

/**
 * Returns the client's address as reported by Cloudflare. For IPv6 this is the /64 network, because a client can
 * usually use every address in its /64.
 */
export function addressOf(headers: Headers): string {
  const address = headers.get("CF-Connecting-IP") ?? "";
  if (!address.includes(":")) return address;
  // "::" stands for the zero groups that are missing from a full address of eight groups.
  const [left = "", right = ""] = address.split("::");
  const groups = (part: string) => (part === "" ? [] : part.split(":"));
  const [first, last] = [groups(left), groups(right)];
  const zeros = Array<string>(Math.max(0, 8 - first.length - last.length)).fill("0");
  return [...first, ...zeros, ...last].slice(0, 4).join(":");
}

function remember(key: string) {
  if (seen.size >= MAX_SUBJECTS) seen.clear();
  const known = { events: 0, blockedUntilMs: 0 };
  seen.set(key, known);
  return known;
}

async function isWithin(binding: RateLimit | undefined, key: string): Promise<boolean> {
  if (binding === undefined) return true;
  try {
    return (await binding.limit({ key })).success;
  } catch (error) {
    // If the rate limiter fails, allow the request.
    console.error(JSON.stringify({ event: "limit_not_asked", error: String(error) }));
    return true;
  }
}

function factorOf(env: Env): number {
  return Number(env.RATE_LIMIT_FACTOR) || 1;
}
