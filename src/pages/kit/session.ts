/**
 * Who is looking, and whether a form is really theirs. A page wants a session; a form that a cookie authorises must
 * come from a page of this site, as the browser itself says (Sec-Fetch-Site, else Origin).
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { Caller } from "../../access/callers.ts";
import { readSession } from "../../access/session.ts";
import type { TokenClaims } from "../../access/tokens.ts";
import { ENTERPRISE_HEADER } from "./layout.tsx";
import { problemPage } from "./problem-page.tsx";

export type PageEnv = { Bindings: Env; Variables: { who: TokenClaims } };

/** For every page: nothing of it is kept by a shared cache or shown after signing out. */
export const privately = createMiddleware<PageEnv>(async (c, next) => {
  await next();
  c.header("Cache-Control", "private, no-store");
  c.header("Vary", "HX-Request-Type", { append: true });
});

/** Lets in who is signed in; a stranger, or the page of another enterprise than the session's, is led away. */
export const signedIn = createMiddleware<PageEnv>(async (c, next) => {
  const who = await readSession(c);
  const page = c.req.header(ENTERPRISE_HEADER);
  if (who === null || (page !== undefined && page !== who.enterprise))
    return isPartial(c) ? c.html(SIGNED_OUT, 401) : c.redirect("/", 303);
  c.set("who", who);
  await next();
});

/** For forms that a cookie authorises: who cannot show where the form came from is refused. */
export const ownForm = createMiddleware(async (c, next) => {
  if (originOf(c) !== "own") return problemPage(c, "csrf_failed");
  await next();
});

/** For forms that carry their own proof, as a sign-in link does: only a form known to be foreign is refused. */
export const notForeignForm = createMiddleware(async (c, next) => {
  if (originOf(c) === "foreign") return problemPage(c, "csrf_failed");
  await next();
});

/** True when htmx asks for a part of the page. */
export function isPartial(c: Context): boolean {
  return c.req.header("HX-Request-Type") === "partial";
}

export function callerOf(who: TokenClaims): Caller {
  return { kind: "user", user: who.user, role: who.role };
}

const SIGNED_OUT = `<hx-partial hx-target="#pill" hx-swap="outerHTML"><a id="pill" class="pill" data-state="out" href="/settings/usage">Signed out</a></hx-partial>`;

function originOf(c: Context): "own" | "foreign" | "unknown" {
  const site = c.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site === "same-origin" || site === "none" ? "own" : "foreign";
  const origin = c.req.header("Origin");
  if (origin === undefined) return "unknown";
  return origin === new URL(c.req.url).origin ? "own" : "foreign";
}
