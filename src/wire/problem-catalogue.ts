/**
 * The catalogue of problems: every stable code, its HTTP status, what happened and what the caller can do. HTTP answers,
 * items of a batch, socket messages, HTML pages, the OpenAPI document and docs/errors.md are all made from it. A code
 * without an entry does not compile. This file is long because it has every code.
 */
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { type AccessRefusalCode, RETRY_AFTER_SECONDS } from "../access/refusals.ts";
import type { Refusal } from "../ledger/refusals.ts";

/** Codes that concern the request itself, or a failure, rather than the caller or the ledger. */
export type BorderCode =
  | "malformed_json"
  | "method_not_allowed"
  | "body_too_large"
  | "unsupported_media_type"
  | "upgrade_required"
  | "https_required"
  | "misconfigured"
  | "internal"
  | "ledger_busy"
  | "price_book_conflict"
  | "plan_in_use"
  | "plans_conflict"
  | "copy_unavailable"
  | "filtered_too_early";

export type ProblemCode = Refusal["code"] | AccessRefusalCode | BorderCode;

export type ProblemEntry = {
  status: ContentfulStatusCode;
  title: string;
  /** What happened, as a sentence. Together with `remedy` it is also the `detail` of an answer without numbers. */
  meaning: string;
  /** What the caller can do about it, as a sentence. */
  remedy: string;
  /** The value of the Retry-After header; absent when waiting does not help. */
  retryAfterSeconds?: number;
};

