/** What a grant is asked for with, as it comes over the wire and as the ledger has it. */
import { z } from "@hono/zod-openapi";
import { GRANT_SOURCES } from "../ledger/books.ts";
import type { GrantRequest } from "../ledger/grants.ts";
import { id, label, micros, orNull, time } from "./fields.ts";

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
