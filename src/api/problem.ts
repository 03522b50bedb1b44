/**
 * Errors as application/problem+json (RFC 9457) with a stable `code`. Refusals of the ledger come through
 * problemOf; what the border itself refuses stands here. A bug is `internal`, and tells the caller nothing more.
 */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { RETRY_AFTER_SECONDS } from "../access/limits.ts";
import type { AnyRefusal } from "../access/refusals.ts";
import type { FieldError } from "../ledger/refusals.ts";
import { isPassing, problemOf } from "../wire/problems.ts";

export const BORDER_PROBLEMS = {
  key_missing: { status: 401, title: "Key missing", detail: "Send Authorization: Bearer KEY." },
  key_invalid: { status: 401, title: "Key invalid", detail: "This key is not known." },
  key_expired: { status: 401, title: "Key expired", detail: "This key has expired." },
  scope_denied: { status: 403, title: "Scope denied", detail: "This key may not do that." },
  origin_not_allowed: {
    status: 403,
    title: "Origin not allowed",
    detail: "This token or session is not for pages of this origin.",
  },
  csrf_failed: { status: 403, title: "Cross-site request", detail: "This form must be sent from its own page." },
  not_found: { status: 404, title: "Not found", detail: "There is nothing at this address that you may see." },
  method_not_allowed: { status: 405, title: "Method not allowed", detail: "See the Allow header." },
  body_too_large: { status: 413, title: "Body too large", detail: "A body holds at most 1048576 bytes." },
  unsupported_media_type: {
    status: 415,
    title: "Unsupported media type",
    detail: "Send Content-Type: application/json.",
  },
  malformed_json: { status: 400, title: "Malformed JSON", detail: "The body cannot be parsed as JSON." },
  upgrade_required: { status: 426, title: "Upgrade required", detail: "Open this address as a WebSocket." },
  rate_limited: { status: 429, title: "Rate limited", detail: "Too many requests; wait as Retry-After says." },
  ledger_busy: { status: 503, title: "Ledger busy", detail: "Try again as Retry-After says." },
  internal: { status: 500, title: "Internal error", detail: "Something went wrong here; it is noted." },
} as const satisfies Record<string, { status: ContentfulStatusCode; title: string; detail: string }>;

export type BorderCode = keyof typeof BORDER_PROBLEMS;

/** Answers that pass say when to come again. */
const RETRY_AFTER: { [code in BorderCode]?: number } = { rate_limited: RETRY_AFTER_SECONDS, ledger_busy: 1 };

export function problem(c: Context, code: BorderCode, headers: Record<string, string> = {}): Response {
  const seconds = RETRY_AFTER[code];
  const retry = seconds === undefined ? {} : { "Retry-After": String(seconds) };
  return respond(c, { code, ...BORDER_PROBLEMS[code] }, {}, { ...retry, ...headers });
}

/** A refusal of the ledger, with the members that its code carries beside the standard ones. */
export function refused(c: Context, refusal: AnyRefusal, extra: Record<string, unknown> = {}): Response {
  const members: Record<string, unknown> = { ...extra };
  if (refusal.code === "validation_failed") members.errors = refusal.errors;
  if ("availableMicros" in refusal) members.available_micros = refusal.availableMicros;
  return respond(c, problemOf(refusal), members, {});
}

export function invalid(c: Context, errors: FieldError[]): Response {
  return refused(c, { code: "validation_failed", errors });
}

/** What was thrown: the framework's own complaints by their status, overload as 503, everything else is a bug. */
export function thrown(error: Error, c: Context): Response {
  if (error instanceof HTTPException) {
    if (error.status === 400) return problem(c, "malformed_json");
    if (error.status === 415) return problem(c, "unsupported_media_type");
    if (error.status === 413) return problem(c, "body_too_large");
  }
  const where = { method: c.req.method, path: c.req.routePath, enterprise: c.get("enterprise") || undefined };
  if (isPassing(error)) {
    console.error(JSON.stringify({ event: "ledger_busy", ...where, error: error.message }));
    return problem(c, "ledger_busy");
  }
  console.error(JSON.stringify({ event: "internal_error", ...where, error: String(error.stack ?? error) }));
  return problem(c, "internal");
}

function respond(
  c: Context,
  { status, code, title, detail }: { status: number; code: string; title: string; detail: string },
  members: Record<string, unknown>,
  headers: Record<string, string>,
): Response {
  const body = { type: `urn:fuelgauge:problem:${code}`, title, status, detail, code, ...members };
  return c.body(JSON.stringify(body), status as ContentfulStatusCode, {
    "Content-Type": "application/problem+json",
    ...(status === 401 ? { "WWW-Authenticate": "Bearer" } : {}),
    ...headers,
  });
}