/** Ordered by status, as docs/errors.md lists them. */
export const PROBLEMS: Record<ProblemCode, ProblemEntry> = {
  malformed_json: {
    status: 400,
    title: "Malformed JSON",
    meaning: "The body is not valid JSON.",
    remedy: "Fix the body.",
  },
  key_missing: {
    status: 401,
    title: "Key missing",
    meaning: "The request has no `Authorization` header, and no session that is still valid.",
    remedy: "Send `Authorization: Bearer KEY`, or sign in again.",
  },
  key_invalid: {
    status: 401,
    title: "Key invalid",
    meaning: "This deployment does not know the key.",
    remedy: "Check the key, or ask the operator for a new one.",
  },
  key_expired: {
    status: 401,
    title: "Key expired",
    meaning: "The key or embed token has expired.",
    remedy: "Use a new one.",
  },
  key_revoked: {
    status: 401,
    title: "Key revoked",
    meaning: "The key was revoked, or the embed token was ended.",
    remedy: "Use another one.",
  },
  credits_exhausted: {
    status: 402,
    title: "Credits exhausted",
    meaning: "No credits are available.",
    remedy: "Wait until `resets_at`, or get more credits at `upgrade_url`.",
  },
  insufficient_credits: {
    status: 402,
    title: "Insufficient credits",
    meaning: "The hold is larger than `available_micros`.",
    remedy: "Ask for a smaller hold, or get more credits at `upgrade_url`.",
  },
  spend_cap_reached: {
    status: 402,
    title: "Spend cap reached",
    meaning: "The monthly spend cap is reached, or it leaves less than the hold needs.",
    remedy: "Raise the cap, or ask for a smaller hold.",
  },
  budget_exhausted: {
    status: 402,
    title: "Budget exhausted",
    meaning: "A budget of the run's workspace, group or user has too little left; `budget` names it.",
    remedy: "Wait until `resets_at`, ask for a smaller hold, or ask an admin to raise the budget.",
  },
  scope_denied: {
    status: 403,
    title: "Permission denied",
    meaning: "The key, token or session does not have the scope that this request needs.",
    remedy: "Use a key with that scope.",
  },
  enterprise_suspended: {
    status: 403,
    title: "Enterprise suspended",
    meaning: "The enterprise is suspended, so no new run can start.",
    remedy: "Ask the operator to resume it.",
  },
  https_required: {
    status: 403,
    title: "HTTPS required",
    meaning: "The request was sent over plain http, where others can read its key.",
    remedy: "Send it over https, and replace the key.",
  },
  origin_not_allowed: {
    status: 403,
    title: "Origin not allowed",
    meaning: "The embed token or session was used by a page of another origin.",
    remedy: "Make an embed token for this page's origin.",
  },
  csrf_failed: {
    status: 403,
    title: "Form from another site",
    meaning: "The form was not sent from a page of this site, so nothing was changed.",
    remedy: "Open the page on this site and send its form.",
  },
  not_found: {
    status: 404,
    title: "Not found",
    meaning: "Nothing exists at this address, or you may not see it.",
    remedy: "Check the address.",
  },
  referral_code_unknown: {
    status: 404,
    title: "Referral code unknown",
    meaning: "No enterprise has this referral code.",
    remedy: "Check the code.",
  },
  method_not_allowed: {
    status: 405,
    title: "Method not allowed",
    meaning: "This address does not support the request's method.",
    remedy: "Use a method that the `Allow` header lists.",
  },
  run_attribution_conflict: {
    status: 409,
    title: "Run attribution conflict",
    meaning: "The run is already known with another workspace, user or surface.",
    remedy: "Send the same attribution as before, or use a new run id.",
  },
  run_closed: {
    status: 409,
    title: "Run closed",
    meaning: "Every meter of the run is final.",
    remedy: "Start a new run.",
  },
  price_book_conflict: {
    status: 409,
    title: "Price book conflict",
    meaning: "The price book has changed since the `version` that the request names.",
    remedy: "Read the current book, apply your change to it, and send its `version`.",
  },
  plan_in_use: {
    status: 409,
    title: "Plan in use",
    meaning: "An enterprise still has a plan that the new catalogue leaves out.",
    remedy: "Keep the plan, or give that enterprise another plan first.",
  },
  plans_conflict: {
    status: 409,
    title: "Plans conflict",
    meaning: "The catalogue of plans has changed since the `version` that the request names.",
    remedy: "Read the current catalogue, apply your change to it, and send its `version`.",
  },
  grant_conflict: {
    status: 409,
    title: "Grant conflict",
    meaning: "A grant with this id already exists with different contents.",
    remedy: "Use a new grant id.",
  },
  too_many_grants: {
    status: 409,
    title: "Too many grants",
    meaning: "The enterprise has 10,000 grants with something left, which is the limit.",
    remedy: "Wait until some are used up or have expired, or void some. Then send the request again.",
  },
  already_referred: {
    status: 409,
    title: "Already referred",
    meaning: "This enterprise has already been referred.",
    remedy: "Do not retry: an enterprise can be referred once.",
  },
  too_many_keys: {
    status: 409,
    title: "Too many keys",
    meaning: "The enterprise has 1,000 keys that are neither revoked nor expired.",
    remedy: "Revoke keys that are no longer used, or give keys an expiry.",
  },
  too_many_channels: {
    status: 409,
    title: "Too many channels",
    meaning: "The enterprise has 50 channels, which is the limit.",
    remedy: "Remove a channel that is no longer used.",
  },
  email_not_configured: {
    status: 409,
    title: "Email not configured",
    meaning: "This deployment cannot send emails.",
    remedy: "Use another kind of channel, or ask the operator to set up the `EMAIL` binding and `EMAIL_FROM`.",
  },
  too_many_budgets: {
    status: 409,
    title: "Too many budgets",
    meaning: "The enterprise has 5,000 budgets, which is the limit.",
    remedy: "Remove budgets that are no longer needed, or use a default (`*`) for a whole dimension.",
  },
  not_byom: {
    status: 409,
    title: "Spend cap not available",
    meaning: "Only an enterprise that brings its own model has a spend cap.",
    remedy: "Do not retry: this enterprise uses credits.",
  },
  enterprise_deleted: {
    status: 409,
    title: "Enterprise deleted",
    meaning: "An enterprise with this id was deleted less than 35 days ago.",
    remedy: "Use another id, or wait until the 35 days are over.",
  },
  run_too_old: {
    status: 410,
    title: "Run too old",
    meaning: "The run started more than 35 days ago.",
    remedy: "Do not retry: the run can no longer be charged.",
  },
  link_invalid: {
    status: 410,
    title: "Link no longer valid",
    meaning: "The sign-in or confirmation link has expired or is not valid.",
    remedy: "Ask for a new link; a sign-in link works for five minutes.",
  },
  link_used: {
    status: 410,
    title: "Sign-in link already used",
    meaning: "The sign-in link has already been used.",
    remedy: "Ask for a new link; a link works once.",
  },
  cursor_expired: {
    status: 410,
    title: "Cursor expired",
    meaning: "The cursor is older than 90 days, or the enterprise was restored to an earlier time after it was issued.",
    remedy: "Export everything again, without a cursor.",
  },
  body_too_large: {
    status: 413,
    title: "Body too large",
    meaning: "The body is larger than 1,048,576 bytes.",
    remedy: "Send smaller batches.",
  },
  unsupported_media_type: {
    status: 415,
    title: "Unsupported media type",
    meaning: "The request does not declare its body as JSON.",
    remedy: "Send `Content-Type: application/json`.",
  },
  region_unavailable: {
    status: 422,
    title: "Region not available",
    meaning: "This deployment has no database in that jurisdiction.",
    remedy: "Choose another region, or bind a database for it: see docs/operate.md.",
  },
  validation_failed: {
    status: 422,
    title: "Validation failed",
    meaning: "One or more fields are invalid; `errors` lists each as `{path, message}`.",
    remedy: "Fix these fields.",
  },
  unknown_model: {
    status: 422,
    title: "Unknown model",
    meaning: "The price book has no price for the model.",
    remedy: "Add the model, or an entry `*`, to the price book.",
  },
  too_many_models: {
    status: 422,
    title: "Too many models",
    meaning: "The run already has 1,000 meters, which are its models and their tiers.",
    remedy: "Report this usage under another run.",
  },
  started_in_future: {
    status: 422,
    title: "Started in the future",
    meaning: "`started_at` is more than 5 minutes in the future.",
    remedy: "Correct the sender's clock.",
  },
  charge_too_large: {
    status: 422,
    title: "Charge too large",
    meaning: "An amount or a sum would exceed 2^53−1 micros.",
    remedy: "Check the totals and amounts that you send.",
  },
  self_referral: {
    status: 422,
    title: "Self-referral",
    meaning: "An enterprise cannot refer itself.",
    remedy: "Use another enterprise's referral code.",
  },
  clock_backwards: {
    status: 422,
    title: "Clock backwards",
    meaning: "A test clock only moves forward.",
    remedy: "Send a later time.",
  },
  not_a_test_clock: {
    status: 422,
    title: "Not a test clock",
    meaning: "The enterprise follows the real clock, which cannot be moved.",
    remedy: "Create an enterprise with a `test_clock`.",
  },
  filtered_too_early: {
    status: 422,
    title: "Filtered too early",
    meaning: "The question reaches back to usage that an earlier release recorded, which has totals only.",
    remedy: "Ask from `filtered_from` on, or without filters. Kinds and models cannot be read for that time.",
  },
  upgrade_required: {
    status: 426,
    title: "Upgrade required",
    meaning: "This address is a WebSocket.",
    remedy: "Open it with a WebSocket client.",
  },
  rate_limited: {
    status: 429,
    title: "Too many requests",
    meaning: "You sent too many requests.",
    remedy: "Wait `Retry-After` seconds, then retry.",
    retryAfterSeconds: RETRY_AFTER_SECONDS,
  },
  internal: {
    status: 500,
    title: "Internal error",
    meaning: "Fuelgauge has a bug. The error was logged, and nothing was changed.",
    remedy: "Retry later.",
  },
  not_supported: {
    status: 501,
    title: "Not supported",
    meaning: "The platform has no recovery, so an enterprise cannot be taken back to an earlier moment here.",
    remedy: "Do not retry. Local development has no recovery; a deployment on Cloudflare has.",
  },
  ledger_busy: {
    status: 503,
    title: "Ledger busy",
    meaning: "The ledger is restarting, overloaded, or being restored to an earlier moment.",
    remedy: "Wait `Retry-After` seconds, then retry.",
    retryAfterSeconds: 1,
  },
  copy_unavailable: {
    status: 503,
    title: "Copy unavailable",
    meaning: "The copy that lists and charts are read from cannot be reached, or it is incomplete and being rebuilt.",
    remedy: "Wait `Retry-After` seconds, then retry. The gauge, receipts and debits do not need the copy.",
    retryAfterSeconds: 5,
  },
  misconfigured: {
    status: 503,
    title: "Misconfigured deployment",
    meaning: "A secret of this deployment is missing or too short, so it accepts nothing.",
    remedy: "Ask the operator to set secrets of at least 32 characters. The log names the one at fault.",
  },
};
