/**
 * Every stable code of a problem: its status, what happened, and what the caller can do. The OpenAPI document and its
 * page are made from it, docs/errors.md shows the same, and a code that is not here does not compile.
 */
import type { AnyRefusal } from "../access/refusals.ts";
import { REFUSAL_PROBLEMS } from "../wire/problems.ts";
import { BORDER_PROBLEMS, type BorderCode } from "./problem.ts";

export type Code = AnyRefusal["code"] | BorderCode;

export const CODES: Record<Code, { what: string; remedy: string }> = {
  malformed_json: { what: "the body is no JSON", remedy: "mend it" },
  key_missing: { what: "no Authorization header", remedy: "send `Authorization: Bearer KEY`" },
  key_invalid: { what: "the key is not one of this deployment", remedy: "get a key" },
  key_expired: { what: "the key or embed token has ended", remedy: "get a new one" },
  key_revoked: { what: "the key has ended", remedy: "get a new one" },
  credits_exhausted: { what: "nothing is available", remedy: "wait for `resets_at`, or upgrade at `upgrade_url`" },
  insufficient_credits: { what: "the hold is larger than `available_micros`", remedy: "hold less, or upgrade" },
  spend_cap_reached: { what: "the cap is spent, or leaves less than the hold", remedy: "raise the cap" },
  scope_denied: { what: "the key or embed token may not do that", remedy: "use a key with the scope" },
  enterprise_suspended: { what: "no new run starts", remedy: "ask the operator" },
  origin_not_allowed: {
    what: "an embed token, or a session, used by a page of another origin",
    remedy: "make a token for this origin",
  },
  csrf_failed: { what: "a form sent from another site", remedy: "send it from its own page" },
  not_found: { what: "nothing there, or not yours", remedy: "check the address" },
  referral_code_unknown: { what: "no such referral code", remedy: "check the code" },
  method_not_allowed: { what: "see `Allow`", remedy: "use another method" },
  run_attribution_conflict: {
    what: "the run is known under another workspace, user or surface",
    remedy: "use a run id of its own",
  },
  run_closed: { what: "every meter of the run is final", remedy: "start a new run" },
  grant_conflict: { what: "the grant exists with other content", remedy: "use a grant id of its own" },
  already_referred: { what: "this enterprise was referred before", remedy: "nothing" },
  not_byom: { what: "only a bring-your-own-model enterprise has a spend cap", remedy: "nothing" },
  run_too_old: { what: "the run started more than 35 days ago", remedy: "nothing: it can no longer be charged" },
  link_used: { what: "the sign-in link was used before", remedy: "ask for a new one" },
  body_too_large: { what: "more than 1,048,576 bytes", remedy: "send smaller batches" },
  unsupported_media_type: { what: "the body is not declared as JSON", remedy: "send `Content-Type: application/json`" },
  validation_failed: { what: "see `errors: [{path, message}]`", remedy: "mend the fields" },
  unknown_model: { what: "the price book lacks the model", remedy: "put a price, or an entry `*`" },
  started_in_future: { what: "`started_at` is over 5 minutes ahead", remedy: "mend the clock" },
  charge_too_large: { what: "an amount would pass 2^53−1 micros", remedy: "mend the totals" },
  self_referral: { what: "an enterprise refers itself", remedy: "nothing" },
  clock_backwards: { what: "a test clock only moves forward", remedy: "move it forward" },
  not_a_test_clock: { what: "the enterprise goes by the real clock", remedy: "nothing" },
  upgrade_required: { what: "the address is a WebSocket", remedy: "open it as one" },
  rate_limited: { what: "too many requests", remedy: "wait `Retry-After` seconds, then retry" },
  internal: { what: "a bug of ours; nothing was changed", remedy: "retry later" },
  ledger_busy: { what: "the ledger restarts or has too much to do", remedy: "wait `Retry-After` seconds, then retry" },
};

export function statusOf(code: Code): number {
  return { ...REFUSAL_PROBLEMS, ...BORDER_PROBLEMS }[code].status;
}
