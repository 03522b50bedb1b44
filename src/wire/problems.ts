/**
 * How each refusal looks on the wire: its HTTP status, a title, and a sentence with the numbers of the case. One table,
 * complete by its type, for the routes, the items of a batch and the messages of a socket alike.
 */
import type { z } from "@hono/zod-openapi";
import type { AnyRefusal } from "../access/refusals.ts";
import type { FieldError } from "../ledger/refusals.ts";
import { formatIso } from "./time.ts";

export type Problem = { status: number; code: string; title: string; detail: string };

export const REFUSAL_PROBLEMS: Record<AnyRefusal["code"], { status: number; title: string }> = {
  not_found: { status: 404, title: "Not found" },
  key_revoked: { status: 401, title: "Key revoked" },
  key_invalid: { status: 401, title: "Key invalid" },
  scope_denied: { status: 403, title: "Scope denied" },
  validation_failed: { status: 422, title: "Validation failed" },
  unknown_model: { status: 422, title: "Unknown model" },
  run_attribution_conflict: { status: 409, title: "Run attribution conflict" },
  run_too_old: { status: 410, title: "Run too old" },
  started_in_future: { status: 422, title: "Started in the future" },
  charge_too_large: { status: 422, title: "Charge too large" },
  run_closed: { status: 409, title: "Run closed" },
  credits_exhausted: { status: 402, title: "Credits exhausted" },
  insufficient_credits: { status: 402, title: "Insufficient credits" },
  spend_cap_reached: { status: 402, title: "Spend cap reached" },
  enterprise_suspended: { status: 403, title: "Enterprise suspended" },
  grant_conflict: { status: 409, title: "Grant conflict" },
  already_referred: { status: 409, title: "Already referred" },
  self_referral: { status: 422, title: "Self-referral" },
  referral_code_unknown: { status: 404, title: "Referral code unknown" },
  clock_backwards: { status: 422, title: "Clock backwards" },
  not_a_test_clock: { status: 422, title: "Not a test clock" },
  not_byom: { status: 409, title: "Not a bring-your-own-model enterprise" },
  link_used: { status: 410, title: "Link used" },
};

export function problemOf(refusal: AnyRefusal): Problem {
  return { code: refusal.code, ...REFUSAL_PROBLEMS[refusal.code], detail: detailOf(refusal) };
}

/**
 * True for a fault that passes: an object that restarts or has too much to do, or a copy that cannot be asked. What
 * builds the queries wraps what D1 throws, so causes are looked at too.
 */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { overloaded, retryable, message, cause } = error as Error & { overloaded?: boolean; retryable?: boolean };
  return overloaded === true || retryable === true || /\bD1_[A-Z]*ERROR\b/.test(message) || isPassing(cause);
}

/** The faults of a schema as field errors; the path is dotted, items of a list by their index. */
export function fieldErrors(error: z.core.$ZodError): FieldError[] {
  return error.issues.flatMap((issue) => {
    const path = issue.path.map(String);
    if (issue.code !== "unrecognized_keys") return [{ path: path.join("."), message: issue.message }];
    return issue.keys.map((key) => ({ path: [...path, key].join("."), message: "unknown field" }));
  });
}

function detailOf(refusal: AnyRefusal): string {
  switch (refusal.code) {
    case "not_found":
      return "There is nothing at this address that you may see.";
    case "key_revoked":
      return "This key was revoked.";
    case "key_invalid":
      return "This key is not known.";
    case "scope_denied":
      return "This key may not do that.";
    case "validation_failed":
      return refusal.errors.map(({ path, message }) => (path === "" ? message : `${path}: ${message}`)).join("; ");
    case "unknown_model":
      return `The price book in force has no model "${refusal.model}".`;
    case "run_attribution_conflict":
      return `The run is known with ${refusal.field} "${refusal.known}".`;
    case "run_too_old":
      return `The run started at ${formatIso(refusal.startedAtMs)}, more than 35 days ago.`;
    case "started_in_future":
      return `started_at ${formatIso(refusal.startedAtMs)} is more than 5 minutes ahead.`;
    case "charge_too_large":
      return "The charge, or the sum of this cycle, would pass 9007199254740991 micros.";
    case "run_closed":
      return "Every meter of the run is final.";
    case "credits_exhausted":
      return "No credits are available.";
    case "insufficient_credits":
      return `The hold is larger than the ${refusal.availableMicros} micros available.`;
    case "spend_cap_reached":
      return `The spend cap leaves ${refusal.availableMicros} micros.`;
    case "enterprise_suspended":
      return "The enterprise is suspended; no new run starts.";
    case "grant_conflict":
      return `Grant "${refusal.id}" exists with other content.`;
    case "already_referred":
      return "This enterprise was referred before.";
    case "self_referral":
      return "An enterprise cannot refer itself.";
    case "referral_code_unknown":
      return "This referral code is not known.";
    case "clock_backwards":
      return `The clock stands at ${formatIso(refusal.clockAtMs)} and only moves forward.`;
    case "not_a_test_clock":
      return "This enterprise goes by the real clock.";
    case "not_byom":
      return "Only an enterprise that brings its own model has a spend cap.";
    case "link_used":
      return "This sign-in link was used before.";
    default:
      return refusal satisfies never;
  }
}
