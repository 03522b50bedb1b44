/**
 * Message authentication codes under the deployment's SIGNING_SECRET, hashes, and comparisons in constant time. Enterprise
 * keys, referral codes, webhook secrets and operator sessions all rely on this file.
 */
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();
/**
 * A random key of this isolate, generated at first use, for comparisons only. Requests may share keys, but not a promise
 * of one: a Worker must not await another request's promise.
 */
let comparisonKey: CryptoKey | undefined;
/** Imported keys by secret, because importing costs more than signing. */
const imported = new Map<string, CryptoKey>();

/** HMAC-SHA-256 of the text for one purpose, as base64url. A MAC for one purpose is not valid for another. */
export async function macOf(secret: string, purpose: string, text: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await keyOf(secret), encoder.encode(`${purpose}\n${text}`));
  return encodeBase64Url(mac);
}

export async function macMatches(secret: string, purpose: string, text: string, mac: string): Promise<boolean> {
  const bytes = bytesOf(mac);
  // Several base64url strings decode to the same bytes; only the one that was issued is valid.
  if (encodeBase64Url(bytes.buffer) !== mac) return false;
  return crypto.subtle.verify("HMAC", await keyOf(secret), bytes, encoder.encode(`${purpose}\n${text}`));
}

/** SHA-256 as base64url. */
export async function hashOf(text: string): Promise<string> {
  return encodeBase64Url(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

/** Equality in constant time. It compares MACs of both under a random key, so that not even a length is revealed. */
export async function sameSecret(a: string, b: string): Promise<boolean> {
  // Another request may have generated a key meanwhile; both MACs of one comparison use the same one.
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
