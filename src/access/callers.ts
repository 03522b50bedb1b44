/**
 * Who is calling: an identity that the Worker has verified, and what it may do with keys. The enterprise's object only
 * checks what may change after a key was made: whether it was revoked.
 */
import type { By } from "../ledger/entries.ts";

export const SCOPES = ["debit", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

export const ROLES = ["admin", "member"] as const;
export type Role = (typeof ROLES)[number];

export type Caller =
  | { kind: "operator" }
  /** `hash` is the hash of the whole key: an id alone does not identify a key. */
  | { kind: "key"; id: string; hash: string; scopes: readonly Scope[] }
  | { kind: "user"; user: string; role: Role }
  | { kind: "embed"; user: string; role: Role };

/**
 * Whether a caller whom the route lets in may make or revoke a key with these scopes: only the operator may do so for a
 * key that could make others.
 */
export function mayManageKey(caller: Caller, scopes: readonly Scope[]): boolean {
  return caller.kind === "operator" || !scopes.includes("admin");
}

/** How a caller appears in the journal. */
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
