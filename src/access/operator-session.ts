/**
 * The operator's session: a signed cookie for eight hours, for browsers that have shown the operator key. Its MAC has a
 * purpose that no other token shares, and covers a hash of the key: rotating SIGNING_SECRET or OPERATOR_KEY ends every
 * session. It authorizes the operator's pages and their forms, never the JSON interface.
 */
import type { Context } from "hono";
import { clearCookie, readCookie, type SessionCookie, writeCookie } from "./cookies.ts";
import { hashOf, macMatches, macOf, sameSecret } from "./mac.ts";

export const OPERATOR_SESSION_MS = 8 * 3_600_000;
const COOKIE: SessionCookie = { name: "fuelgauge-operator", sameSite: "Strict", maxAgeMs: OPERATOR_SESSION_MS };
const PURPOSE = "operator-session";

type WithEnv = { Bindings: Env };

/** Compares a sent key with the operator key, in a time that reveals nothing about either. */
export async function isOperatorKey<E extends WithEnv>({ env }: Context<E>, sent: string): Promise<boolean> {
  return sameSecret(sent, env.OPERATOR_KEY);
}

export async function hasOperatorSession<E extends WithEnv>(c: Context<E>): Promise<boolean> {
  const [expiresAt = "", mac = "", ...rest] = readCookie(c, COOKIE)?.split(".") ?? [];
  if (!/^\d{1,16}$/.test(expiresAt) || rest.length > 0 || Number(expiresAt) <= Date.now()) return false;
  return macMatches(c.env.SIGNING_SECRET, PURPOSE, await claimOf(c, expiresAt), mac);
}

export async function startOperatorSession<E extends WithEnv>(c: Context<E>): Promise<void> {
  const expiresAt = String(Date.now() + COOKIE.maxAgeMs);
  const mac = await macOf(c.env.SIGNING_SECRET, PURPOSE, await claimOf(c, expiresAt));
  writeCookie(c, COOKIE, `${expiresAt}.${mac}`);
}

export function endOperatorSession(c: Context): void {
  clearCookie(c, COOKIE);
}

/** What the MAC covers. */
async function claimOf<E extends WithEnv>({ env }: Context<E>, expiresAt: string): Promise<string> {
  return `${expiresAt}\n${await hashOf(env.OPERATOR_KEY)}`;
}
