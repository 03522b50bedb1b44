/** What a budget is (rule R14): its key, its terms, and how it stands for one id. The rules are in budgets.ts. */
import type { Dimension } from "./dimensions.ts";
import type { Micros, Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export const BUDGET_PERIODS = ["day", "cycle"] as const;
export type BudgetPeriod = (typeof BUDGET_PERIODS)[number];

export const BUDGET_ACTIONS = ["block", "warn"] as const;
export type BudgetAction = (typeof BUDGET_ACTIONS)[number];

/** The id of the default: it applies to every id of its dimension that has no other budget for that period. */
export const EVERY_ID = "*";
export const MAX_BUDGETS = 5_000;

/** The levels, in percent of the limit, that are announced once per id and period. The highest comes first. */
export const BUDGET_LEVELS = [100, 90, 75] as const;
export type BudgetLevel = (typeof BUDGET_LEVELS)[number];

/** A workspace, a group or a user. */
export type BudgetScope = { dimension: Dimension; id: string };

export type BudgetKey = BudgetScope & { period: BudgetPeriod };

/** What an admin sets. */
export type BudgetTerms = {
  /** Null exempts the id from the default. */
  limitMicros: Micros | null;
  action: BudgetAction;
};

/** A budget. It counts only charges and holds of its unit, which is the unit of the billing model when it was set. */
export type Budget = BudgetKey & BudgetTerms & { unit: Unit };

/** A budget as it stands for one id now. */
export type BudgetState = Budget & {
  /** True for the default, which applies because the id has no other budget for that period. */
  inherited: boolean;
  /** False while the enterprise bills in the other unit: then the budget blocks nothing. */
  active: boolean;
  usedMicros: Micros;
  heldMicros: Micros;
  resetsAtMs: AtMs;
};
