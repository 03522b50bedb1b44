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
import { ID_RULE, isId } from "../wire/fields.ts";
import { type BorderCode, invalid, problem } from "./problem.ts";

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
};

type Entered = { caller: Caller; enterprise: string | null; expiresAtMs: number | null };

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
      if (!isId(asked)) return invalid(c, [{ path: "e", message: ID_RULE }]);
    }
    c.set("caller", entered.caller);
    c.set("enterprise", asked ?? entered.enterprise ?? "");
    c.set("expiresAtMs", entered.expiresAtMs);
    await next();
  });
}

async function identify(c: Context<ApiEnv>, entrance: Entrance): Promise<Entered | BorderCode> {
  const header = c.req.header("Authorization") ?? (entrance.embed === true ? subprotocolToken(c) : undefined);
  if (header === undefined) return entrance.session === true ? identifySession(c) : "key_missing";
  const token = /^Bearer ([!-~]+)$/i.exec(header.trim())?.[1];
  if (token === undefined) return "key_invalid";
  if (await sameSecret(token, c.env.OPERATOR_KEY))
    return { caller: { kind: "operator" }, enterprise: null, expiresAtMs: null };
  const key = await proveKey(c.env.SIGNING_SECRET, token);
  if (key === null) return entrance.embed === true ? identifyEmbed(c, token) : "key_invalid";
  if (key.expiresAtMs !== null && key.expiresAtMs <= Date.now()) return "key_expired";
  const asked = c.req.param("e");
  if (asked !== undefined && asked !== key.enterprise) return "not_found";
  if (!maySee(key.scopes, entrance.scope)) return "scope_denied";
  const { id, hash, scopes, enterprise, expiresAtMs } = key;
  return { caller: { kind: "key", id, hash, scopes }, enterprise, expiresAtMs };
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

async function identifySession(c: Context<ApiEnv>): Promise<Entered | BorderCode> {
  const session = await readSession(c);
  if (session === null) return "key_missing";
  const { enterprise, user, role, expiresAtMs } = session;
  return { caller: { kind: "user", user, role }, enterprise, expiresAtMs };
}

async function identifyEmbed(c: Context<ApiEnv>, token: string): Promise<Entered | BorderCode> {
  const claims = await readToken(c.env.SIGNING_SECRET, "embed", token);
  if (claims === null) return "key_invalid";
  if (c.req.header("Origin") !== claims.origin) return "origin_not_allowed";
  const { user, role, enterprise, expiresAtMs } = claims;
  return { caller: { kind: "embed", user, role }, enterprise, expiresAtMs };
}
