/**
 * The cookies that hold a session: readable by no script, and sent over https only. Their names carry the prefix
 * `__Host-`, which browsers accept over https only; http://localhost gets the plain name.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";

export type SessionCookie = {
  name: string;
  /** Strict: a browser that follows a link from another site arrives signed out. */
  sameSite: "Lax" | "Strict";
  maxAgeMs: number;
};

export function readCookie(c: Context, cookie: SessionCookie): string | undefined {
  return getCookie(c, fullName(c, cookie));
}

export function writeCookie(c: Context, cookie: SessionCookie, value: string): void {
  setCookie(c, fullName(c, cookie), value, { ...attributesOf(c, cookie), maxAge: cookie.maxAgeMs / 1000 });
}

export function clearCookie(c: Context, cookie: SessionCookie): void {
  deleteCookie(c, fullName(c, cookie), attributesOf(c, cookie));
}

function fullName(c: Context, { name }: SessionCookie): string {
  return isHttps(c) ? `__Host-${name}` : name;
}

function attributesOf(c: Context, { sameSite }: SessionCookie) {
  return { path: "/", httpOnly: true, secure: isHttps(c), sameSite } as const;
}

function isHttps(c: Context): boolean {
  return new URL(c.req.url).protocol === "https:";
}
