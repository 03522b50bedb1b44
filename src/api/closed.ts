/**
 * What every request passes first: a deployment without strong secrets answers nothing, and nothing is served over a
 * connection that anybody on the way can read (rule R16).
 */
import { createMiddleware } from "hono/factory";
import { weakSecrets } from "../access/secrets.ts";
import { isSecureTransport } from "../access/transport.ts";
import { problem } from "./problem.ts";

/** Answers 503 to everything, /healthz included, so that a health check shows the mistake. The log names the secret. */
export const requireSecrets = createMiddleware<{ Bindings: Env }>(async (c, next) => {
  const weak = weakSecrets(c.env);
  if (weak.length === 0) return next();
  console.error(JSON.stringify({ event: "misconfigured", weak }));
  return problem(c, "misconfigured");
});

/**
 * Over plain http from elsewhere, GET and HEAD are redirected to https, and everything else is refused. A request line
 * such as `OPTIONS *` has no URL, names no route and is answered as such.
 */
export const requireHttps = createMiddleware(async (c, next) => {
  const url = URL.parse(c.req.url);
  if (url === null || isSecureTransport(url)) return next();
  if (c.req.method !== "GET" && c.req.method !== "HEAD") return problem(c, "https_required");
  url.protocol = "https:";
  return c.redirect(url.href, 308);
});
