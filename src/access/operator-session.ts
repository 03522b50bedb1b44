/**
 * The operator's session: a signed cookie that is valid for eight hours. A browser gets it by sending an operator key:
 * OPERATOR_KEY, or a key with scopes, which then limit the session. No other token can be used as this cookie, because its
 * MAC has its own purpose. A session ends with its key. The MAC of a session of OPERATOR_KEY covers a hash of that key, so
 * it is wrong once the key is replaced. A session of a key with scopes names the key, and the catalog is asked about the
 * key before each request. The cookie authorizes the operator's pages and their forms, but never the JSON API. Only the
 * catalog knows which sessions have been signed out.
 */
import type { Context } from "hono";
import { type Caller, OPERATOR_SCOPES, type OperatorKey } from "./callers.ts";
import { clearCookie, readCookie, type SessionCookie, writeCookie } from "./cookies.ts";
import { decodeText, encodeText, hashOf, macMatches, macOf, sameSecret } from "./mac.ts";
import { verifyOperatorKey } from "./operator-key.ts";
import { findWithSecret, operatorKeys, type Secrets, signingSecret, signingSecrets } from "./secrets.ts";

export const OPERATOR_SESSION_MS = 8 * 3_600_000;
const COOKIE: SessionCookie = { name: "fuelgauge-operator", sameSite: "Strict", maxAgeMs: OPERATOR_SESSION_MS };
const PURPOSE = "operator-session";
/** The purpose of the MAC of a session that a key with scopes has opened. */
const SCOPED_PURPOSE = "operator-session-scoped";
const VERSION = 1;
const SCOPED_VERSION = 2;

/** A session whose MAC was verified and that has not expired. `id` is unique, and `caller` is who it acts as. */
export type OperatorSession = { id: string; expiresAtMs: number; caller: OperatorCaller };
export type OperatorCaller = Extract<Caller, { kind: "operator" }>;

/** What opens a session: OPERATOR_KEY or its previous value, or a key with scopes. */
export type SessionKey = { full: string } | { scoped: OperatorKey; expiresAtMs: number | null; secret: string };

type WithEnv = { Bindings: Env };
type Claims = [version: number, id: string, expiresAtMs: number];
type ScopedClaims = [...Claims, keyId: string, keyHash: string, scopes: string[]];

/** Returns the operator key that was sent, or null if it is none. Compares in constant time. */
export function findOperatorKey(env: Env, sent: string): Promise<string | null> {
  return findWithSecret(operatorKeys(env), async (key) => ((await sameSecret(sent, key)) ? key : null));
}

/** Returns what a sent key may open; null if this deployment did not make it. The catalog may still refuse the key. */
export async function findSessionKey(env: Env, sent: string): Promise<SessionKey | null> {
  const full = await findOperatorKey(env, sent);
  if (full !== null) return { full };
  return findWithSecret(signingSecrets(env), async (secret) => {
    const key = await verifyOperatorKey([secret], sent);
    if (key === null) return null;
    const { expiresAtMs, ...scoped } = key;
    return { scoped, expiresAtMs, secret };
  });
}

export async function readOperatorSession<E extends WithEnv>(c: Context<E>): Promise<OperatorSession | null> {
  const value = readCookie(c, COOKIE);
  const [payload = "", mac = "", ...rest] = value?.split(".") ?? [];
  if (value === undefined || rest.length > 0) return null;
  const session = (await isSigned(payload, mac, c.env))
    ? await sessionOf(payload, value)
    : (await isSignedForKey(payload, mac, c.env))
      ? scopedSessionOf(payload)
      : null;
  return session === null || session.expiresAtMs <= Date.now() ? null : session;
}

/** @param key opens the session, and ends it */
export async function startOperatorSession<E extends WithEnv>(c: Context<E>, key: SessionKey): Promise<void> {
  const endsAtMs = Date.now() + COOKIE.maxAgeMs;
  const id = crypto.randomUUID();
  if ("full" in key) {
    const payload = encodeText(JSON.stringify([VERSION, id, endsAtMs] satisfies Claims));
    const mac = await macOf(signingSecret(c.env), PURPOSE, await signedText(payload, key.full));
    writeCookie(c, COOKIE, `${payload}.${mac}`);
    return;
  }
  const { scoped, secret } = key;
  const expiresAtMs = Math.min(endsAtMs, key.expiresAtMs ?? endsAtMs);
  const claims: ScopedClaims = [SCOPED_VERSION, id, expiresAtMs, scoped.id, scoped.hash, [...scoped.scopes]];
  const payload = encodeText(JSON.stringify(claims));
  // Sign with the secret of the key: once that secret is no longer accepted, neither is the key.
  writeCookie(c, COOKIE, `${payload}.${await macOf(secret, SCOPED_PURPOSE, payload)}`);
}

export function clearOperatorSession(c: Context): void {
  clearCookie(c, COOKIE);
}

async function sessionOf(payload: string, value: string): Promise<OperatorSession> {
  const caller: OperatorCaller = { kind: "operator" };
  // The cookies of an early release contain only their expiry, so their whole value identifies them.
  if (/^\d+$/.test(payload)) return { id: await hashOf(value), expiresAtMs: Number(payload), caller };
  const [, id, expiresAtMs] = JSON.parse(decodeText(payload)) as Claims;
  return { id, expiresAtMs, caller };
}

function scopedSessionOf(payload: string): OperatorSession {
  const [, id, expiresAtMs, keyId, hash, named] = JSON.parse(decodeText(payload)) as ScopedClaims;
  const scopes = OPERATOR_SCOPES.filter((scope) => named.includes(scope));
  return { id, expiresAtMs, caller: { kind: "operator", key: { id: keyId, hash, scopes } } };
}

/** Whether the MAC was made with an accepted secret, for a session that an accepted OPERATOR_KEY has opened. */
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

/** The same for a session that a key with scopes has opened. */
async function isSignedForKey(payload: string, mac: string, env: Env): Promise<boolean> {
  const signed = await findWithSecret(
    signingSecrets(env),
    async (secret) => (await macMatches(secret, SCOPED_PURPOSE, payload, mac)) || null,
  );
  return signed === true;
}

/** Returns the text that the MAC covers. */
async function signedText(payload: string, operatorKey: string): Promise<string> {
  return `${payload}\n${await hashOf(operatorKey)}`;
}
