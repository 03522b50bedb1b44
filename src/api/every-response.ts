/**
 * What every request and response passes: the security headers and the limit of a body's size. Both are computed once.
 * Agents send most requests to two routes, so these answer with answerText(), which sets all headers in one step.
 */
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { problem } from "./problem.ts";

const MAX_BODY_BYTES = 1_048_576;

/** Pages may load resources only from this host, may not use inline scripts or styles, and may not be framed. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const SECURITY_HEADERS: readonly (readonly [name: string, value: string])[] = [
  ["Content-Security-Policy", CONTENT_SECURITY_POLICY],
  ["Cross-Origin-Opener-Policy", "same-origin"],
  ["Cross-Origin-Resource-Policy", "same-origin"],
  ["Origin-Agent-Cluster", "?1"],
  ["Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"],
  // With "no-referrer", browsers would send `Origin: null` with our own forms.
  ["Referrer-Policy", "same-origin"],
  ["Strict-Transport-Security", "max-age=15552000; includeSubDomains"],
  ["X-Content-Type-Options", "nosniff"],
  ["X-DNS-Prefetch-Control", "off"],
  ["X-Download-Options", "noopen"],
  ["X-Frame-Options", "DENY"],
  ["X-Permitted-Cross-Domain-Policies", "none"],
  ["X-XSS-Protection", "0"],
];

const JSON_HEADERS = new Headers([["Content-Type", "application/json"], ...SECURITY_HEADERS] as [string, string][]);

/** Responses that were made with all security headers. */
const complete = new WeakSet<Response>();

/** Adds the security headers to every response that does not have them yet. */
export const securityHeaders: MiddlewareHandler = async (c, next) => {
  await next();
  if (complete.has(c.res)) return;
  for (const [name, value] of SECURITY_HEADERS) c.res.headers.set(name, value);
};

/** Responds 200 with a text that is JSON already. */
export function answerText(text: string): Response {
  const response = new Response(text, { headers: JSON_HEADERS });
  complete.add(response);
  return response;
}

/**
 * Makes the middleware that refuses a body that is too large, whether the request states its length or not.
 *
 * @param refuse makes the response to such a request
 */
export function limitBody(refuse: (c: Context) => Response | Promise<Response>): MiddlewareHandler {
  const limitByReading = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuse });
  return async (c, next) => {
    if (c.req.method === "GET") return next();
    const { headers } = c.req.raw;
    const length = headers.has("Transfer-Encoding") ? null : headers.get("Content-Length");
    if (length !== null && Number(length) <= MAX_BODY_BYTES) return next();
    try {
      return await limitByReading(c, next);
    } catch {
      // Only reading the body can throw here, when the connection breaks. An incomplete body cannot be parsed.
      return problem(c, "malformed_json");
    }
  };
}
