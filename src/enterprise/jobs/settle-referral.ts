/**
 * Adds the referral grant for the enterprise that referred this one. Repeating this is harmless, because the grant has
 * the same id each time.
 */
import type { Ledger } from "../books/ledger.ts";
import { loadReferral, putReferral, referrerGrant } from "../books/referral.ts";
import type { Peers } from "../platform.ts";

export function owesReferral(ledger: Ledger): boolean {
  return loadReferral(ledger.sql)?.settled === false;
}

export async function settleReferral(ledger: Ledger, peers: Peers): Promise<void> {
  const referral = loadReferral(ledger.sql);
  if (referral === null || referral.settled) return;
  await peers.addGrant(referral.referrer, referrerGrant(ledger.id, referral.bonusMicros));
  putReferral(ledger.sql, { ...referral, settled: true });
}
