/**
 * Checks that run before every route: the deployment's secrets must be strong enough, and the connection must be
 * encrypted unless it stays on this machine (rule R16).
 */
import { createMiddleware } from "hono/factory";
import { weakSecrets } from "../access/secrets.ts";
import { isSecureTransport, isUsuallySecure } from "../access/transport.ts";
import { problem } from "./problem.ts";

/**
 * Responds with 503 to every request while a secret is missing or too short. This includes /healthz, so that a health
 * check detects the mistake. The log names the secret.
 */
export const requireSecrets = createMiddleware<{ Bindings: Env }>(async (c, next) => {
  const weak = weakSecrets(c.env);
  if (weak.length === 0) return next();
  console.error(JSON.stringify({ event: "misconfigured", weak }));
  return problem(c, "misconfigured");
});

/**
 * Redirects GET and HEAD requests over plain http to https, and refuses other methods over plain http. Plain http on
 * this machine is allowed. A request such as `OPTIONS *` has no URL and matches no route. It passes this check, and the
 * router responds as for any unknown path.
 */
export const requireHttps = createMiddleware(async (c, next) => {
  if (isUsuallySecure(c.req.url)) return next();
  const url = URL.parse(c.req.url);
  if (url === null || isSecureTransport(url)) return next();
  if (c.req.method !== "GET" && c.req.method !== "HEAD") return problem(c, "https_required");
  url.protocol = "https:";
  return c.redirect(url.href, 308);
});
