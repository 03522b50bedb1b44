/**
 * Who is calling, once the border has made sure of it. The object only has to check what may have changed since a key
 * was made: whether it was revoked.
 */
import type { By } from "./entries.ts";

export const SCOPES = ["debit", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];
export type Role = "admin" | "member";

export type Caller =
  | { kind: "operator" }
  /** `hash` is of the whole key, so that a key is its row and not only its id. */
  | { kind: "key"; id: string; hash: string; scopes: readonly Scope[] }
  | { kind: "user"; user: string; role: Role }
  | { kind: "embed"; user: string; role: Role };

/** How a caller stands in the journal. */
export function byOf(caller: Caller): By {
  switch (caller.kind) {
    case "operator":
      return "operator";
    case "key":
      return `key:${caller.id}`;
    case "user":
    case "embed":
      return `user:${caller.user}`;
    default:
      return caller satisfies never;
  }
}
