/**
 * Builds problem responses: for the Worker's own codes, for refusals of the ledger with their extra fields, and for
 * thrown errors. A bug becomes `internal`, and the response reveals nothing more about it.
 */
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { AccessRefusalCode, AnyRefusal } from "../access/refusals.ts";
import type { FieldError } from "../ledger/refusals.ts";
import { noteBusy } from "../operations/busy-counter.ts";
import type { BorderCode } from "../wire/problem-catalogue.ts";
import { problemOf, problemOfRefusal, sendProblem } from "../wire/problems.ts";
import { isCopyError, isTransient } from "../wire/transient.ts";

/** Codes without extra fields. */
type PlainCode = AccessRefusalCode | BorderCode | "not_found";

export function problem(c: Context, code: PlainCode, headers: Record<string, string> = {}): Response {
  return sendProblem(c, problemOf(code), {}, headers);
}

/** Responds with a refusal and the extra fields that its code carries. */
export function refused(c: Context, refusal: AnyRefusal, extra: Record<string, unknown> = {}): Response {
  const members: Record<string, unknown> = { ...extra };
  if (refusal.code === "validation_failed") members.errors = refusal.errors;
  if ("availableMicros" in refusal) members.available_micros = refusal.availableMicros;
  return sendProblem(c, problemOfRefusal(refusal), members);
}

export function invalid(c: Context, errors: FieldError[]): Response {
  return refused(c, { code: "validation_failed", errors });
}

/**
 * Turns a thrown error into a response: the framework's errors by their status, transient failures as 503, bugs as 500.
 */
export function answerError(error: Error, c: Context): Response {
  if (error instanceof HTTPException) {
    if (error.status === 400) return problem(c, "malformed_json");
    if (error.status === 415) return problem(c, "unsupported_media_type");
    if (error.status === 413) return problem(c, "body_too_large");
  }
  const where = { method: c.req.method, path: c.req.routePath, enterprise: c.get("enterprise") || undefined };
  if (isTransient(error)) {
    if (!isCopyError(error)) {
      noteBusy(c, error, where);
      return problem(c, "ledger_busy");
    }
    console.error(JSON.stringify({ event: "copy_unavailable", ...where, error: error.message }));
    return problem(c, "copy_unavailable");
  }
  console.error(JSON.stringify({ event: "internal_error", ...where, error: String(error.stack ?? error) }));
  return problem(c, "internal");
}
