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

/** An operator key with scopes, whose MAC was verified. */
export type OperatorKey = { id: string; hash: string; scopes: readonly OperatorScope[] };

export type Caller =
  /** `key` is absent for OPERATOR_KEY, which may do everything. Objects of the last release ignore it. */
  | { kind: "operator"; key?: OperatorKey }
  /**
   * `hash` is the hash of the whole key, because the id alone does not identify a key. `secretId` names the secret that
   * signed it; a Worker of the last release does not send it.
   */
  | { kind: "key"; id: string; hash: string; scopes: readonly Scope[]; secretId?: string }
  | { kind: "user"; user: string; role: Role; token?: CallerToken }
  | { kind: "embed"; user: string; role: Role; token?: CallerToken };

/** The holder of OPERATOR_KEY, as the caller of what the deployment does by itself or has checked before. */
export const OPERATOR: Caller = { kind: "operator" };

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
  /** The start of the hour in which the key was last used; null if it was not used since that is recorded. */
  lastUsedAtMs: AtMs | null;
  /** The id of the secret that signed the key; null for a key of the last release that was not used since. */
  secretId: string | null;
};

/** An operator key as it is listed: everything but its hash. */
export type OperatorKeySummary = Omit<KeySummary, "scopes" | "createdBy" | "secretId"> & {
  scopes: OperatorScope[];
  secretId: string;
};

/**
 * Whether an authorized caller of a key route may make or revoke a key with these scopes. Only OPERATOR_KEY may do so
 * for an admin key, because an admin key can make other keys.
 */
export function mayManageKey(caller: Caller, scopes: readonly Scope[]): boolean {
  return isFullOperator(caller) || !scopes.includes("admin");
}

/** Whether the caller has the deployment's OPERATOR_KEY, which may do everything. */
export function isFullOperator(caller: Caller): boolean {
  return caller.kind === "operator" && caller.key === undefined;
}

/** Whether the caller is the operator with OPERATOR_KEY, or with a key that has one of the scopes. */
export function hasOperatorScope(caller: Caller, scopes: readonly OperatorScope[]): boolean {
  if (caller.kind !== "operator") return false;
  return caller.key === undefined || scopes.some((scope) => caller.key?.scopes.includes(scope));
}

/** Returns the name under which the journal records a caller. */
export function byOf(caller: Caller): By {
  switch (caller.kind) {
    case "operator":
      return caller.key === undefined ? "operator" : `operator-key:${caller.key.id}`;
    case "key":
      return `key:${caller.id}`;
    case "user":
    case "embed":
      return `user:${caller.user}`;
    default:
      return caller satisfies never;
  }
}
