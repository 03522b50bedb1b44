/**
 * Reads, sets and clears session cookies. Scripts cannot read these cookies. Over https they are secure cookies whose
 * names start with `__Host-`. Browsers accept that prefix over https only, so http://localhost uses the plain name.
 */
import type { Context } from "hono";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";

export type SessionCookie = {
  name: string;
  /** With "Strict", a browser that follows a link from another site arrives signed out. */
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
