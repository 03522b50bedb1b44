/**
 * The dashboard's session: a signed cookie that is valid for twelve hours. It authorizes pages, their forms, and JSON
 * requests that only read. JSON requests that change something need an Authorization header, because browsers attach
 * the cookie even to requests that the user did not intend. The enterprise's Durable Object knows whether the session
 * has been signed out, and checks this in the turn of each call.
 */
import type { Context } from "hono";
import { clearCookie, readCookie, type SessionCookie, writeCookie } from "./cookies.ts";
import { signingSecret, signingSecrets } from "./secrets.ts";
import { MAX_TOKEN_MS, mintToken, readToken, type TokenClaims } from "./tokens.ts";

const COOKIE: SessionCookie = { name: "fuelgauge", sameSite: "Lax", maxAgeMs: MAX_TOKEN_MS.session };

export async function readSession<E extends { Bindings: Env }>(c: Context<E>): Promise<TokenClaims | null> {
  const token = readCookie(c, COOKIE);
  return token === undefined ? null : readToken(signingSecrets(c.env), "session", token);
}

/** @param who `issuedAtMs` comes from the enterprise's object, so that it is later than every sign-out so far */
export async function startSession<E extends { Bindings: Env }>(
  c: Context<E>,
  who: Pick<TokenClaims, "enterprise" | "region" | "user" | "role" | "issuedAtMs">,
): Promise<void> {
  const { enterprise, region, user, role, issuedAtMs } = who;
  const claims = { enterprise, region, user, role, issuedAtMs, expiresAtMs: Date.now() + COOKIE.maxAgeMs };
  const session = { ...claims, kind: "session", id: crypto.randomUUID(), origin: "" } as const;
  writeCookie(c, COOKIE, await mintToken(signingSecret(c.env), session));
}

export function clearSession(c: Context): void {
  clearCookie(c, COOKIE);
}
