/**
 * Message authentication under the deployment's SIGNING_SECRET, and comparisons that take the same time whatever they
 * find. Everything that proves something at the edge (keys, referral codes) rests on this file.
 */
import { decodeBase64Url, encodeBase64Url } from "hono/utils/encode";

const HMAC = { name: "HMAC", hash: "SHA-256" };
const encoder = new TextEncoder();
/** Made when first needed, in this isolate, for comparisons only. Requests share keys, never a promise of one. */
let comparing: CryptoKey | undefined;
/** Imported keys by secret: importing costs more than signing. */
const imported = new Map<string, CryptoKey>();

/** HMAC-SHA-256 of the text for one purpose, base64url; a MAC for one purpose is worth nothing for another. */
export async function macOf(secret: string, purpose: string, text: string): Promise<string> {
  const mac = await crypto.subtle.sign("HMAC", await keyOf(secret), encoder.encode(`${purpose}\n${text}`));
  return encodeBase64Url(mac);
}

export async function macMatches(secret: string, purpose: string, text: string, mac: string): Promise<boolean> {
  const bytes = bytesOf(mac);
  // base64url spells the same bytes in more than one way; only one of them was given out.
  if (encodeBase64Url(bytes.buffer) !== mac) return false;
  return crypto.subtle.verify("HMAC", await keyOf(secret), bytes, encoder.encode(`${purpose}\n${text}`));
}

/** SHA-256 as base64url. */
export async function hashOf(text: string): Promise<string> {
  return encodeBase64Url(await crypto.subtle.digest("SHA-256", encoder.encode(text)));
}

/** Equality in constant time: MACs of both under a key that nobody knows are compared, so that not even a length shows. */
export async function sameSecret(a: string, b: string): Promise<boolean> {
  // Others may have made one meanwhile: both MACs of one comparison are made with the same.
  const key = comparing ?? ((await crypto.subtle.generateKey(HMAC, false, ["sign", "verify"])) as CryptoKey);
  comparing = key;
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
