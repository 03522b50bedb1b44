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
      .max(SCOPES.length, "must not name a scope twice")
      .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice"),
    expires_at: orNull(time, "string").optional(),
  })
  .openapi("NewKey");

export type NewKeyRequest = z.infer<typeof newKey>;

/** Which signing secret has signed a key: the one that signs now, or the one before. */
export const signedWith = z.enum(["current", "previous"]);

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  created_at: z.iso.datetime(),
  created_by: z.string(),
  expires_at: z.iso.datetime().nullable(),
  revoked_at: z.iso.datetime().nullable(),
  last_used_at: z.iso.datetime().nullable().describe("Exact to the hour"),
  signed_with: signedWith,
});

/** A key as its enterprise's object shows it. Objects of the last release do not send the last two members. */
export type KeyJson = Omit<z.infer<typeof keySchema>, "last_used_at" | "signed_with"> & {
  last_used_at?: string | null;
  secret_id?: string | null;
};

/** @param secrets the id of the secret that signs now, and whether a previous one is still accepted */
export function showListedKey(
  { last_used_at = null, secret_id = null, ...key }: KeyJson,
  secrets: { currentId: string; hasPrevious: boolean },
): z.infer<typeof keySchema> {
  // A key of an earlier release that was not used since does not name its secret. It is older than the current one.
  const isCurrent = secret_id === null ? !secrets.hasPrevious : secret_id === secrets.currentId;
  return { ...key, last_used_at, signed_with: isCurrent ? "current" : "previous" };
}

export function showKey(key: KeySummary): KeyJson {
  return {
    id: key.id,
    name: key.name,
    scopes: key.scopes,
    created_at: formatIso(key.createdAtMs),
    created_by: key.createdBy,
    expires_at: formatIsoOrNull(key.expiresAtMs),
    revoked_at: formatIsoOrNull(key.revokedAtMs),
    last_used_at: formatIsoOrNull(key.lastUsedAtMs),
    secret_id: key.secretId,
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
    lastUsedAtMs: parseIsoOrNull(json.last_used_at ?? null),
    secretId: json.secret_id ?? null,
  };
}
