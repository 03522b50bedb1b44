/** Why a caller is refused before the ledger is asked, and for how long when it sends too many requests. */

export type AccessRefusalCode =
  | "key_missing"
  | "key_invalid"
  | "key_expired"
  | "scope_denied"
  | "origin_not_allowed"
  | "csrf_failed"
  | "rate_limited";

/** How long a subject over its rate limit is refused, and what Retry-After says. */
export const RETRY_AFTER_SECONDS = 10;
