/** The budgets of an enterprise: the operator may do what its admins may. */
import { Hono } from "hono";
import type { BudgetKey } from "../../ledger/budget.ts";
import type { Dimension } from "../../ledger/dimensions.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import type { ParsedBudget } from "../../wire/budget.ts";
import { BudgetListView, loadBudget, loadBudgetList } from "../kit/budget-list.tsx";
import { parseBudgetForm, parseKey, parseTab, RemoveQuestion, valuesOf } from "../kit/budgets.tsx";
import { errorsOfRefusal, type Form, readForm } from "../kit/form.tsx";
import { mayOpen } from "./access.ts";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/budgets";

export const enterpriseBudgets = new Hono<OperatorEnv>()
  .get(PATH, async (c) => {
    const key = parseKey(c.req.query());
    const budget = await findBudget(c, key);
    return budgetsPage(c, parseTab(c.req.query("of")), { values: valuesOf(budget, key ?? {}), errors: {} });
  })
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const tab = parseTab(values.of);
    const parsed = parseBudgetForm(values);
    if ("errors" in parsed) return budgetsPage(c, tab, { values, errors: parsed.errors }, 422);
    const set = await enterpriseStub(c.env, c.var.address).putBudget(c.var.caller, parsed.key, parsed.terms);
    if (isRefusal(set)) return budgetsPage(c, tab, { values, errors: errorsOfRefusal(set.refusal, "id") }, 422);
    return c.redirect(`${doneHref(c.var.state, "budgets", "saved")}&of=${tab}`, 303);
  })
  .get(`${PATH}/remove`, async (c) => {
    const key = parseKey(c.req.query());
    const budget = await findBudget(c, key);
    if (budget === null) return operatorProblem(c, "not_found");
    const { id } = c.var.state.identity;
    return enterprisePage(
      c,
      "budgets",
      <RemoveQuestion path={tabHref(id, "budgets")} budget={budget} enterprise={id} />,
    );
  })
  .post(`${PATH}/remove`, async (c) => {
    const key = parseKey(await readForm(c));
    if (key === null) return operatorProblem(c, "not_found");
    const removed = await enterpriseStub(c.env, c.var.address).removeBudget(c.var.caller, key);
    // A budget that somebody else has removed meanwhile is removed as well.
    if (isRefusal(removed) && removed.refusal.code !== "not_found") return operatorProblem(c, "not_found");
    return c.redirect(`${doneHref(c.var.state, "budgets", "saved")}&of=${key.dimension}`, 303);
  });

async function budgetsPage(c: OperatorContext, tab: Dimension, form: Form, status: 200 | 422 = 200) {
  const { identity, gauge, settings } = c.var.state;
  const list = await loadBudgetList(() => enterpriseStub(c.env, c.var.address), c.var.caller, tab, c.req.query());
  if (isRefusal(list)) return operatorProblem(c, "not_found");
  const children = (
    <BudgetListView
      path={tabHref(identity.id, "budgets")}
      list={list}
      form={form}
      unit={gauge.unit}
      timeZone={settings.timeZone}
      enterprise={identity.id}
      editable={mayOpen(c.var.caller, `POST ${PATH}`)}
    />
  );
  return enterprisePage(c, "budgets", children, status);
}

function findBudget(c: OperatorContext, key: BudgetKey | null): Promise<ParsedBudget | null> {
  return loadBudget(enterpriseStub(c.env, c.var.address), c.var.caller, key);
}
