/** The budgets of an enterprise: the operator may do what its admins may. */
import { Hono } from "hono";
import type { Dimension } from "../../ledger/dimensions.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { parseBudget } from "../../wire/budget.ts";
import {
  BudgetForm,
  BudgetTable,
  BudgetTabs,
  parseBudgetForm,
  parseKey,
  parseTab,
  RemoveQuestion,
  valuesOf,
} from "../kit/budgets.tsx";
import { errorsOfRefusal, type Form, readForm } from "../kit/form.tsx";
import { mayOpen } from "./access.ts";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/budgets";
const PAGE_ROWS = 100;

export const enterpriseBudgets = new Hono<OperatorEnv>()
  .get(PATH, async (c) => {
    const key = parseKey(c.req.query());
    const budget = key === null ? null : await findBudget(c, key);
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
    const budget = key === null ? null : await findBudget(c, key);
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
  const after = parseKey({ of: tab, id: c.req.query("after_id"), period: c.req.query("after_period") });
  const page = { dimension: tab, after, limit: PAGE_ROWS };
  const listed = await enterpriseStub(c.env, c.var.address).budgets(c.var.caller, page);
  if (isRefusal(listed)) return operatorProblem(c, "not_found");
  const rows = listed.slice(0, PAGE_ROWS).map(parseBudget);
  const last = listed.length > PAGE_ROWS ? rows.at(-1) : undefined;
  const path = tabHref(identity.id, "budgets");
  const editable = mayOpen(c.var.caller, `POST ${PATH}`);
  const children = (
    <>
      <BudgetTabs path={path} tab={tab} />
      <BudgetTable
        path={path}
        title={`Budgets of ${tab}s`}
        rows={rows}
        timeZone={settings.timeZone}
        editable={editable}
        empty={`No budget is set: nothing but the balance limits a ${tab}.`}
      />
      {last !== undefined && (
        <p>
          <a href={`${path}?${new URLSearchParams({ of: tab, after_id: last.id, after_period: last.period })}`}>
            Show the next ones
          </a>
        </p>
      )}
      {editable && <BudgetForm path={path} tab={tab} form={form} unit={gauge.unit} enterprise={identity.id} />}
    </>
  );
  return enterprisePage(c, "budgets", children, status);
}

async function findBudget(c: OperatorContext, key: NonNullable<ReturnType<typeof parseKey>>) {
  const rows = await enterpriseStub(c.env, c.var.address).budgetsOf(c.var.caller, key);
  const found = isRefusal(rows) ? undefined : rows.find(({ period, inherited }) => period === key.period && !inherited);
  return found === undefined ? null : parseBudget(found);
}
