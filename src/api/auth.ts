/**
 * Who is calling, and whether they may: decided at the edge, before any object wakes or any database is read.
 * Routes are closed unless they say who may enter. Another enterprise's path looks like nothing at all.
 */
import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { byOf, type Caller, type Scope } from "../access/callers.ts";
import { proveKey } from "../access/keys.ts";
import { addressOf, isBlocked, isOver } from "../access/limits.ts";
import { sameSecret } from "../access/mac.ts";
import { readSession } from "../access/session.ts";
import { hasEnded, proveToken } from "../access/tokens.ts";
import { ID_RULE, isId } from "../wire/fields.ts";
import { invalid, type PlainCode, problem } from "./problem.ts";

export type ApiEnv = {
  Bindings: Env;
  /** `expiresAtMs`: until when what the caller showed holds; null for good. */
  Variables: { caller: Caller; enterprise: string; expiresAtMs: number | null };
};

export type Entrance = {
  /** The scope that an enterprise key needs; "operator": no enterprise key will do; "any": any key will. */
  scope: Scope | "operator" | "any";
  /** Also a signed-in browser may (reading only). */
  session?: boolean;
  /** Also the usage bar may. */
  embed?: boolean;
  /** Each call is worth many: it has a limit of its own for each caller and enterprise. */
  costly?: boolean;
};

type Entered = { caller: Caller; enterprise: string | null; expiresAtMs: number | null };

/** Lets in who may enter, and puts the caller into `c.var`. Expects the enterprise's id as the path's `e`, where there is one. */
export function allow(entrance: Entrance): MiddlewareHandler<ApiEnv> {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const entered = await identify(c, entrance);
    if (typeof entered === "string") {
      if (entered === "key_invalid" && (await isOver(c.env, "LIMIT_FAILURES", addressOf(c.req.raw.headers)))) {
        return problem(c, "rate_limited");
      }
      return problem(c, entered);
    }
    const asked = c.req.param("e");
    if (asked !== undefined) {
      if (entered.enterprise !== null && entered.enterprise !== asked) return problem(c, "not_found");
      if (!isId(asked)) return invalid(c, [{ path: "e", message: ID_RULE }]);
    }
    c.set("caller", entered.caller);
    c.set("enterprise", asked ?? entered.enterprise ?? "");
    c.set("expiresAtMs", entered.expiresAtMs);
    if (await isTooMuch(c, entrance)) return problem(c, "rate_limited");
    await next();
    // Only the object knows that a key was revoked: one that goes on being used stops waking it.
    if (c.res.status === 401) await isOver(c.env, "LIMIT_FAILURES", subjectOf(c));
  });
}

/** The operator is limited where a call is costly; everyone else also as a whole, so high that no honest burst comes near. */
async function isTooMuch(c: Context<ApiEnv>, { costly }: Entrance): Promise<boolean> {
  const subject = subjectOf(c);
  if (c.var.caller.kind === "key" && isBlocked("LIMIT_FAILURES", subject)) return true;
  if (c.var.caller.kind !== "operator" && (await isOver(c.env, "LIMIT_CALLERS", subject))) return true;
  return costly === true && (await isOver(c.env, "LIMIT_COSTLY", `${c.req.method} ${c.req.path} ${subject}`));
}

function subjectOf(c: Context<ApiEnv>): string {
  const { caller, enterprise } = c.var;
  return caller.kind === "operator" ? "operator" : `${enterprise} ${caller.kind === "key" ? caller.id : byOf(caller)}`;
}

async function identify(c: Context<ApiEnv>, entrance: Entrance): Promise<Entered | PlainCode> {
  const header = c.req.header("Authorization") ?? (entrance.embed === true ? subprotocolToken(c) : undefined);
  if (header === undefined) return entrance.session === true ? identifySession(c) : "key_missing";
  const token = /^Bearer ([!-~]+)$/i.exec(header.trim())?.[1];
  if (token === undefined) return "key_invalid";
  // Before the operator's key, because agents ask most.
  const key = await proveKey(c.env.SIGNING_SECRET, token);
  if (key === null) {
    if (await isOperatorKey(c, token)) return { caller: { kind: "operator" }, enterprise: null, expiresAtMs: null };
    return identifyEmbed(c, token, entrance);
  }
  if (key.expiresAtMs !== null && key.expiresAtMs <= Date.now()) return "key_expired";
  const asked = c.req.param("e");
  if (asked !== undefined && asked !== key.enterprise) return "not_found";
  if (!maySee(key.scopes, entrance.scope)) return "scope_denied";
  const { id, hash, scopes, enterprise, expiresAtMs } = key;
  return { caller: { kind: "key", id, hash, scopes }, enterprise, expiresAtMs };
}

/**
 * The one secret that people choose: it is not even looked at while its address is turned away for failures. What
 * carries a MAC cannot be guessed, so good keys and tokens are never turned away for what others at their address do.
 */
async function isOperatorKey(c: Context<ApiEnv>, token: string): Promise<boolean> {
  if (isBlocked("LIMIT_FAILURES", addressOf(c.req.raw.headers))) return false;
  return sameSecret(token, c.env.OPERATOR_KEY);
}

/** The token of a browser's socket, from the subprotocol pair `fuelgauge, TOKEN`, as the header that it cannot send. */
function subprotocolToken(c: Context<ApiEnv>): string | undefined {
  const [name, token] = (c.req.header("Sec-WebSocket-Protocol") ?? "").split(",").map((part) => part.trim());
  return name === "fuelgauge" && token !== undefined && token !== "" ? `Bearer ${token}` : undefined;
}

/** An admin key may read; it may not debit. */
function maySee(scopes: readonly Scope[], needed: Entrance["scope"]): boolean {
  if (needed === "operator") return false;
  if (needed === "any") return true;
  return scopes.includes(needed) || (needed === "read" && scopes.includes("admin"));
}

/** A browser sends a cookie along for whoever asks: for another origin's pages, sockets above all, it counts nothing. */
async function identifySession(c: Context<ApiEnv>): Promise<Entered | PlainCode> {
  const session = await readSession(c);
  if (session === null) return "key_missing";
  const origin = c.req.header("Origin");
  if (origin !== undefined && origin !== new URL(c.req.url).origin) return "origin_not_allowed";
  const { enterprise, user, role, expiresAtMs } = session;
  return { caller: { kind: "user", user, role }, enterprise, expiresAtMs };
}

async function identifyEmbed(c: Context<ApiEnv>, token: string, entrance: Entrance): Promise<Entered | PlainCode> {
  const claims = await proveToken(c.env.SIGNING_SECRET, "embed", token);
  if (claims === null) return "key_invalid";
  if (hasEnded(claims)) return "key_expired";
  if (c.req.header("Origin") !== claims.origin) return "origin_not_allowed";
  const asked = c.req.param("e");
  if (asked !== undefined && asked !== claims.enterprise) return "not_found";
  if (entrance.embed !== true) return "scope_denied";
  const { user, role, enterprise, expiresAtMs } = claims;
  return { caller: { kind: "embed", user, role }, enterprise, expiresAtMs };
}
