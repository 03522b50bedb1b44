/**
 * Who is calling, and whether they may: decided at the edge, before any object wakes or any database is read.
 * Routes are closed unless they say who may enter. Another enterprise's path looks like nothing at all.
 */
import type { Context, MiddlewareHandler } from "hono";
import { createMiddleware } from "hono/factory";
import { proveKey } from "../access/keys.ts";
import { sameSecret } from "../access/mac.ts";
import { readSession } from "../access/session.ts";
import { readToken } from "../access/tokens.ts";
import type { Caller, Scope } from "../ledger/callers.ts";
import { isId } from "../wire/fields.ts";
import { type BorderCode, problem } from "./problem.ts";

export type ApiEnv = { Bindings: Env; Variables: { caller: Caller; enterprise: string } };

export type Entrance = {
  /** The scope that an enterprise key needs; "operator": no enterprise key will do; "any": any key will. */
  scope: Scope | "operator" | "any";
  /** Also a signed-in browser may (reading only). */
  session?: boolean;
  /** Also the usage bar may. */
  embed?: boolean;
};

type Entered = { caller: Caller; enterprise: string | null };

/** Lets in who may enter, and puts the caller into `c.var`. Expects the enterprise's id as the path's `e`, where there is one. */
export function allow(entrance: Entrance): MiddlewareHandler<ApiEnv> {
  return createMiddleware<ApiEnv>(async (c, next) => {
    const entered = await identify(c, entrance);
    if (typeof entered === "string") {
      return problem(c, entered, entered.startsWith("key_") ? { "WWW-Authenticate": "Bearer" } : {});
    }
    const asked = c.req.param("e");
    if (asked !== undefined) {
      if (entered.enterprise !== null && entered.enterprise !== asked) return problem(c, "not_found");
      if (!isId(asked)) return problem(c, "not_found");
    }
    c.set("caller", entered.caller);
    c.set("enterprise", asked ?? "");
    await next();
  });
}

async function identify(c: Context<ApiEnv>, entrance: Entrance): Promise<Entered | BorderCode> {
  const header = c.req.header("Authorization");
  if (header === undefined) return entrance.session === true ? identifySession(c) : "key_missing";
  const token = /^Bearer ([!-~]+)$/i.exec(header.trim())?.[1];
  if (token === undefined) return "key_invalid";
  if (await sameSecret(token, c.env.OPERATOR_KEY)) return { caller: { kind: "operator" }, enterprise: null };
  const key = await proveKey(c.env.SIGNING_SECRET, token);
  if (key === null) return entrance.embed === true ? identifyEmbed(c, token) : "key_invalid";
  if (key.expiresAtMs !== null && key.expiresAtMs <= Date.now()) return "key_expired";
  const asked = c.req.param("e");
  if (asked !== undefined && asked !== key.enterprise) return "not_found";
  if (!maySee(key.scopes, entrance.scope)) return "scope_denied";
  return { caller: { kind: "key", id: key.id, hash: key.hash, scopes: key.scopes }, enterprise: key.enterprise };
}

/** An admin key may read; it may not debit. */
function maySee(scopes: readonly Scope[], needed: Entrance["scope"]): boolean {
  if (needed === "operator") return false;
  if (needed === "any") return true;
  return scopes.includes(needed) || (needed === "read" && scopes.includes("admin"));
}

async function identifySession(c: Context<ApiEnv>): Promise<Entered | BorderCode> {
  const session = await readSession(c);
  if (session === null) return "key_missing";
  const { enterprise, user, role } = session;
  return { caller: { kind: "user", user, role }, enterprise };
}

async function identifyEmbed(c: Context<ApiEnv>, token: string): Promise<Entered | BorderCode> {
  const claims = await readToken(c.env.SIGNING_SECRET, "embed", token);
  if (claims === null) return "key_invalid";
  if (c.req.header("Origin") !== claims.origin) return "origin_not_allowed";
  return { caller: { kind: "embed", user: claims.user, role: claims.role }, enterprise: claims.enterprise };
}
