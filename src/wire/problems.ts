/**
 * Problems as callers see them: application/problem+json (RFC 9457) with a stable `code`, made from the catalogue. A
 * refusal's detail carries the numbers of the case.
 */
import type { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { AnyRefusal } from "../access/refusals.ts";
import type { FieldError } from "../ledger/refusals.ts";
import { PROBLEMS, type ProblemCode, type ProblemEntry } from "./problem-catalogue.ts";
import { formatIso } from "./time.ts";

export type Problem = Omit<ProblemEntry, "meaning" | "remedy"> & { code: ProblemCode; detail: string };

/** The problem of a code, for answers that carry no numbers of the case. */
export function problemOf(code: ProblemCode): Problem {
  return withDetail(code, `${PROBLEMS[code].meaning} ${PROBLEMS[code].remedy}`);
}

/** A refusal as a problem. */
export function problemOfRefusal(refusal: AnyRefusal): Problem {
  const { code } = refusal;
  if (code === "validation_failed") return withDetail(code, joinErrors(refusal.errors));
  return withDetail(code, `${meaningOf(refusal)} ${PROBLEMS[code].remedy}`);
}

/**
 * Answers with a problem as JSON.
 * @param members what the code carries beside the standard members
 */
export function sendProblem(
  c: Context,
  problem: Problem,
  members: Record<string, unknown> = {},
  headers: Record<string, string> = {},
): Response {
  const { status, title, detail, code } = problem;
  const body = { type: `urn:fuelgauge:problem:${code}`, title, status, detail, code, ...members };
  const json = { "Content-Type": "application/problem+json" };
  return c.body(JSON.stringify(body), status, { ...json, ...problemHeaders(problem), ...headers });
}

/** The headers that an answer with this problem carries, in any format. */
export function problemHeaders({ status, retryAfterSeconds }: Problem): Record<string, string> {
  return {
    ...(status === 401 ? { "WWW-Authenticate": "Bearer" } : {}),
    ...(retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) }),
  };
}

/** How many field errors a problem lists. A body may have very many, and listing all would take more bytes than the body. */
export const MAX_ERRORS = 100;

/** A schema's first issues as field errors. A path is dotted; items of a list are named by their index. */
export function fieldErrors(error: z.core.$ZodError, limit = MAX_ERRORS): FieldError[] {
  const errors = error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code !== "unrecognized_keys") {
      const isMissing = issue.code === "invalid_type" && issue.message.endsWith("received undefined");
      return [{ path: path.join("."), message: isMissing ? "is required" : issue.message }];
    }
    return issue.keys.map((key) => ({ path: [...path, key].join("."), message: "unknown field" }));
  });
  return firstErrors(errors, limit);
}

/** The first errors of a list, and how many more there are. */
export function firstErrors(errors: FieldError[], limit: number): FieldError[] {
  if (errors.length <= limit) return errors;
  return [...errors.slice(0, limit), { path: "", message: `and ${errors.length - limit} more errors` }];
}

function withDetail(code: ProblemCode, detail: string): Problem {
  return { ...PROBLEMS[code], code, detail };
}

function joinErrors(errors: readonly FieldError[]): string {
  return errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
}

/** What happened, with the numbers of the case where the refusal has any. */
function meaningOf(refusal: Exclude<AnyRefusal, { code: "validation_failed" }>): string {
  switch (refusal.code) {
    case "unknown_model":
      return `The price book has no price for the model "${refusal.model}".`;
    case "run_attribution_conflict":
      return `The run is already known with ${refusal.field} "${refusal.known}".`;
    case "run_too_old":
      return `The run started at ${formatIso(refusal.startedAtMs)}, more than 35 days ago.`;
    case "started_in_future":
      return `started_at, ${formatIso(refusal.startedAtMs)}, is more than 5 minutes in the future.`;
    case "insufficient_credits":
      return `The hold is larger than the ${refusal.availableMicros} micros available.`;
    case "spend_cap_reached":
      return `The monthly spend cap leaves ${refusal.availableMicros} micros.`;
    case "budget_exhausted": {
      const { dimension, id, period, limitMicros, usedMicros, heldMicros } = refusal.budget;
      const span = period === "day" ? "today" : "this cycle";
      return `The budget of ${dimension} "${id}" for ${span} is ${limitMicros} micros: ${usedMicros} are used, ${heldMicros} are held.`;
    }
    case "grant_conflict":
      return `A grant "${refusal.id}" already exists with different contents.`;
    case "clock_backwards":
      return `The test clock shows ${formatIso(refusal.clockAtMs)} and only moves forward.`;
    default:
      return PROBLEMS[refusal.code].meaning;
  }
}
