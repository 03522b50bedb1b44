/**
 * Why a caller is refused: values with stable codes, like the ledger's refusals. Keys and links are refused by the
 * enterprise's object, which alone knows what was revoked or used; everything else is refused before an object is asked.
 */
import type { Refusal } from "../ledger/refusals.ts";

type AccessRefusal =
  | { code: "key_revoked" }
  | { code: "key_expired" }
  | { code: "key_invalid" }
  | { code: "scope_denied" }
  | { code: "link_used" };

/** The codes with which the Worker refuses a caller, and those of the object. */
export type AccessRefusalCode =
  | AccessRefusal["code"]
  | "key_missing"
  | "origin_not_allowed"
  | "csrf_failed"
  | "rate_limited";

/** How long a subject over its rate limit is refused, and what Retry-After says. */
export const RETRY_AFTER_SECONDS = 10;

/** Whatever a call to an enterprise's object may be refused with. */
export type AnyRefusal = Refusal | AccessRefusal;

/** A request that was refused because of its key or link; the ledger's isRefusal recognizes it. */
export type Denied = { refusal: AccessRefusal };

export function deny(refusal: AccessRefusal): Denied {
  return { refusal };
}
