/**
 * Authenticates callers and authorizes them for a route. This happens in the Worker, before a Durable Object wakes or a
 * database is read. Every route declares who may call it. A path of another enterprise gets the same response as a path
 * that does not exist.
 */
import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import {
  byOf,
  type Caller,
  hasOperatorScope,
  isFullOperator,
  type OperatorKey,
  type OperatorScope,
  type Scope,
} from "../access/callers.ts";
import { findVerified, verifyKey } from "../access/keys.ts";
import { failedTooOften, isBlocked, isOver } from "../access/limits.ts";
import { verifyOperatorKey } from "../access/operator-key.ts";
import { findOperatorKey, type OperatorCaller } from "../access/operator-session.ts";
import type { AccessRefusalCode } from "../access/refusals.ts";
import { signingSecrets } from "../access/secrets.ts";
import { readSession } from "../access/session.ts";
import { callerOfToken, hasExpired, verifyToken } from "../access/tokens.ts";
import { type Address, findAddress } from "../catalog/addresses.ts";
import { renewRestoring } from "../catalog/restoring.ts";
import { findOperatorKeyFault } from "../operations/operator-keys.ts";
import { ID_RULE, isId } from "../wire/fields.ts";
import { invalid, problem } from "./problem.ts";

export type ApiEnv = {
  Bindings: Env;
  /** `expiresAtMs` is when the caller's key or token expires; null if it never expires. */
  Variables: { caller: Caller; enterprise: string; address: Address; expiresAtMs: number | null };
};

/** Declares who may call a route. The operator may call every route. */
export type Access = {
  /** The scope that an enterprise key needs. "any" accepts every enterprise key, "operator" accepts none. */
  scope: Scope | "operator" | "any";
  /** Signed-in browsers may call the route too. Set this only on routes that read. */
  session?: boolean;
  /** Callers with an embed token may call the route too. */
  embed?: boolean;
  /**
   * The scopes of which an operator key with scopes needs one. None by default: then only OPERATOR_KEY may call the
   * route.
   */
  operatorScopes?: readonly OperatorScope[];
  /** The operator may call the route for an enterprise that does not exist yet. */
  creates?: boolean;
  /** Calls are expensive, so the route has an additional rate limit per caller and enterprise. */
  costly?: boolean;
};

/** `address` comes from the claims of a key or token; null for the operator. */
type Authenticated = { caller: Caller; address: Address | null; expiresAtMs: number | null };

/**
 * Refuses callers that may not call the route, and sets `c.var` for all others. `c.var.enterprise` is the path
 * parameter `e`. On a route without it, this is the enterprise of the caller's key or session, or empty for the
 * operator. `c.var.address` leads to its object.
 */
export function authorize(access: Access): MiddlewareHandler<ApiEnv> {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const authenticated = await authenticate(c, access);
    if (typeof authenticated === "string") {
      const guesses = authenticated === "key_invalid" && (await failedTooOften(c.env, c.req.raw.headers));
      return problem(c, guesses ? "rate_limited" : authenticated);
    }
    const { caller, expiresAtMs } = authenticated;
    const asked = c.req.param("e");
    if (asked !== undefined) {
      if (authenticated.address !== null && authenticated.address.enterprise !== asked) return problem(c, "not_found");
      if (!isId(asked)) return invalid(c, [{ path: "e", message: ID_RULE }]);
    }
    const address = authenticated.address ?? (asked === undefined ? null : await findAddress(c.env, asked));
    // Never wake an object for an enterprise that was not created: nobody knows yet where its object belongs.
    if (address === null && access.creates !== true && asked !== undefined) return problem(c, "not_found");
    c.set("caller", caller);
    c.set("enterprise", asked ?? address?.enterprise ?? "");
    c.set("address", address ?? { enterprise: asked ?? "", region: "" });
    c.set("expiresAtMs", expiresAtMs);
    const subject = subjectOf(c);
    if (await isOverLimit(c, subject, access)) return problem(c, "rate_limited");
    const fault = caller.kind === "operator" ? await operatorKeyFault(c.env, caller) : null;
    if (fault === null) {
      await renewRestoring(c.env, c.executionCtx);
      await next();
    } else c.res = problem(c, fault);
    // Only the enterprise's Durable Object knows that a key was revoked. Count its 401 responses here, so that
    // isOverLimit() soon stops a revoked key from waking the object again.
    if (c.res.status === 401) await isOver(c.env, "LIMIT_FAILURES", subject);
  });
}

/**
 * Counts the call, and returns whether the caller is over a rate limit. The operator is limited only on costly routes,
 * unless its key has scopes.
 * All other callers also have a limit over all routes, which is too high for an honest burst to reach.
 */
