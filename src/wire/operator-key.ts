/** Operator keys as JSON: the request that makes one, and a key as it is listed. */
import { z } from "@hono/zod-openapi";
import { OPERATOR_SCOPES, type OperatorKeySummary } from "../access/callers.ts";
import { label, orNull, time } from "./fields.ts";
import { signedWith } from "./key.ts";
import { formatIso, formatIsoOrNull } from "./time.ts";

export const newOperatorKey = z
  .strictObject({
    name: label(200),
    scopes: z
      .array(z.enum(OPERATOR_SCOPES))
      .min(1, "must name a scope")
      .max(OPERATOR_SCOPES.length, "must not name a scope twice")
      .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice"),
    expires_at: orNull(time, "string").optional(),
  })
  .openapi("NewOperatorKey");

export const operatorKeySchema = z
  .object({
    id: z.string(),
    name: z.string(),
    scopes: z.array(z.enum(OPERATOR_SCOPES)),
    created_at: z.iso.datetime(),
    expires_at: z.iso.datetime().nullable(),
    revoked_at: z.iso.datetime().nullable(),
    last_used_at: z.iso.datetime().nullable(),
    signed_with: signedWith,
  })
  .openapi("OperatorKey");

/** @param currentSecretId the id of the secret that signs now */
export function showOperatorKey(key: OperatorKeySummary, currentSecretId: string): z.infer<typeof operatorKeySchema> {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    created_at: formatIso(key.createdAtMs),
    expires_at: formatIsoOrNull(key.expiresAtMs),
    revoked_at: formatIsoOrNull(key.revokedAtMs),
    last_used_at: formatIsoOrNull(key.lastUsedAtMs),
    signed_with: key.secretId === currentSecretId ? "current" : "previous",
  };
}
