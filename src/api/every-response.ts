/**
 * What every request and response passes: the checks that do not depend on the route, and the security headers, which
 * are computed once. Agents send most requests to two routes, so these answer with answerText(), which sets all headers
 * in one step.
 */
import type { Context, MiddlewareHandler, Next } from "hono";
import { bodyLimit } from "hono/body-limit";
import { refusePlainHttp, refuseWithoutSecrets } from "./preconditions.ts";
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

/** The headers of a response in JSON, and of one that pages of every origin may read. Copying them costs little. */
const JSON_HEADERS = new Headers([["Content-Type", "application/json"], ...SECURITY_HEADERS] as [string, string][]);
const SHARED_JSON_HEADERS = new Headers([...JSON_HEADERS, ["Access-Control-Allow-Origin", "*"]]);

/** The variable of the context with the response that was made with all its headers. */
const COMPLETE = "complete";

/**
 * Makes the middleware that every request passes. It checks what does not depend on the route, and adds the security
 * headers to every response that does not have them yet. It is one middleware, because each further one costs time.
 *
 * @param refuseLarge makes the response to a request whose body is too large
 */
export function everyRequest(refuseLarge: (c: Context) => Response | Promise<Response>): MiddlewareHandler {
  const limitBody = bodyLimit({ maxSize: MAX_BODY_BYTES, onError: refuseLarge });
  return async (c, next) => {
    const refused = refuseWithoutSecrets(c) ?? refusePlainHttp(c);
    if (refused !== null) c.res = refused;
    else if (hasSmallBody(c.req.raw)) await next();
    else await readAtMost(limitBody, c, next);
    if (isComplete(c)) return;
    for (const [name, value] of SECURITY_HEADERS) c.res.headers.set(name, value);
  };
}

/** Whether the response was made by answerText(), which sets all headers. */
export function isComplete(c: Context): boolean {
  return c.get(COMPLETE) === c.res;
}

/**
 * Responds 200 with a text that is JSON already.
 *
 * @param shared whether pages of every origin may read the response
 */
export function answerText(c: Context, text: string, { shared = false } = {}): Response {
  const response = new Response(text, { headers: shared ? SHARED_JSON_HEADERS : JSON_HEADERS });
  c.set(COMPLETE, response);
  return response;
}

/** Whether the request states that its body is small enough. A request that does not state it may be small, too. */
function hasSmallBody({ method, headers }: Request): boolean {
  if (method === "GET") return true;
  const length = headers.has("Transfer-Encoding") ? null : headers.get("Content-Length");
  return length !== null && Number(length) <= MAX_BODY_BYTES;
}

/** Reads the body before the request goes on. Refuses it if it is too large or incomplete. */
async function readAtMost(limitBody: MiddlewareHandler, c: Context, next: Next): Promise<void> {
  try {
    const refused = await limitBody(c, next);
    if (refused instanceof Response) c.res = refused;
  } catch {
    // Only reading the body can throw here, when the connection breaks. An incomplete body cannot be parsed.
    c.res = problem(c, "malformed_json");
  }
}
