/** Digests of short texts, computed without `await`, because rows are read and written without it. */
import { hash } from "fast-sha256";

const ID_BYTES = 16;

/** Returns an id that does not show what it was made of. */
export function opaqueId(text: string): string {
  return toHex(hash(new TextEncoder().encode(text)).subarray(0, ID_BYTES));
}

function toHex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
