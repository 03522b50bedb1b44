/**
 * All refusals of the ledger, as plain values with a stable code. A refusal means that a request cannot be met now; it
 * changes nothing. Our own bugs throw instead. How a refusal looks over HTTP is decided in wire/, in one exhaustive
 * table.
 */
import type { BudgetState } from "./budget.ts";
import type { Micros } from "./micros.ts";
import type { AtMs } from "./time.ts";

export type FieldError = { path: string; message: string };

export type Refusal =
  | { code: "not_found" }
  | { code: "validation_failed"; errors: FieldError[] }
  | { code: "unknown_model"; model: string }
  | { code: "too_many_models" }
  | { code: "run_attribution_conflict"; field: "workspace" | "user" | "surface"; known: string }
  | { code: "run_too_old"; startedAtMs: AtMs }
  | { code: "started_in_future"; startedAtMs: AtMs }
  | { code: "charge_too_large" }
  | { code: "run_closed" }
  | { code: "credits_exhausted"; availableMicros: Micros }
  | { code: "insufficient_credits"; availableMicros: Micros }
  | { code: "spend_cap_reached"; availableMicros: Micros }
  /** `budget` is the blocking budget with the least available. */
  | { code: "budget_exhausted"; budget: BudgetState }
  | { code: "too_many_budgets" }
  | { code: "enterprise_suspended" }
  | { code: "grant_conflict"; id: string }
  | { code: "too_many_grants" }
  | { code: "already_referred" }
  | { code: "self_referral" }
  | { code: "referral_code_unknown" }
  | { code: "clock_backwards"; clockAtMs: AtMs }
  | { code: "not_a_test_clock" }
  | { code: "not_byom" }
  | { code: "too_many_channels" }
  | { code: "email_not_configured" }
  | { code: "cursor_expired" }
  | { code: "not_supported" }
  | { code: "region_unavailable" }
  /** Nothing may be added now: try again later. */
  | { code: "ledger_busy" }
  | { code: "enterprise_deleted" };

/** A request that was refused. */
export type Refused = { refusal: Refusal };

export function refuse(refusal: Refusal): Refused {
  return { refusal };
}

/** Distinguishes a refusal, of the ledger or of another layer, from an answer. */
export function isRefusal<T extends object>(value: T): value is Extract<T, { refusal: { code: string } }> {
  return "refusal" in value;
}
