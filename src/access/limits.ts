/**
 * Rate limits in the Worker, by the rate limiting bindings of Workers. Events are counted in the isolate's memory and
 * reported to the binding in lots, so that an honest debit waits for nothing. Once the binding says no, memory alone
 * refuses the subject for RETRY_AFTER_SECONDS. Losing the memory is harmless, because the binding still knows. Without
 * the bindings (workerd alone, as in the benchmarks) nothing is limited.
 */
import { RETRY_AFTER_SECONDS } from "./refusals.ts";

type Limit = "LIMIT_FAILURES" | "LIMIT_COSTLY" | "LIMIT_CALLERS";

/** How many events make a lot, which the binding counts as one; the variable RATE_LIMIT_FACTOR multiplies it. */
const LOT: Record<Limit, number> = { LIMIT_FAILURES: 1, LIMIT_COSTLY: 1, LIMIT_CALLERS: 100 };
const MAX_SUBJECTS = 10_000;

const seen = new Map<string, { events: number; blockedUntilMs: number }>();

/** Counts one event of a subject (an address, a key, a caller's use of a route); true when it is one too many. */
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

/** True while the subject is refused; counts nothing. */
export function isBlocked(limit: Limit, subject: string): boolean {
  return (seen.get(`${limit} ${subject}`)?.blockedUntilMs ?? 0) > Date.now();
}

/**
 * Counts a failed proof (a wrong key, a forged link) of the request's address; true when it is one too many. A right key
 * is never refused for what others at its address send: secrets are too long to be guessed.
 */
export function failedTooOften(env: Env, headers: Headers): Promise<boolean> {
  return isOver(env, "LIMIT_FAILURES", addressOf(headers));
}

/**
 * The address that a request comes from, as Cloudflare reports it. For IPv6 it is the /64 network, because whoever has
 * one may use any address in it.
 */
export function addressOf(headers: Headers): string {
  const address = headers.get("CF-Connecting-IP") ?? "";
  if (!address.includes(":")) return address;
  // "::" replaces as many zeros as are missing from eight groups.
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
    // A limiter that fails must not refuse anybody.
    console.error(JSON.stringify({ event: "limit_not_asked", error: String(error) }));
    return true;
  }
}

function factorOf(env: Env): number {
  return Number(env.RATE_LIMIT_FACTOR) || 1;
}
