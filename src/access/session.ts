/**
 * The dashboard's session: a signed cookie that is valid for twelve hours. It authorizes pages, their forms, and JSON
 * requests that only read. JSON requests that change something need an Authorization header, because browsers attach
 * the cookie even to requests that the user did not intend.
 */
import type { Context } from "hono";
import { clearCookie, readCookie, type SessionCookie, writeCookie } from "./cookies.ts";
import { mintToken, readToken, type TokenClaims } from "./tokens.ts";

const COOKIE: SessionCookie = { name: "fuelgauge", sameSite: "Lax", maxAgeMs: 12 * 3_600_000 };

export async function readSession<E extends { Bindings: Env }>(c: Context<E>): Promise<TokenClaims | null> {
  const token = readCookie(c, COOKIE);
  return token === undefined ? null : readToken(c.env.SIGNING_SECRET, "session", token);
}

export async function startSession<E extends { Bindings: Env }>(
  c: Context<E>,
  who: Pick<TokenClaims, "enterprise" | "user" | "role">,
): Promise<void> {
  const claims = { ...who, kind: "session" as const, id: crypto.randomUUID(), origin: "" };
  const expiresAtMs = Date.now() + COOKIE.maxAgeMs;
  writeCookie(c, COOKIE, await mintToken(c.env.SIGNING_SECRET, { ...claims, expiresAtMs }));
}

export function endSession(c: Context): void {
  clearCookie(c, COOKIE);
}
