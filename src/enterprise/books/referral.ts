/**
 * A referral grants both sides. The enterprise that was referred stores who referred it, and that the other side still
 * has to get its grant. If the call is cut off halfway, the alarm finishes it.
 */
import type { GrantRequest } from "../../ledger/grants.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql } from "./sql.ts";

type Referral = { referrer: string; bonusMicros: Micros; atMs: AtMs; settled: boolean };

export function loadReferral(sql: Sql): Referral | null {
  const row = sql.all("SELECT * FROM referral")[0];
  if (row === undefined) return null;
  return {
    referrer: row.referrer as string,
    bonusMicros: row.bonus_micros as number,
    atMs: row.at_ms as number,
    settled: row.settled === 1,
  };
}

export function putReferral(sql: Sql, referral: Referral): void {
  sql.run(
    "INSERT INTO referral (only, referrer, bonus_micros, at_ms, settled) VALUES (1, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET settled = excluded.settled",
    referral.referrer,
    referral.bonusMicros,
    referral.atMs,
    Number(referral.settled),
  );
}

/** The grant of the enterprise that referred. Its id names the one that was referred, so repeating it grants once. */
export function referrerGrant(referee: string, bonusMicros: Micros): GrantRequest {
  return { ...bonusOf(bonusMicros), id: `referral:${referee}`, note: `Referred ${referee}` };
}

/** The grant of the enterprise that was referred. */
export function refereeGrant(referrer: string, bonusMicros: Micros): GrantRequest {
  return { ...bonusOf(bonusMicros), id: `referred-by:${referrer}`, note: `Referred by ${referrer}` };
}

function bonusOf(amountMicros: Micros) {
  return { amountMicros, source: "referral" as const, expiresAtMs: null };
}
