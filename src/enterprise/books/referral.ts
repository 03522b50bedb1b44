/**
 * A referral adds a grant to both enterprises. The enterprise that was referred stores its referrer, and whether the
 * referrer has received its grant. If the call is cut off before that, the alarm finishes it.
 */
import type { By } from "../../ledger/entries.ts";
import type { GrantRequest } from "../../ledger/grants.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql } from "./sql.ts";

type Referral = { referrer: string; bonusMicros: Micros; by: By; atMs: AtMs; settled: boolean };

/** Which operator added a referral. The last release did not store it. */
export const REFERRAL_BY_STEP = ["ALTER TABLE referral ADD COLUMN added_by TEXT NOT NULL DEFAULT 'operator'"];

export function loadReferral(sql: Sql): Referral | null {
  const row = sql.all("SELECT * FROM referral")[0];
  if (row === undefined) return null;
  return {
    referrer: row.referrer as string,
    bonusMicros: row.bonus_micros as number,
    by: row.added_by as string,
    atMs: row.at_ms as number,
    settled: row.settled === 1,
  };
}

export function putReferral(sql: Sql, referral: Referral): void {
  sql.run(
    "INSERT INTO referral (only, referrer, bonus_micros, added_by, at_ms, settled) VALUES (1, ?, ?, ?, ?, ?) ON CONFLICT (only) DO UPDATE SET settled = excluded.settled",
    referral.referrer,
    referral.bonusMicros,
    referral.by,
    referral.atMs,
    Number(referral.settled),
  );
}

/** Builds the referrer's grant. The grant's id contains the referee, so adding it again changes nothing. */
export function referrerGrant(referee: string, bonusMicros: Micros): GrantRequest {
  return { ...bonusOf(bonusMicros), id: `referral:${referee}`, note: `Referred ${referee}` };
}

/** Builds the grant of the enterprise that was referred. */
export function refereeGrant(referrer: string, bonusMicros: Micros): GrantRequest {
  return { ...bonusOf(bonusMicros), id: `referred-by:${referrer}`, note: `Referred by ${referrer}` };
}

function bonusOf(amountMicros: Micros) {
  return { amountMicros, source: "referral" as const, expiresAtMs: null };
}
