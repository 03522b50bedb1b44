/**
 * Computes message authentication codes with the deployment's signing secret, computes hashes, and compares secrets in
 * constant time. Enterprise keys, referral codes, webhook secrets and operator sessions all rely on this file.
 */
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const SECRET_ID_LENGTH = 16;
const encoder = new TextEncoder();
/**
 * A random key that this isolate generates on first use, for comparisons only. It is stored as a key rather than as a
 * promise, because a request in a Worker must not await another request's promise.
 */
let comparisonKey: CryptoKey | undefined;
/** Caches imported keys by secret, because importing a key costs more than signing with it. */
const imported = new Map<string, CryptoKey>();

/** Returns the HMAC-SHA-256 of a text as base64url. A MAC made for one purpose is not valid for another. */
export async function macOf(secret: string, purpose: string, text: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await keyOf(secret), encoder.encode(`${purpose}\n${text}`));
  return encodeBase64Url(mac);
}

export async function macMatches(secret: string, purpose: string, text: string, mac: string): Promise<boolean> {
  const bytes = bytesOf(mac);
  // Several base64url strings can decode to the same bytes. Only the string that was issued is valid.
  if (encodeBase64Url(bytes.buffer) !== mac) return false;
  return crypto.subtle.verify("HMAC", await keyOf(secret), bytes, encoder.encode(`${purpose}\n${text}`));
}

/** Encodes a text as base64url, for the payload that a MAC covers. */
export function encodeText(text: string): string {
  return encodeBase64Url(encoder.encode(text).buffer as ArrayBuffer);
}

export function decodeText(encoded: string): string {
  return new TextDecoder().decode(decodeBase64Url(encoded));
}

/** Returns the SHA-256 hash of a text as base64url. */
export async function hashOf(text: string): Promise<string> {
  return encodeBase64Url(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

/** Names a secret without revealing it, so that a list can show which secret has signed a key. */
export async function secretIdOf(secret: string): Promise<string> {
  return (await macOf(secret, "secret-id", "")).slice(0, SECRET_ID_LENGTH);
}

/** Compares two secrets in constant time. Compares their MACs under a random key, to hide even their lengths. */
export async function sameSecret(a: string, b: string): Promise<boolean> {
  // While this request waits, another one may replace `comparisonKey`. Both MACs below must use the same key.
  const key = comparisonKey ?? ((await crypto.subtle.generateKey(HMAC, false, ["sign", "verify"])) as CryptoKey);
  comparisonKey = key;
  const mac = await crypto.subtle.sign("HMAC", key, encoder.encode(a));
  return crypto.subtle.verify("HMAC", key, mac, encoder.encode(b));
}

async function keyOf(secret: string): Promise<CryptoKey> {
  const known = imported.get(secret);
  if (known !== undefined) return known;
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), HMAC, false, ["sign", "verify"]);
  imported.set(secret, key);
  return key;
}

function bytesOf(base64Url: string): Uint8Array<ArrayBuffer> {
  try {
    return decodeBase64Url(base64Url);
  } catch {
    return new Uint8Array();
  }
}
