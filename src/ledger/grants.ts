/**
 * Adds, voids and lists grants, which are bonus credits (rule R3). New credit pays this cycle's debt first: the caller
 * loads the debtors and pays them with payDebt, in the same change.
 */
import { balanceOf } from "./balance.ts";
import { type Books, type Grant, type GrantSource, grantRemaining, grantUsable } from "./books.ts";
import { putGrants, usableSum } from "./grant-list.ts";
import { MAX_MICROS, type Micros } from "./micros.ts";
import { type Refused, refuse } from "./refusals.ts";
import type { AtMs } from "./time.ts";

export type GrantRequest = {
  id: string;
  amountMicros: Micros;
  source: GrantSource;
  note: string | null;
  expiresAtMs: AtMs | null;
};

/** How many grants with something left an enterprise may have at once (rule R15). */
const MAX_OPEN_GRANTS = 10_000;

export const GRANT_STATES = ["active", "used", "expired", "voided"] as const;

/** A grant as readers see it. */
export type GrantSummary = {
  id: string;
  amountMicros: Micros;
  drawnMicros: Micros;
  remainingMicros: Micros;
  source: GrantSource;
  note: string | null;
  grantedAtMs: AtMs;
  expiresAtMs: AtMs | null;
  state: (typeof GRANT_STATES)[number];
};

/**
 * Adds a grant to the books unless it exists already. Its seq is that of the entry that records it. Refuses another
 * grant with the same id, an expiry in the past, an amount that would make the total exceed 2^53−1, and a grant that
 * would be one too many.
 */
export function decideGrant(
  books: Books,
  known: Grant | null,
  request: GrantRequest,
  nowMs: AtMs,
): { books: Books; grant: Grant; created: boolean } | Refused {
  if (known !== null) {
    const same =
      known.amountMicros === request.amountMicros &&
      known.source === request.source &&
      known.note === request.note &&
      known.expiresAtMs === request.expiresAtMs;
    return same ? { books, grant: known, created: false } : refuse({ code: "grant_conflict", id: request.id });
  }
  if (request.expiresAtMs !== null && request.expiresAtMs <= nowMs) {
    const message = "must be in the future";
    return refuse({ code: "validation_failed", errors: [{ path: "expires_at", message }] });
  }
  if (request.amountMicros > MAX_MICROS - (balanceOf(books, "credits", nowMs).totalMicros ?? 0)) {
    const message = "the enterprise's total would exceed 9007199254740991";
    return refuse({ code: "validation_failed", errors: [{ path: "amount_micros", message }] });
  }
  if (usableSum(books.grants, nowMs).count >= MAX_OPEN_GRANTS) return refuse({ code: "too_many_grants" });
  const seq = books.seq + 1;
  const grant: Grant = {
    ...request,
    drawnMicros: 0,
    expiredMicros: 0,
    voidedMicros: 0,
    grantedAtMs: nowMs,
    voided: false,
    seq,
  };
  return { books: { ...books, seq, grants: putGrants(books.grants, [grant]) }, grant, created: true };
}

/** Voids a usable grant: what remains of it is removed. */
export function decideVoid(books: Books, grant: Grant): { books: Books; grant: Grant; voidedMicros: Micros } {
  const voidedMicros = grantRemaining(grant);
  const voided: Grant = { ...grant, voided: true, voidedMicros };
  const grants = putGrants(books.grants, [voided]);
  return { books: { ...books, grants, seq: books.seq + 1 }, grant: voided, voidedMicros };
}

/** The grant as readers see it at this moment. */
export function summarizeGrant(grant: Grant, nowMs: AtMs): GrantSummary {
  // Of many grants that end at once, some are expired a little later. Until then, readers see them as expired already.
  const ended = grant.expiresAtMs !== null && grant.expiresAtMs <= nowMs;
  return {
    id: grant.id,
    amountMicros: grant.amountMicros,
    drawnMicros: grant.drawnMicros,
    remainingMicros: ended ? 0 : grantRemaining(grant),
    source: grant.source,
    note: grant.note,
    grantedAtMs: grant.grantedAtMs,
    expiresAtMs: grant.expiresAtMs,
    state: grantState(grant, nowMs),
  };
}

function grantState(grant: Grant, nowMs: AtMs): GrantSummary["state"] {
  if (grant.voided) return "voided";
  if (grant.drawnMicros === grant.amountMicros) return "used";
  if (!grantUsable(grant, nowMs)) return "expired";
  return grantRemaining(grant) > 0 ? "active" : "used";
}
