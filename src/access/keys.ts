/**
 * Enterprise keys. A key says whose it is, what it may and until when, under a MAC: so a forged or expired one is
 * turned away at the edge, before any object wakes or any database is read. What can change after it was made, its
 * revocation, is the object's to know.
 */
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";
import type { Scope } from "./callers.ts";
import { hashOf, macMatches, macOf } from "./mac.ts";

export type KeyClaims = {
  enterprise: string;
  id: string;
  scopes: Scope[];
  /** Null: never. */
  expiresAtMs: number | null;
};

/** A key that proved to be ours; `hash` is what the object holds of it. */
export type ProvenKey = KeyClaims & { hash: string };

const PREFIX = "fg_";
const PURPOSE = "key";
const LETTERS: Record<Scope, string> = { debit: "d", read: "r", admin: "a" };
const PROVEN_KEPT = 1_000;

/** Keys proven in this isolate, so that the MAC of a busy agent is checked once. Expiry is checked each time. */
const proven = new Map<string, ProvenKey>();

export async function mintKey(secret: string, claims: KeyClaims): Promise<{ key: string; hash: string }> {
  const { enterprise, id, scopes, expiresAtMs } = claims;
  const payload = encodeText(
    JSON.stringify([enterprise, id, scopes.map((scope) => LETTERS[scope]).join(""), expiresAtMs]),
  );
  const key = `${PREFIX}${payload}.${await macOf(secret, PURPOSE, payload)}`;
  return { key, hash: await hashOf(key) };
}

/** The claims of a key, or null when it is not one that this deployment made. */
export async function proveKey(secret: string, key: string): Promise<ProvenKey | null> {
  // The secret is part of what is remembered: a rotated secret must not find keys of the old one.
  const memory = `${secret}\n${key}`;
  const known = proven.get(memory);
  if (known !== undefined) return known;
  const [payload, mac, ...rest] = key.startsWith(PREFIX) ? key.slice(PREFIX.length).split(".") : [];
  if (payload === undefined || mac === undefined || rest.length > 0) return null;
  if (!(await macMatches(secret, PURPOSE, payload, mac))) return null;
  const [enterprise, id, letters, expiresAtMs] = JSON.parse(decodeText(payload)) as [
    string,
    string,
    string,
    number | null,
  ];
  const scopes = (Object.keys(LETTERS) as Scope[]).filter((scope) => letters.includes(LETTERS[scope]));
  const key_ = { enterprise, id, scopes, expiresAtMs, hash: await hashOf(key) };
  if (proven.size >= PROVEN_KEPT) proven.clear();
  proven.set(memory, key_);
  return key_;
}

function encodeText(text: string): string {
  return encodeBase64Url(new TextEncoder().encode(text).buffer as ArrayBuffer);
}

function decodeText(encoded: string): string {
  return new TextDecoder().decode(decodeBase64Url(encoded));
}
