/**
 * Makes and verifies enterprise keys. A key contains its enterprise, scopes and expiry, authenticated by a MAC. The
 * Worker can therefore refuse a forged or expired key without waking a Durable Object or reading a database. Only the
 * enterprise's Durable Object knows whether a key was revoked.
 */
import type { Scope } from "./callers.ts";
import { decodeText, encodeText, hashOf, macMatches, macOf, secretIdOf } from "./mac.ts";
import { findWithSecret, type Secrets } from "./secrets.ts";

type KeyClaims = {
  enterprise: string;
  /** The jurisdiction of the enterprise's Durable Object; empty if it has none. */
  region: string;
  id: string;
  scopes: Scope[];
  /** Null if the key never expires. */
  expiresAtMs: number | null;
};

/** A key whose MAC was verified. The enterprise's Durable Object stores only the key's `hash`. */
type VerifiedKey = KeyClaims & { hash: string; secretId: string };

/** New members are added at the end, so that the last release can read a key that this release has made. */
type Payload = [
  enterprise: string,
  id: string,
  letters: string,
  expiresAtMs: number | null,
  // The last release's keys have neither of these.
  version?: number,
  region?: string,
];

const PREFIX = "fg_";
const VERSION = 1;
const PURPOSE = "key";
const LETTERS: Record<Scope, string> = { debit: "d", read: "r", admin: "a" };
const MAX_VERIFIED = 1_000;

/**
 * Caches the keys verified in this isolate, to verify a busy agent's key only once, each with the secret that signed it.
 * Callers check expiry every time.
 */
const verified = new Map<string, { claims: VerifiedKey; secret: string }>();

export async function mintKey(
  secret: string,
  { enterprise, region, id, scopes, expiresAtMs }: KeyClaims,
): Promise<{ key: string; hash: string; secretId: string }> {
  const letters = scopes.map((scope) => LETTERS[scope]).join("");
  const claims: Payload = [enterprise, id, letters, expiresAtMs, VERSION, region];
  const payload = encodeText(JSON.stringify(claims));
  const key = `${PREFIX}${payload}.${await macOf(secret, PURPOSE, payload)}`;
  return { key, hash: await hashOf(key), secretId: await secretIdOf(secret) };
}

/** Returns the claims of a key, even if it has expired; null if this deployment did not make the key. */
export async function verifyKey(secrets: Secrets, key: string): Promise<VerifiedKey | null> {
  return findWithSecret(secrets, (secret) => verifyWith(secret, key));
}

/** Returns the claims of a key that this isolate has verified before; null if it has not. */
export function findVerified(secrets: Secrets, key: string): VerifiedKey | null {
  const known = verified.get(key);
  // After a rotation, a key signed with a removed secret must not be found.
  return known !== undefined && secrets.includes(known.secret) ? known.claims : null;
}

async function verifyWith(secret: string, key: string): Promise<VerifiedKey | null> {
  const [payload, mac, ...rest] = key.startsWith(PREFIX) ? key.slice(PREFIX.length).split(".") : [];
  if (payload === undefined || mac === undefined || rest.length > 0) return null;
  if (!(await macMatches(secret, PURPOSE, payload, mac))) return null;
  const claims = { ...parsePayload(payload), hash: await hashOf(key), secretId: await secretIdOf(secret) };
  if (verified.size >= MAX_VERIFIED) verified.clear();
  verified.set(key, { claims, secret });
  return claims;
}

/** Parses a payload without validating it, because its MAC was verified. */
function parsePayload(payload: string): KeyClaims {
  const [enterprise, id, letters, expiresAtMs, , region = ""] = JSON.parse(decodeText(payload)) as Payload;
  const scopes = (Object.keys(LETTERS) as Scope[]).filter((scope) => letters.includes(LETTERS[scope]));
  return { enterprise, region, id, scopes, expiresAtMs };
}
