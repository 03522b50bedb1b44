/**
 * The journal of everything but debits: what happened, when, and by whom, in the words and shapes that readers get.
 * Amounts are micros, times ISO 8601 in UTC. An entry is written once and never changed.
 */
import type { BillingModel, GrantSource } from "./books.ts";
import type { Micros } from "./micros.ts";
import type { Plan } from "./plans.ts";
import type { AtMs } from "./time.ts";

export type EntryFacts =
  | {
      type: "cycle_started";
      starts_at: string;
      ends_at: string;
      allowance_micros: Micros;
      time_zone: string;
      /** The use of the cycle that ended; null for the first. */
      previous: { starts_at: string; used_micros: Micros; spend_micros: Micros } | null;
    }
  | {
      type: "grant_added";
      grant: string;
      amount_micros: Micros;
      source: GrantSource;
      expires_at: string | null;
      debt_paid_micros: Micros;
    }
  | { type: "grant_expired"; grant: string; amount_micros: Micros }
  | { type: "grant_voided"; grant: string; amount_micros: Micros }
  | { type: "debt_written_off"; amount_micros: Micros; cycle_starts_at: string }
  | { type: "cap_changed"; from_micros: Micros | null; to_micros: Micros | null }
  | {
      type: "plan_changed";
      from_plan: Plan;
      to_plan: Plan;
      /** The allowance of the settings, before and after. */
      from_micros: Micros;
      to_micros: Micros;
      /** What counts in the running cycle. */
      allowance_micros: Micros;
      debt_paid_micros: Micros;
    }
  | { type: "billing_model_changed"; from: BillingModel; to: BillingModel }
  | { type: "run_closed"; run: string; credits_micros: Micros; usd_micros: Micros };

/** Who caused an entry: "operator", "key:…", "user:…", or "clock" for what time itself brought. */
export type By = string;
export const BY_CLOCK: By = "clock";

export type NewEntry = { atMs: AtMs; by: By; facts: EntryFacts };

/** An entry with its place in the journal. */
export type Entry = NewEntry & { seq: number };

export function isoOf(atMs: AtMs): string {
  return new Date(atMs).toISOString();
}

export function isoOrNull(atMs: AtMs | null): string | null {
  return atMs === null ? null : isoOf(atMs);
}
