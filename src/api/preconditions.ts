/**
 * Checks that run before every route: the deployment's secrets must be strong enough, and the connection must be
 * encrypted unless it stays on this machine (rule R16).
 */
import type { Context } from "hono";
import { weakSecrets } from "../access/secrets.ts";
import { isSecureTransport, isUsuallySecure } from "../access/transport.ts";
import { problem } from "./problem.ts";

/**
 * Refuses every request with 503 while a secret is missing or too short; otherwise returns null. This includes
 * /healthz, so that a health check detects the mistake. The log names the secret.
 */
export function refuseWithoutSecrets(c: Context<{ Bindings: Env }>): Response | null {
  const weak = weakSecrets(c.env);
  if (weak.length === 0) return null;
  console.error(JSON.stringify({ event: "misconfigured", weak }));
  return problem(c, "misconfigured");
}

/**
 * Redirects GET and HEAD requests over plain http to https, and refuses other methods over plain http. Returns null for
 * all other requests. Plain http on this machine is allowed. A request such as `OPTIONS *` has no URL and matches no
 * route. It passes this check, and the router responds as for any unknown path.
 */
export function refusePlainHttp(c: Context): Response | null {
  const text = c.req.url;
  if (isUsuallySecure(text)) return null;
  const url = URL.parse(text);
  if (url === null || isSecureTransport(url)) return null;
  if (c.req.method !== "GET" && c.req.method !== "HEAD") return problem(c, "https_required");
  url.protocol = "https:";
  return c.redirect(url.href, 308);
}
