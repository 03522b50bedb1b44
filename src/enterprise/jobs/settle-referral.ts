/**
 * Adds the referral grant for the enterprise that referred this one. Repeating this is harmless, because the grant has
 * the same id each time. A referrer that has as many open grants as it may have gets its grant once there is room.
 */
import { isRefusal } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { loadReferral, putReferral, referrerGrant } from "../books/referral.ts";
import type { Peers } from "../platform.ts";

/** How often a referrer that has too many grants is asked again. */
const ASK_AGAIN_MS = 3_600_000;

/** Returns when to add the referrer's grant, by the real clock; null if there is nothing to add. */
export function referralDueAtMs({ sql }: Ledger): AtMs | null {
  if (loadReferral(sql)?.settled !== false) return null;
  const refusedAtMs = getProgress(sql, "referral_refused_at");
  return refusedAtMs === 0 ? 0 : refusedAtMs + ASK_AGAIN_MS;
}

export async function settleReferral(ledger: Ledger, peers: Peers, realNowMs: AtMs): Promise<void> {
  const referral = loadReferral(ledger.sql);
  if (referral === null || (referralDueAtMs(ledger) ?? Number.POSITIVE_INFINITY) > realNowMs) return;
  const { referrer, bonusMicros, by } = referral;
  const added = await peers.addGrant(referrer, referrerGrant(ledger.id, bonusMicros), by);
  if (isRefusal(added) && added.refusal.code === "too_many_grants") {
    setProgress(ledger.sql, "referral_refused_at", realNowMs);
  } else putReferral(ledger.sql, { ...referral, settled: true });
}
