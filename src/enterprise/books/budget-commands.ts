/** What the calls of budgets do with the ledger: set and remove a budget, and read how budgets stand. */
import type { Budget, BudgetKey, BudgetScope, BudgetState, BudgetTerms } from "../../ledger/budget.ts";
import { decideBudget, decideBudgetRemoval } from "../../ledger/budgets.ts";
import type { By } from "../../ledger/entries.ts";
import { isRefusal, type Refused, refuse } from "../../ledger/refusals.ts";
import { BudgetChange } from "./budget-change.ts";
import { deleteBudget, putBudget } from "./budget-rows.ts";
import type { Ledger } from "./ledger.ts";

/** Sets a budget. It applies to the next request. */
export function setBudget(
  ledger: Ledger,
  key: BudgetKey,
  terms: BudgetTerms,
  by: By,
): { budget: Budget; created: boolean } | Refused {
  const { budgets } = ledger;
  const before = budgets.find(key);
  const set = ledger.apply((change) => {
    const decided = decideBudget(change.books, before, key, terms, budgets.count, by, change.nowMs);
    if (isRefusal(decided)) return decided;
    change.books = decided.books;
    change.record(decided.entries);
    if (decided.entries.length > 0) putBudget(change.store.sql, decided.budget);
    return { budget: decided.budget, created: before === undefined };
  });
  if (isRefusal(set)) return set;
  budgets.put(set.budget);
  // What was used before may have reached a level of the new limit.
  ledger.apply((change) => change.budgets?.watch(key));
  return set;
}

/** Removes a budget; refuses one that does not exist. */
export function removeBudget(ledger: Ledger, key: BudgetKey, by: By): { removed: true } | Refused {
  const { budgets } = ledger;
  const before = budgets.find(key);
  if (before === undefined) return refuse({ code: "not_found" });
  ledger.apply((change) => {
    const decided = decideBudgetRemoval(change.books, before, by, change.nowMs);
    change.books = decided.books;
    change.record(decided.entries);
    deleteBudget(change.store.sql, key);
  });
  budgets.remove(key);
  return { removed: true };
}

/** Returns the budgets that apply to these ids as they stand now, by period. */
export function budgetStates(ledger: Ledger, scopes: readonly BudgetScope[]): BudgetState[] {
  if (ledger.budgets.none) return [];
  ledger.trySettle();
  const reader = new BudgetChange(ledger.budgets, ledger.sql, ledger.nowMs(), () => ledger.books);
  try {
    const states = ledger.sql.transaction(() => reader.statesOf(scopes));
    reader.keep();
    return states;
  } catch (error) {
    ledger.budgets.recover(error);
    throw error;
  }
}
