/** Digests and random texts, made without `await`, because rows are read and written without it. */
import { hash, hmac } from "fast-sha256";

const ID_BYTES = 16;

/** Returns an id that does not show what it was made of. */
export function opaqueId(text: string): string {
  return toHex(hash(new TextEncoder().encode(text)).subarray(0, ID_BYTES));
}

/** Returns the HMAC-SHA-256 of a text, in hex. */
export function keyedHash(key: string, text: string): string {
  const encoder = new TextEncoder();
  return toHex(hmac(encoder.encode(key), encoder.encode(text)));
}

export function randomHex(bytes: number): string {
  return toHex(crypto.getRandomValues(new Uint8Array(bytes)));
}

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
