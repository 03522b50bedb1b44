/**
 * The operator's session: who has shown the operator key gets a signed cookie for eight hours, of its own purpose, so
 * that no session of a dashboard is worth anything here. Its MAC covers a hash of the key: it ends when SIGNING_SECRET
 * or OPERATOR_KEY is rotated. It authorises the operator's pages and their forms, never the JSON interface.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import { hashOf, macMatches, macOf, sameSecret } from "./mac.ts";

export const OPERATOR_SESSION_MS = 8 * 3_600_000;
const PURPOSE = "operator-session";

type Edge = { Bindings: Env };

/** True for the operator key; takes the same time whatever was sent. */
export async function isOperatorKey<E extends Edge>({ env }: Context<E>, sent: string): Promise<boolean> {
  return sameSecret(sent, env.OPERATOR_KEY);
}

export async function hasOperatorSession<E extends Edge>(c: Context<E>): Promise<boolean> {
  const [expiresAt = "", mac = "", ...rest] = getCookie(c, cookieName(c))?.split(".") ?? [];
  if (!/^\d{1,16}$/.test(expiresAt) || rest.length > 0 || Number(expiresAt) <= Date.now()) return false;
  return macMatches(c.env.SIGNING_SECRET, PURPOSE, await claimOf(c, expiresAt), mac);
}

export async function startOperatorSession<E extends Edge>(c: Context<E>): Promise<void> {
  const expiresAt = String(Date.now() + OPERATOR_SESSION_MS);
  const mac = await macOf(c.env.SIGNING_SECRET, PURPOSE, await claimOf(c, expiresAt));
  setCookie(c, cookieName(c), `${expiresAt}.${mac}`, { ...cookieOptions(c), maxAge: OPERATOR_SESSION_MS / 1000 });
}

export function endOperatorSession(c: Context): void {
  deleteCookie(c, cookieName(c), cookieOptions(c));
}

async function claimOf<E extends Edge>({ env }: Context<E>, expiresAt: string): Promise<string> {
  return `${expiresAt}\n${await hashOf(env.OPERATOR_KEY)}`;
}

/** `__Host-` needs https; on http://localhost the plain name is used. */
function cookieName(c: Context): string {
  return isSecure(c) ? "__Host-fuelgauge-operator" : "fuelgauge-operator";
}

/** Strict: no other site leads a browser in here that is signed in. */
function cookieOptions(c: Context) {
  return { path: "/", httpOnly: true, secure: isSecure(c), sameSite: "Strict" } as const;
}

function isSecure(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:";
}