async function isOverLimit(c: Context<ApiEnv>, subject: string, { costly }: Access): Promise<boolean> {
  const caller = c.get("caller");
  if (isKey(caller) && isBlocked("LIMIT_FAILURES", subject)) return true;
  if (!isFullOperator(caller) && (await isOver(c.env, "LIMIT_CALLERS", subject))) return true;
  if (costly !== true) return false;
  // Use the route and the decoded id rather than the path as sent: different spellings of a path share one limit.
  return isOver(c.env, "LIMIT_COSTLY", `${c.req.method} ${c.req.routePath} ${c.get("enterprise")} ${subject}`);
}

function subjectOf(c: Context<ApiEnv>): string {
  const caller = c.get("caller");
  if (caller.kind === "operator") return byOf(caller);
  return `${c.get("enterprise")} ${caller.kind === "key" ? caller.id : byOf(caller)}`;
}

function isKey(caller: Caller): boolean {
  return caller.kind === "key" || (caller.kind === "operator" && caller.key !== undefined);
}

type Refused = AccessRefusalCode | "not_found";

async function authenticate(c: Context<ApiEnv>, access: Access): Promise<Authenticated | Refused> {
  const header = c.req.header("Authorization") ?? (access.embed === true ? subprotocolToken(c) : undefined);
  if (header === undefined) return access.session === true ? authenticateSession(c) : "key_missing";
  const token = /^Bearer ([!-~]+)$/i.exec(header.trim())?.[1];
  if (token === undefined) return "key_invalid";
  // Try enterprise keys first, because agents send most of the requests.
  const secrets = signingSecrets(c.env);
  const key = findVerified(secrets, token) ?? (await verifyKey(secrets, token));
  if (key === null) {
    if ((await findOperatorKey(c.env, token)) !== null)
      return { caller: { kind: "operator" }, address: null, expiresAtMs: null };
    const operatorKey = await verifyOperatorKey(secrets, token);
    return operatorKey === null ? authenticateEmbed(c, token, access) : authenticateOperatorKey(operatorKey, access);
  }
  if (key.expiresAtMs !== null && key.expiresAtMs <= Date.now()) return "key_expired";
  const asked = c.req.param("e");
  if (asked !== undefined && asked !== key.enterprise) return "not_found";
  if (!hasScope(key.scopes, access.scope)) return "scope_denied";
  const { id, hash, scopes, secretId, expiresAtMs } = key;
  return { caller: { kind: "key", id, hash, scopes, secretId }, address: key, expiresAtMs };
}

/** The catalog is asked later, immediately before the call. */
function authenticateOperatorKey(
  { expiresAtMs, ...key }: OperatorKey & { expiresAtMs: number | null },
  { operatorScopes = [] }: Access,
): Authenticated | Refused {
  if (expiresAtMs !== null && expiresAtMs <= Date.now()) return "key_expired";
  const caller: Caller = { kind: "operator", key };
  return hasOperatorScope(caller, operatorScopes) ? { caller, address: null, expiresAtMs } : "scope_denied";
}

/** Returns why the catalog refuses an operator key; null for OPERATOR_KEY. */
async function operatorKeyFault(env: Env, { key }: OperatorCaller): Promise<AccessRefusalCode | null> {
  return key === undefined ? null : findOperatorKeyFault(env, key);
}

/**
 * Returns the embed token of a WebSocket. A browser cannot set its headers, so it offers the subprotocols `fuelgauge,
 * TOKEN`.
 */
function subprotocolToken(c: Context<ApiEnv>): string | undefined {
  const [name, token] = (c.req.header("Sec-WebSocket-Protocol") ?? "").split(",").map((part) => part.trim());
  return name === "fuelgauge" && token !== undefined && token !== "" ? `Bearer ${token}` : undefined;
}

/** Whether a key's scopes permit a call. The scope `admin` includes `read`, but not `debit`. */
function hasScope(scopes: readonly Scope[], needed: Access["scope"]): boolean {
  if (needed === "operator") return false;
  if (needed === "any") return true;
  return scopes.includes(needed) || (needed === "read" && scopes.includes("admin"));
}

/** Authenticates the session cookie. Browsers may add it to requests from other sites, so other origins are refused. */
async function authenticateSession(c: Context<ApiEnv>): Promise<Authenticated | Refused> {
  const session = await readSession(c);
  if (session === null) return "key_missing";
  const origin = c.req.header("Origin");
  if (origin !== undefined && origin !== new URL(c.req.url).origin) return "origin_not_allowed";
  return { caller: callerOfToken(session), address: session, expiresAtMs: session.expiresAtMs };
}

async function authenticateEmbed(c: Context<ApiEnv>, token: string, access: Access): Promise<Authenticated | Refused> {
  const claims = await verifyToken(signingSecrets(c.env), "embed", token);
  if (claims === null) return "key_invalid";
  if (hasExpired(claims)) return "key_expired";
  if (c.req.header("Origin") !== claims.origin) return "origin_not_allowed";
  const asked = c.req.param("e");
  if (asked !== undefined && asked !== claims.enterprise) return "not_found";
  if (access.embed !== true) return "scope_denied";
  return { caller: callerOfToken(claims), address: claims, expiresAtMs: claims.expiresAtMs };
}
