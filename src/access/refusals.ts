/**
 * The reasons to refuse a caller, as values with stable codes like the ledger's refusals. The enterprise's Durable
 * Object refuses revoked keys, ended sessions and used links, because only the object knows about them. The Worker
 * refuses everything else before it calls the object.
 */
import type { Refusal } from "../ledger/refusals.ts";

type AccessRefusal =
  | { code: "key_revoked" }
  | { code: "key_expired" }
  | { code: "key_invalid" }
  | { code: "scope_denied" }
  | { code: "key_missing" }
  | { code: "too_many_keys" }
  | { code: "rate_limited" }
  | { code: "link_invalid" }
  | { code: "link_used" };

/** All codes that refuse a caller, from the Worker and from the enterprise's Durable Object. */
export type AccessRefusalCode = AccessRefusal["code"] | "origin_not_allowed" | "csrf_failed";

/** How long a subject over its rate limit is refused. Retry-After has the same value. */
export const RETRY_AFTER_SECONDS = 10;

/** Every refusal that a call to an enterprise's Durable Object can return. */
export type AnyRefusal = Refusal | AccessRefusal;

/** Refuses a request because of its key or link. The ledger's isRefusal() recognizes this type too. */
export type Denied = { refusal: AccessRefusal };

export function deny(refusal: AccessRefusal): Denied {
  return { refusal };
}
