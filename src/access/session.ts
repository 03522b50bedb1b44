/**
 * The dashboard's session: a signed cookie for twelve hours. It authorises pages, their forms, and reading; JSON that
 * changes anything takes an Authorization header only, so a cookie that a browser sends by itself can change nothing.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { mintToken, readToken, type TokenClaims } from "./tokens.ts";

export const SESSION_MS = 12 * 3_600_000;

export async function readSession<E extends { Bindings: Env }>(c: Context<E>): Promise<TokenClaims | null> {
  const token = getCookie(c, cookieName(c));
  return token === undefined ? null : readToken(c.env.SIGNING_SECRET, "session", token);
}

export async function startSession<E extends { Bindings: Env }>(
  c: Context<E>,
  who: Pick<TokenClaims, "enterprise" | "user" | "role">,
) {
  const claims = { ...who, kind: "session" as const, id: crypto.randomUUID(), origin: "" };
  const token = await mintToken(c.env.SIGNING_SECRET, { ...claims, expiresAtMs: Date.now() + SESSION_MS });
  setCookie(c, cookieName(c), token, { ...cookieOptions(c), maxAge: SESSION_MS / 1000 });
}

export function endSession(c: Context): void {
  deleteCookie(c, cookieName(c), cookieOptions(c));
}

/** `__Host-` needs https; on http://localhost the plain name is used. */
function cookieName(c: Context): string {
  return isSecure(c) ? "__Host-fuelgauge" : "fuelgauge";
}

function cookieOptions(c: Context) {
  return { path: "/", httpOnly: true, secure: isSecure(c), sameSite: "Lax" } as const;
}

function isSecure(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:";
}
