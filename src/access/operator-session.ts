/**
 * The operator's session: a signed cookie that is valid for eight hours. A browser gets it by sending an operator key.
 * No other token can be used as this cookie, because its MAC has its own purpose. The MAC also covers a hash of the
 * operator key, so the session ends when that key is no longer accepted. The cookie authorizes the operator's pages and
 * their forms, but never the JSON API. Only the catalog knows which sessions have been signed out.
 */
import type { Context } from "hono";
import { clearCookie, readCookie, type SessionCookie, writeCookie } from "./cookies.ts";
import { decodeText, encodeText, hashOf, macMatches, macOf, sameSecret } from "./mac.ts";
import { findWithSecret, operatorKeys, type Secrets, signingSecret, signingSecrets } from "./secrets.ts";

export const OPERATOR_SESSION_MS = 8 * 3_600_000;
const COOKIE: SessionCookie = { name: "fuelgauge-operator", sameSite: "Strict", maxAgeMs: OPERATOR_SESSION_MS };
const PURPOSE = "operator-session";
const VERSION = 1;

/** A session whose MAC was verified and that has not expired. `id` is unique. */
export type OperatorSession = { id: string; expiresAtMs: number };

type WithEnv = { Bindings: Env };
type Claims = [version: number, id: string, expiresAtMs: number];

/** Returns the operator key that was sent, or null if it is none. Compares in constant time. */
export function findOperatorKey(env: Env, sent: string): Promise<string | null> {
  return findWithSecret(operatorKeys(env), async (key) => ((await sameSecret(sent, key)) ? key : null));
}

export async function readOperatorSession<E extends WithEnv>(c: Context<E>): Promise<OperatorSession | null> {
  const value = readCookie(c, COOKIE);
  const [payload = "", mac = "", ...rest] = value?.split(".") ?? [];
  if (value === undefined || rest.length > 0) return null;
  if (!(await isSigned(payload, mac, c.env))) return null;
  // The last release's cookies contain only their expiry, so their whole value identifies them.
  const [, id, expiresAtMs] = /^\d+$/.test(payload)
    ? [0, await hashOf(value), Number(payload)]
    : (JSON.parse(decodeText(payload)) as Claims);
  return expiresAtMs <= Date.now() ? null : { id, expiresAtMs };
}

/** @param operatorKey the key that opens the session, and with which it ends */
export async function startOperatorSession<E extends WithEnv>(c: Context<E>, operatorKey: string): Promise<void> {
  const claims: Claims = [VERSION, crypto.randomUUID(), Date.now() + COOKIE.maxAgeMs];
  const payload = encodeText(JSON.stringify(claims));
  const mac = await macOf(signingSecret(c.env), PURPOSE, await signedText(payload, operatorKey));
  writeCookie(c, COOKIE, `${payload}.${mac}`);
}

export function clearOperatorSession(c: Context): void {
  clearCookie(c, COOKIE);
}

/** Whether the MAC was made with an accepted secret, for a session that an accepted operator key has opened. */
async function isSigned(payload: string, mac: string, env: Env): Promise<boolean> {
  const keys: Secrets = operatorKeys(env);
  const signed = await findWithSecret(signingSecrets(env), (secret) =>
    findWithSecret(
      keys,
      async (key) => (await macMatches(secret, PURPOSE, await signedText(payload, key), mac)) || null,
    ),
  );
  return signed === true;
}

/** Returns the text that the MAC covers. */
async function signedText(payload: string, operatorKey: string): Promise<string> {
  return `${payload}\n${await hashOf(operatorKey)}`;
}
