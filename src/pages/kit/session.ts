/**
 * Middleware that protects the pages. A page requires a session. A form that a cookie authorises must come from this
 * site, according to the headers that the browser sets itself (Sec-Fetch-Site, else Origin): this prevents CSRF.
 */
import type { Context } from "hono";
import { createMiddleware } from "hono/factory";
import type { Caller } from "../../access/callers.ts";
import type { AnyRefusal } from "../../access/refusals.ts";
import { clearSession, readSession } from "../../access/session.ts";
import { callerOfToken, type TokenClaims } from "../../access/tokens.ts";
import { renewRestoring } from "../../catalog/restoring.ts";
import { ENTERPRISE_HEADER, REFRESH_HEADER } from "./layout.tsx";
import { problemPage } from "./problem-page.tsx";

export type PageEnv = { Bindings: Env; Variables: { session: TokenClaims } };

/** Forbids caching, so that no shared cache stores a page and none is shown after signing out. */
export const noStore = createMiddleware<PageEnv>(async (c, next) => {
  await next();
  c.header("Cache-Control", "private, no-store");
  c.header("Vary", "HX-Request-Type", { append: true });
});

/** Requires a session, and that the page making the request belongs to the session's enterprise. */
export const requireSession = createMiddleware<PageEnv>(async (c, next) => {
  const session = await readSession(c);
  const page = c.req.header(ENTERPRISE_HEADER);
  if (session === null || (page !== undefined && page !== session.enterprise)) return answerSignedOut(c);
  c.set("session", session);
  await renewRestoring(c.env, c.executionCtx);
  await next();
});

/** For forms that a cookie authorises: refuses a form unless it provably comes from this site. */
export const requireSameOrigin = createMiddleware(async (c, next) => {
  if (originOf(c) !== "same") return problemPage(c, "csrf_failed");
  await next();
});

/**
 * For forms that carry their own proof, such as a sign-in link: refuses only a form known to come from another site.
 */
export const refuseCrossOrigin = createMiddleware(async (c, next) => {
  if (originOf(c) === "other") return problemPage(c, "csrf_failed");
  await next();
});

/** True if htmx requests a part of a page. */
export function isPartial(c: Context): boolean {
  return c.req.header("HX-Request-Type") === "partial";
}

export function callerOf(session: TokenClaims): Caller {
  return callerOfToken(session);
}

/**
 * Answers when the enterprise's object refuses a session: a session that has ended is signed out here too, and otherwise
 * the enterprise does not exist.
 */
export function answerRefused(c: Context<PageEnv>, { code }: AnyRefusal): Response | Promise<Response> {
  if (code !== "key_missing") return problemPage(c, code === "scope_denied" ? code : "not_found");
  // Otherwise the start page would redirect back to the page of a session that no longer exists.
  clearSession(c);
  return answerSignedOut(c);
}

/**
 * Leads to the start page, which says how to sign in. A page that refreshes itself stays as it is, because somebody may
 * be reading it, and says that its controls no longer work.
 */
function answerSignedOut(c: Context): Response | Promise<Response> {
  if (!isPartial(c)) return c.redirect("/", 303);
  if (c.req.header(REFRESH_HEADER) === undefined) c.header("HX-Redirect", "/");
  return c.html(SIGNED_OUT, 401);
}

const SIGNED_OUT = `<hx-partial hx-target="#pill" hx-swap="outerHTML"><a id="pill" class="pill" data-state="out" href="/">Signed out</a></hx-partial><hx-partial hx-target="#signed-out" hx-swap="outerHTML"><p id="signed-out" class="toast" role="alert">You are signed out, so this page no longer changes. <a href="/">Sign in again</a></p></hx-partial>`;

function originOf(c: Context): "same" | "other" | "unknown" {
  const site = c.req.header("Sec-Fetch-Site");
  if (site !== undefined) return site === "same-origin" || site === "none" ? "same" : "other";
  const origin = c.req.header("Origin");
  if (origin === undefined) return "unknown";
  return origin === new URL(c.req.url).origin ? "same" : "other";
}
