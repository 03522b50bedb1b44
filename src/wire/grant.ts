/** Grants as JSON: the request for a new one, and a grant as readers see it. */
import { z } from "@hono/zod-openapi";
import { GRANT_SOURCES } from "../ledger/books.ts";
import { GRANT_STATES, type GrantRequest, type GrantSummary } from "../ledger/grants.ts";
import { id, label, micros, orNull, time } from "./fields.ts";
import { formatIso, formatIsoOrNull, parseIso, parseIsoOrNull } from "./time.ts";

export const newGrant = z
  .strictObject({
    id,
    amount_micros: micros.min(1, "must be at least 1").openapi({ minimum: 1 }),
    source: z.enum(GRANT_SOURCES),
    note: label(1_000).nullable().optional(),
    expires_at: orNull(time, "string").optional(),
  })
  .openapi("NewGrant");

export function grantRequestOf(sent: z.infer<typeof newGrant>): GrantRequest {
  const { id, amount_micros, source, note, expires_at } = sent;
  return { id, amountMicros: amount_micros, source, note: note ?? null, expiresAtMs: expires_at ?? null };
}

export const grantSchema = z
  .object({
    id: z.string(),
    amount_micros: z.int(),
    drawn_micros: z.int(),
    remaining_micros: z.int(),
    source: z.enum(GRANT_SOURCES),
    note: z.string().nullable(),
    granted_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    state: z.enum(GRANT_STATES),
  })
  .openapi("Grant");

export type GrantJson = z.infer<typeof grantSchema>;

export function showGrant(grant: GrantSummary): GrantJson {
  return {
    id: grant.id,
    amount_micros: grant.amountMicros,
    drawn_micros: grant.drawnMicros,
    remaining_micros: grant.remainingMicros,
    source: grant.source,
    note: grant.note,
    granted_at: formatIso(grant.grantedAtMs),
    expires_at: formatIsoOrNull(grant.expiresAtMs),
    state: grant.state,
  };
}

export function parseGrant(json: GrantJson): GrantSummary {
  return {
    id: json.id,
    amountMicros: json.amount_micros,
    drawnMicros: json.drawn_micros,
    remainingMicros: json.remaining_micros,
    source: json.source,
    note: json.note,
    grantedAtMs: parseIso(json.granted_at),
    expiresAtMs: parseIsoOrNull(json.expires_at),
    state: json.state,
  };
}
