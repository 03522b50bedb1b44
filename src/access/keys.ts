/**
 * Enterprise keys. A key states its enterprise, its scopes and its expiry under a MAC, so the Worker refuses a forged or
 * expired key before any object wakes or any database is read. Whether a key was revoked only its object knows.
 */
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";
import type { Scope } from "./callers.ts";
import { hashOf, macMatches, macOf } from "./mac.ts";

type KeyClaims = {
  enterprise: string;
  id: string;
  scopes: Scope[];
  /** Null: never. */
  expiresAtMs: number | null;
};

/** A key whose MAC was verified; `hash` is what the object stores of it. */
type VerifiedKey = KeyClaims & { hash: string };

const PREFIX = "fg_";
const PURPOSE = "key";
const LETTERS: Record<Scope, string> = { debit: "d", read: "r", admin: "a" };
const MAX_VERIFIED = 1_000;

/** Keys verified in this isolate, so that a busy agent's MAC is checked once. Expiry is checked at every request. */
const verified = new Map<string, VerifiedKey>();

export async function mintKey(secret: string, claims: KeyClaims): Promise<{ key: string; hash: string }> {
  const { enterprise, id, scopes, expiresAtMs } = claims;
  const letters = scopes.map((scope) => LETTERS[scope]).join("");
  const payload = encodeText(JSON.stringify([enterprise, id, letters, expiresAtMs]));
  const key = `${PREFIX}${payload}.${await macOf(secret, PURPOSE, payload)}`;
  return { key, hash: await hashOf(key) };
}

/** The claims of a key, expired or not; null when this deployment did not make it. */
export async function verifyKey(secret: string, key: string): Promise<VerifiedKey | null> {
  // The secret is part of the cache's key: after a rotation, keys of the old secret must not be found.
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

/** Trusts the payload: its MAC was verified. */
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
