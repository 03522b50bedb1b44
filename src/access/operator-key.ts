/**
 * Makes and verifies operator keys with scopes. Such a key contains its scopes and expiry, authenticated by a MAC with
 * its own purpose. The Worker can therefore refuse a forged or expired key, or one without the scope, without any call.
 * Only the catalog object knows whether a key was revoked.
 */
import { OPERATOR_SCOPES, type OperatorKey, type OperatorScope } from "./callers.ts";
import { decodeText, encodeText, hashOf, macMatches, macOf, secretIdOf } from "./mac.ts";
import { findWithSecret, type Secrets } from "./secrets.ts";

type OperatorKeyClaims = { id: string; scopes: readonly OperatorScope[]; expiresAtMs: number | null };

/** New members are added at the end. Scopes are whole words, so that a later release can add some. */
type Payload = [version: number, id: string, scopes: string[], expiresAtMs: number | null];

const OPERATOR_KEY_PREFIX = "fgo_";
const VERSION = 1;
const PURPOSE = "operator-key";

/** Returns the key, which is shown once, and what the catalog stores of it. */
export async function mintOperatorKey(secret: string, { id, scopes, expiresAtMs }: OperatorKeyClaims) {
  const claims: Payload = [VERSION, id, [...scopes], expiresAtMs];
  const payload = encodeText(JSON.stringify(claims));
  const key = `${OPERATOR_KEY_PREFIX}${payload}.${await macOf(secret, PURPOSE, payload)}`;
  return { key, hash: await hashOf(key), secretId: await secretIdOf(secret) };
}

/** Returns the claims of a key, even if it has expired; null if this deployment did not make the key. */
export function verifyOperatorKey(
  secrets: Secrets,
  key: string,
): Promise<(OperatorKey & { expiresAtMs: number | null }) | null> {
  return findWithSecret(secrets, async (secret) => {
    const [payload, mac, ...rest] = key.startsWith(OPERATOR_KEY_PREFIX)
      ? key.slice(OPERATOR_KEY_PREFIX.length).split(".")
      : [];
    if (payload === undefined || mac === undefined || rest.length > 0) return null;
    if (!(await macMatches(secret, PURPOSE, payload, mac))) return null;
    const [, id, named, expiresAtMs] = JSON.parse(decodeText(payload)) as Payload;
    const scopes = OPERATOR_SCOPES.filter((scope) => named.includes(scope));
    return { id, scopes, expiresAtMs, hash: await hashOf(key) };
  });
}
