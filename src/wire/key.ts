/** Keys as JSON: the request that makes one, and a key as it is listed. */
import { z } from "@hono/zod-openapi";
import { type KeySummary, SCOPES } from "../access/callers.ts";
import { label, orNull, time } from "./fields.ts";
import { formatIso, formatIsoOrNull, parseIso, parseIsoOrNull } from "./time.ts";

export const newKey = z
  .strictObject({
    name: label(200),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1, "must name a scope")
      .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice"),
    expires_at: orNull(time, "string").optional(),
  })
  .openapi("NewKey");

export type NewKeyRequest = z.infer<typeof newKey>;

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  created_at: z.iso.datetime(),
  created_by: z.string(),
  expires_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
});

export type KeyJson = z.infer<typeof keySchema>;

export function showKey(key: KeySummary): KeyJson {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    created_at: formatIso(key.createdAtMs),
    created_by: key.createdBy,
    expires_at: formatIsoOrNull(key.expiresAtMs),
    revoked_at: formatIsoOrNull(key.revokedAtMs),
  };
}

export function parseKey(json: KeyJson): KeySummary {
  return {
    id: json.id,
    name: json.name,
    scopes: json.scopes,
    createdAtMs: parseIso(json.created_at),
    createdBy: json.created_by,
    expiresAtMs: parseIsoOrNull(json.expires_at),
    revokedAtMs: parseIsoOrNull(json.revoked_at),
  };
}
