/**
 * The journal: what happened to the balance, except debits; when, and by whom. An entry is written once and never
 * changed. Entries that are past their retention are removed behind a checkpoint.
 */
import type { BillingModel, GrantSource } from "./books.ts";
import type { BudgetKey, BudgetTerms } from "./budget.ts";
import type { Micros, Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export type EntryFacts =
  | {
      type: "cycle_started";
      startsAtMs: AtMs;
      endsAtMs: AtMs;
      allowanceMicros: Micros;
      timeZone: string;
      /** The use of the cycle that ended; null for the first cycle. */
      previous: { startsAtMs: AtMs; usedMicros: Micros; spendMicros: Micros } | null;
    }
  | {
      type: "grant_added";
      grant: string;
      amountMicros: Micros;
      source: GrantSource;
      expiresAtMs: AtMs | null;
      debtPaidMicros: Micros;
    }
  | { type: "grant_expired"; grant: string; amountMicros: Micros }
  | { type: "grant_voided"; grant: string; amountMicros: Micros }
  | { type: "debt_written_off"; amountMicros: Micros; cycleStartsAtMs: AtMs }
  | { type: "cap_changed"; fromMicros: Micros | null; toMicros: Micros | null }
  /** A budget was set, changed (`from` and `to`) or removed (`to` is null). */
  | ({ type: "budget_changed" } & BudgetKey & {
        from: (BudgetTerms & { unit: Unit }) | null;
        to: (BudgetTerms & { unit: Unit }) | null;
      })
  | {
      type: "plan_changed";
      fromPlan: string;
      toPlan: string;
      /** The allowance of the settings, before and after. */
      fromMicros: Micros;
      toMicros: Micros;
      /** The allowance of the running cycle, which a smaller plan does not lower. */
      allowanceMicros: Micros;
      debtPaidMicros: Micros;
    }
  | {
      type: "price_changed";
      /** The multiplier before and after, in millionths. */
      fromMultiplier: number;
      toMultiplier: number;
      /** How many overrides were added, changed and removed. */
      added: number;
      changed: number;
      removed: number;
    }
  | { type: "billing_model_changed"; from: BillingModel; to: BillingModel }
  | {
      /** Usage that had waited for a price was charged: all meters of one slice that had this name and tier. */
      type: "usage_priced";
      reportedAs: string;
      tier: string;
      model: string;
      meters: number;
      creditsMicros: Micros;
      usdMicros: Micros;
    }
  /** Usage that nothing priced for 400 days was deleted. */
  | { type: "usage_dropped"; reportedAs: string; tier: string; meters: number }
  /** A person's id and name were replaced. The entry does not name the person. */
  | { type: "user_erased"; replacement: string }
  | { type: "run_closed"; run: string; creditsMicros: Micros; usdMicros: Micros }
  | CheckpointFacts;

/** Takes the place of the entries that are past their retention, and holds what they replay to. */
export type CheckpointFacts = {
  type: "checkpoint";
  /** How many entries it replaces. */
  entries: number;
  /** The latest of the cycles that started; null if none did. */
  cycleStartsAtMs: AtMs | null;
  /** Its allowance, at its start and after the changes of the plan. */
  startAllowanceMicros: Micros;
  allowanceMicros: Micros;
  capMicros: Micros | null;
  /** The sums of all grants that were added, of what expired and of what was voided. */
  grantedMicros: Micros;
  expiredMicros: Micros;
  voidedMicros: Micros;
};

/** Who caused an entry: "operator", "agent", "key:…", "user:…", or "clock" for what became due. */
export type By = string;
export const BY_CLOCK: By = "clock";

export type NewEntry = { atMs: AtMs; by: By; facts: EntryFacts };

/** An entry with its place in the journal. */
export type Entry = NewEntry & { seq: number };
