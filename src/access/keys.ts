/**
 * Makes and verifies enterprise keys. A key contains its enterprise, scopes and expiry, authenticated by a MAC. The
 * Worker can therefore refuse a forged or expired key without waking a Durable Object or reading a database. Only the
 * enterprise's Durable Object knows whether a key was revoked.
 */
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";
import type { Scope } from "./callers.ts";
import { hashOf, macMatches, macOf } from "./mac.ts";

type KeyClaims = {
  enterprise: string;
  id: string;
  scopes: Scope[];
  /** Null if the key never expires. */
  expiresAtMs: number | null;
};

/** A key whose MAC was verified. The enterprise's Durable Object stores only the key's `hash`. */
type VerifiedKey = KeyClaims & { hash: string };

const PREFIX = "fg_";
const PURPOSE = "key";
const LETTERS: Record<Scope, string> = { debit: "d", read: "r", admin: "a" };
const MAX_VERIFIED = 1_000;

/**
 * Caches the keys verified in this isolate, to verify a busy agent's key only once. Callers check expiry every time.
 */
const verified = new Map<string, VerifiedKey>();

export async function mintKey(secret: string, claims: KeyClaims): Promise<{ key: string; hash: string }> {
  const { enterprise, id, scopes, expiresAtMs } = claims;
  const letters = scopes.map((scope) => LETTERS[scope]).join("");
  const payload = encodeText(JSON.stringify([enterprise, id, letters, expiresAtMs]));
  const key = `${PREFIX}${payload}.${await macOf(secret, PURPOSE, payload)}`;
  return { key, hash: await hashOf(key) };
}

/** Returns the claims of a key, even if it has expired; null if this deployment did not make the key. */
export async function verifyKey(secret: string, key: string): Promise<VerifiedKey | null> {
  // The cache key includes the secret: after a rotation, a key signed with the old secret must not be found.
  const cacheKey = `${secret}\n${key}`;
  const known = verified.get(cacheKey);
  if (known !== undefined) return known;
  const [payload, mac, ...rest] = key.startsWith(PREFIX) ? key.slice(PREFIX.length).split(".") : [];
  if (payload === undefined || mac === undefined || rest.length > 0) return null;
  if (!(await macMatches(secret, PURPOSE, payload, mac))) return null;
  const claims = { ...parsePayload(payload), hash: await hashOf(key) };
  if (verified.size >= MAX_VERIFIED) verified.clear();
  verified.set(cacheKey, claims);
  return claims;
}

/** Parses a payload without validating it, because its MAC was verified. */
function parsePayload(payload: string): KeyClaims {
  type Payload = [enterprise: string, id: string, letters: string, expiresAtMs: number | null];
  const [enterprise, id, letters, expiresAtMs] = JSON.parse(decodeText(payload)) as Payload;
  const scopes = (Object.keys(LETTERS) as Scope[]).filter((scope) => letters.includes(LETTERS[scope]));
  return { enterprise, id, scopes, expiresAtMs };
}

function encodeText(text: string): string {
  return encodeBase64Url(new TextEncoder().encode(text).buffer as ArrayBuffer);
}

function decodeText(encoded: string): string {
  return new TextDecoder().decode(decodeBase64Url(encoded));
}
