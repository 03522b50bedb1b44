/**
 * Describes a caller that the Worker has authenticated, and decides which keys this caller may make or revoke. The
 * enterprise's Durable Object checks what can change afterwards: whether the caller's key was revoked, and whether the
 * caller's session or embed token was ended.
 */
import type { By } from "../ledger/entries.ts";
import type { AtMs } from "../ledger/time.ts";

export const SCOPES = ["debit", "read", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** What an operator key with scopes may do. None of them may debit. */
export const OPERATOR_SCOPES = [
  "enterprises",
  "grants",
  "sessions",
  "keys",
  "prices",
  "metrics",
  "maintenance",
] as const;
export type OperatorScope = (typeof OPERATOR_SCOPES)[number];

export const ROLES = ["admin", "member"] as const;
export type Role = (typeof ROLES)[number];

export type Caller =
  | { kind: "operator" }
  /** `hash` is the hash of the whole key, because the id alone does not identify a key. */
  | { kind: "key"; id: string; hash: string; scopes: readonly Scope[] }
  | { kind: "user"; user: string; role: Role; token?: CallerToken }
  | { kind: "embed"; user: string; role: Role; token?: CallerToken };

/** The caller's session or embed token. A Worker of the last release does not send it. */
export type CallerToken = { id: string; issuedAtMs: AtMs; expiresAtMs: AtMs };

/** A key as it is listed: everything but its hash. */
export type KeySummary = {
  id: string;
  name: string;
  scopes: Scope[];
  createdAtMs: AtMs;
  createdBy: By;
  expiresAtMs: AtMs | null;
  revokedAtMs: AtMs | null;
};

/**
 * Whether an authorized caller of a key route may make or revoke a key with these scopes. Only the operator may do so
 * for an admin key, because an admin key can make other keys.
 */
export function mayManageKey(caller: Caller, scopes: readonly Scope[]): boolean {
  return caller.kind === "operator" || !scopes.includes("admin");
}

/** Returns the name under which the journal records a caller. */
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
