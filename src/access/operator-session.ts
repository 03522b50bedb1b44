/**
 * The operator's session: a signed cookie that is valid for eight hours. A browser gets it by sending the operator key.
 * No other token can be used as this cookie, because its MAC has its own purpose. The MAC also covers a hash of the
 * operator key, so rotating SIGNING_SECRET or OPERATOR_KEY ends every session. The cookie authorizes the operator's
 * pages and their forms, but never the JSON API.
 */
import type { Context } from "hono";
import { clearCookie, readCookie, type SessionCookie, writeCookie } from "./cookies.ts";
import { hashOf, macMatches, macOf, sameSecret } from "./mac.ts";

export const OPERATOR_SESSION_MS = 8 * 3_600_000;
const COOKIE: SessionCookie = { name: "fuelgauge-operator", sameSite: "Strict", maxAgeMs: OPERATOR_SESSION_MS };
const PURPOSE = "operator-session";

type WithEnv = { Bindings: Env };

/** Whether the sent key is the operator key. Compares in constant time. */
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

/** Returns the text that the MAC covers. */
async function claimOf<E extends WithEnv>({ env }: Context<E>, expiresAt: string): Promise<string> {
  return `${expiresAt}\n${await hashOf(env.OPERATOR_KEY)}`;
}
