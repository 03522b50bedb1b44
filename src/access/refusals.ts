/** Why a key or a sign-in link is refused: values with stable codes, like the ledger's refusals. */
import type { Refusal } from "../ledger/refusals.ts";

export type AccessRefusal =
  | { code: "key_revoked" }
  | { code: "key_invalid" }
  | { code: "scope_denied" }
  | { code: "link_used" };

/** Whatever a call to an enterprise's object may be refused with. */
export type AnyRefusal = Refusal | AccessRefusal;

/** A request that was refused because of its key or link; the ledger's isRefusal recognizes it. */
export type Denied = { refusal: AccessRefusal };

export function deny(refusal: AccessRefusal): Denied {
  return { refusal };
}
