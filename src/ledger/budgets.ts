/**
 * Budgets (rule R14): what a workspace, a group or a user may be charged on a local day or in a billing cycle. This file
 * decides which budgets apply to a run, whether a run may start under them, and when a run in progress must stop. It
 * does not know where usage and holds are summed: the caller passes these sums in.
 */
import { type Books, NO_GROUP, type Run, unitOf } from "./books.ts";
import {
  BUDGET_LEVELS,
  BUDGET_PERIODS,
  type Budget,
  type BudgetKey,
  type BudgetLevel,
  type BudgetPeriod,
  type BudgetScope,
  type BudgetState,
  type BudgetTerms,
  EVERY_ID,
  MAX_BUDGETS,
} from "./budget.ts";
import { dayEndOf } from "./calendar.ts";
import { DIMENSIONS } from "./dimensions.ts";
import type { By, NewEntry } from "./entries.ts";
import { type Micros, reaches } from "./micros.ts";
import { type Refusal, type Refused, refuse } from "./refusals.ts";
import type { AtMs } from "./time.ts";

const WIND_DOWN_PERCENT = 95;

/** Finds the budget with exactly this key. */
type FindBudget = (key: BudgetKey) => Budget | undefined;

/** What was charged to an id in the current periods, and what active runs hold of it. */
type BudgetSums = { used: Readonly<Record<BudgetPeriod, Micros>>; heldMicros: Micros };

/** The workspace, the group and the user whose budgets limit a run. */
export function scopesOf(run: Pick<Run, "workspace" | "group" | "user">): BudgetScope[] {
  const ids = { workspace: run.workspace, group: run.group ?? NO_GROUP, user: run.user };
  return DIMENSIONS.map((dimension) => ({ dimension, id: ids[dimension] }));
}

/** The budget that applies to an id for a period: its own, else the default; undefined if there is neither. */
export function budgetFor(find: FindBudget, key: BudgetKey): Budget | undefined {
  return find(key) ?? find({ ...key, id: EVERY_ID });
}

/** Whether a budget limits the id for any period. */
export function isLimited(find: FindBudget, scope: BudgetScope): boolean {
  return BUDGET_PERIODS.some((period) => (budgetFor(find, { ...scope, period })?.limitMicros ?? null) !== null);
}

/** A budget as it stands for an id. */
export function budgetState(
  { dimension, period, limitMicros, action, unit, id: ownId }: Budget,
  id: string,
  sums: BudgetSums,
  { cycle, settings }: Pick<Books, "cycle" | "settings">,
  nowMs: AtMs,
): BudgetState {
  return {
    dimension,
    id,
    period,
    limitMicros,
    action,
    unit,
    inherited: ownId !== id,
    active: unit === unitOf(settings.billingModel),
    usedMicros: sums.used[period],
    heldMicros: sums.heldMicros,
    resetsAtMs: period === "cycle" ? cycle.endsAtMs : dayEndOf(cycle, nowMs),
  };
}

/** limit − used − held, which is negative when the limit is passed. Null for an exemption. */
function budgetAvailable({ limitMicros, usedMicros, heldMicros }: BudgetState): number | null {
  return limitMicros === null ? null : limitMicros - usedMicros - heldMicros;
}

/**
 * Refuses a start, or a higher hold, that does not fit a blocking budget; null if it fits all of them. Names the budget
 * with the least available. Of equal ones, the first in the order workspace, group, user, and then day before cycle.
 *
 * @param states the budgets of the run, in that order
 * @param neededMicros what the run would hold in addition
 */
export function findBudgetShortfall(states: readonly BudgetState[], neededMicros: Micros): Refusal | null {
  let least: { state: BudgetState; availableMicros: number } | null = null;
  for (const state of states) {
    const availableMicros = blockingAvailable(state);
    if (availableMicros === null || (least !== null && availableMicros >= least.availableMicros)) continue;
    least = { state, availableMicros };
  }
  if (least === null || (least.availableMicros > 0 && neededMicros <= least.availableMicros)) return null;
  return { code: "budget_exhausted", budget: least.state };
}

/** What the blocking budgets of a run in progress ask of it, once its hold is spent; null if they ask nothing. */
export function budgetAction(states: readonly BudgetState[]): "stop" | "wind_down" | null {
  let windDown = false;
  for (const state of states) {
    const availableMicros = blockingAvailable(state);
    if (availableMicros === null) continue;
    if (availableMicros <= 0) return "stop";
    windDown ||= reaches(state.usedMicros, state.limitMicros ?? 0, WIND_DOWN_PERCENT);
  }
  return windDown ? "wind_down" : null;
}

/** The least that is available under the blocking budgets; null if there are none. */
export function leastAvailable(states: readonly BudgetState[]): number | null {
  const found = states.map(blockingAvailable).filter((availableMicros) => availableMicros !== null);
  return found.length === 0 ? null : Math.min(...found);
}

/** The highest level that the use of a budget has reached; null below the first, and for an exemption. */
export function levelReached(limitMicros: Micros | null, usedMicros: Micros): BudgetLevel | null {
  if (limitMicros === null || usedMicros === 0) return null;
  return BUDGET_LEVELS.find((percent) => reaches(usedMicros, limitMicros, percent)) ?? null;
}

/** Sets a budget to these terms in the current unit. Without a change there is no entry. */
export function decideBudget(
  books: Books,
  before: Budget | undefined,
  key: BudgetKey,
  { limitMicros, action }: BudgetTerms,
  count: number,
  by: By,
  nowMs: AtMs,
): { books: Books; budget: Budget; entries: NewEntry[] } | Refused {
  if (before === undefined && count >= MAX_BUDGETS) return refuse({ code: "too_many_budgets" });
  if (key.id === EVERY_ID && limitMicros === null) {
    const message = "must not be null for the default: delete the default instead";
    return refuse({ code: "validation_failed", errors: [{ path: "limit_micros", message }] });
  }
  const unit = unitOf(books.settings.billingModel);
  const budget: Budget = { ...key, limitMicros, action, unit };
  const same = before?.limitMicros === limitMicros && before.action === action && before.unit === unit;
  if (same) return { books, budget, entries: [] };
  return { budget, ...recordBudget(books, key, before, budget, by, nowMs) };
}

/** Removes a budget. */
export function decideBudgetRemoval(
  books: Books,
  before: Budget,
  by: By,
  nowMs: AtMs,
): { books: Books; entries: NewEntry[] } {
  return recordBudget(books, before, before, undefined, by, nowMs);
}

function recordBudget(
  books: Books,
  { dimension, id, period }: BudgetKey,
  from: Budget | undefined,
  to: Budget | undefined,
  by: By,
  nowMs: AtMs,
): { books: Books; entries: NewEntry[] } {
  const terms = (budget: Budget | undefined) =>
    budget === undefined ? null : { limitMicros: budget.limitMicros, action: budget.action, unit: budget.unit };
  const facts = { type: "budget_changed", dimension, id, period, from: terms(from), to: terms(to) } as const;
  return { books: { ...books, seq: books.seq + 1 }, entries: [{ atMs: nowMs, by, facts }] };
}

/** What is available under a budget that blocks; null for one that does not. */
function blockingAvailable(state: BudgetState): number | null {
  return state.active && state.action === "block" ? budgetAvailable(state) : null;
}
