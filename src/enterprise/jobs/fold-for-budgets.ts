/**
 * Folds the outbox while D1 cannot be written. Projections fold what they send, so while D1 is down, nothing else folds.
 * A budget that is needed next would then have to fold everything that was charged meanwhile.
 */
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { copyAsOfMs } from "../copy/projection.ts";
import { foldPortions } from "../copy/totals.ts";
import type { Platform } from "../platform.ts";
import { NEVER } from "./next-alarm.ts";

/** With D1 working, the oldest change in the outbox is younger than this. */
const LATE_MS = 5_000;

/** Returns when to fold again: in a while as long as the copy is late. Without a budget this does nothing. */
export async function foldForBudgets(ledger: Ledger, { clock, defer }: Platform): Promise<AtMs> {
  const isNeeded = () => !ledger.budgets.none && ledger.nowMs() - copyAsOfMs(ledger) >= LATE_MS;
  while (isNeeded()) {
    if (ledger.sql.transaction(() => foldPortions(ledger.sql, 1))) return clock.realNowMs() + LATE_MS;
    // Calls that arrived meanwhile go first.
    await new Promise<void>((resolve) => defer(resolve, 0));
  }
  return NEVER;
}
