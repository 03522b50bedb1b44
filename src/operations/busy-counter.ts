/**
 * Logs and counts the responses that a ledger is busy. The Worker runs in many short-lived isolates, so each isolate
 * sends its counts to the catalog, at most once in ten seconds. An isolate that ends before loses what it counted since.
 */
import type { BusyCause, BusyCounts } from "../catalog/busy-counts.ts";
import { RefusalLog } from "../catalog/known-restores.ts";
import { catalogOf } from "../catalog/object.ts";
import { busyCauseOf } from "../wire/transient.ts";

const SEND_EVERY_MS = 10_000;

let counted: BusyCounts = {};
let lastSentAtMs = 0;
let isWaiting = false;
const refusals = new RefusalLog();

type Where = { method?: string; path: string; enterprise?: string | undefined };
type Context = { env: Env; executionCtx: Pick<ExecutionContext, "waitUntil"> };

/** Logs an error for which the response is 503 `ledger_busy`, with its cause, and counts it. */
export function noteBusy({ env, executionCtx }: Context, error: Error, where: Where): void {
  const cause = busyCauseOf(error) ?? "restart";
  if (refusals.shouldLog(error, where.enterprise ?? "", Date.now())) {
    console.error(JSON.stringify({ event: "ledger_busy", cause, ...where, error: error.message }));
  }
  const pauseMs = countBusy(cause, Date.now());
  if (pauseMs !== null) executionCtx.waitUntil(send(env, pauseMs));
}

/** Counts a response. Returns after which pause this call must send the counts; null if another call will. */
function countBusy(cause: BusyCause, nowMs: number): number | null {
  counted[cause] = (counted[cause] ?? 0) + 1;
  if (isWaiting) return null;
  isWaiting = true;
  return Math.max(0, lastSentAtMs + SEND_EVERY_MS - nowMs);
}

async function send(env: Env, pauseMs: number): Promise<void> {
  if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  const counts = counted;
  counted = {};
  isWaiting = false;
  lastSentAtMs = Date.now();
  // The log has the causes too, so counts that the catalog cannot store are not sent again.
  await catalogOf(env)
    .noteBusy(counts)
    .catch(() => {});
}
