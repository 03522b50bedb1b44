/** Reads the budgets that count for the rows of the tables, which the copy does not have. */
import type { Context } from "hono";
import type { BudgetScope } from "../../ledger/budget.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { type ParsedBudget, parseBudget } from "../../wire/budget.ts";
import { callerOf, type PageEnv } from "../kit/session.ts";

/** Asks the object once for all rows. A refusal leaves the rows without budgets. */
export async function readRowBudgets(c: Context<PageEnv>, rows: readonly BudgetScope[]): Promise<ParsedBudget[]> {
  if (rows.length === 0) return [];
  const budgets = await enterpriseStub(c.env, c.var.session).budgetsOfEach(callerOf(c.var.session), rows);
  return isRefusal(budgets) ? [] : budgets.map(parseBudget);
}
