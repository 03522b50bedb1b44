/**
 * /settings/budgets: what users, groups and workspaces may be charged. Admins set, change and remove budgets, and see
 * what blocks now and what has changed. Members see the budgets that count for them. Without JavaScript it works the same.
 */
import { type Context, Hono } from "hono";
import type { FC } from "hono/jsx";
import type { CheckedCopy } from "../../copy/checked-copy.ts";
import { readChanges, readNamePage, readNames } from "../../copy/read.ts";
import type { BudgetKey } from "../../ledger/budget.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import type { Entry } from "../../ledger/entries.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import type { ParsedBudget } from "../../wire/budget.ts";
import { isEntry, parseEntry } from "../../wire/entry.ts";
import { BudgetListView, loadBudget, loadBudgetList } from "../kit/budget-list.tsx";
import {
  BudgetTable,
  nameOf,
  OwnBudgetLines,
  parseBudgetForm,
  parseKey,
  parseTab,
  RemoveQuestion,
  valuesOf,
} from "../kit/budgets.tsx";
import { errorsOfRefusal, type Form, readForm } from "../kit/form.tsx";
import { formatCharge } from "../kit/format.ts";
import { page } from "../kit/layout.tsx";
import { Moment, Name, Unreadable } from "../kit/parts.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { readBlock } from "../kit/read-block.ts";
import { answerRefused, callerOf, type PageEnv, requireSameOrigin, requireSession } from "../kit/session.ts";
import { loadView, type PageView, signedOf } from "../kit/view.ts";

const PATH = "/settings/budgets";
const HISTORY_ROWS = 10;
/** How many of the newest entries are searched for changes of budgets. */
const ENTRIES_READ = 100;
/** How many names the form offers. Every id can be typed. */
const NAMES_OFFERED = 500;

export const budgetPages = new Hono<PageEnv>()
  .get(PATH, requireSession, async (c) => {
    const view = await loadView(c);
    if (isRefusal(view)) return answerRefused(c, view.refusal);
    if (c.var.session.role !== "admin") return memberPage(c, view);
    const tab = parseTab(c.req.query("of"));
    const key = parseKey(c.req.query());
    const budget = await findBudget(c, key);
    return adminPage(c, view, tab, { values: valuesOf(budget, key ?? {}), errors: {} });
  })
  .post(PATH, requireSession, requireSameOrigin, async (c) => {
    if (c.var.session.role !== "admin") return problemPage(c, "scope_denied");
    const view = await loadView(c);
    if (isRefusal(view)) return answerRefused(c, view.refusal);
    const values = await readForm(c);
    const tab = parseTab(values.of);
    if (isForeign(values, view)) return adminPage(c, view, tab, foreignForm(view), 409);
    const parsed = parseBudgetForm(values);
    if ("errors" in parsed) return adminPage(c, view, tab, { values, errors: parsed.errors }, 422);
    const { key, terms } = parsed;
    const set = await enterpriseStub(c.env, c.var.session).putBudget(callerOf(c.var.session), key, terms);
    if (isRefusal(set)) {
      const { refusal } = set;
      if (refusal.code !== "validation_failed" && refusal.code !== "too_many_budgets") return answerRefused(c, refusal);
      return adminPage(c, view, tab, { values, errors: errorsOfRefusal(refusal, "id") }, 422);
    }
    return c.redirect(`${PATH}?${new URLSearchParams({ of: key.dimension, saved: "" })}`, 303);
  })
  .get(`${PATH}/remove`, requireSession, async (c) => {
    if (c.var.session.role !== "admin") return problemPage(c, "scope_denied");
    const view = await loadView(c);
    if (isRefusal(view)) return answerRefused(c, view.refusal);
    const key = parseKey(c.req.query());
    const budget = await findBudget(c, key);
    if (budget === null) return problemPage(c, "not_found");
    const question = <RemoveQuestion path={PATH} budget={budget} enterprise={view.gauge.enterprise} />;
    return budgetsPage(c, view, question);
  })
  .post(`${PATH}/remove`, requireSession, requireSameOrigin, async (c) => {
    if (c.var.session.role !== "admin") return problemPage(c, "scope_denied");
    const view = await loadView(c);
    if (isRefusal(view)) return answerRefused(c, view.refusal);
    const values = await readForm(c);
    const key = parseKey(values);
    if (isForeign(values, view)) return adminPage(c, view, parseTab(values.of), foreignForm(view), 409);
    if (key === null) return problemPage(c, "not_found");
    const removed = await enterpriseStub(c.env, c.var.session).removeBudget(callerOf(c.var.session), key);
    // A budget that somebody else has removed meanwhile is removed as well.
    if (isRefusal(removed) && removed.refusal.code !== "not_found") return answerRefused(c, removed.refusal);
    return c.redirect(`${PATH}?${new URLSearchParams({ of: key.dimension, removed: "" })}`, 303);
  });

function memberPage(c: Context<PageEnv>, view: PageView) {
  const budgets = view.gauge.myBudgets ?? [];
  return budgetsPage(
    c,
    view,
    <>
      <OwnBudgetLines budgets={budgets} />
      <BudgetTable
        path={PATH}
        title="Your budgets"
        rows={budgets}
        timeZone={view.timeZone}
        editable={false}
        empty="No budget limits you. Budgets of your group or workspace may still apply to your runs."
      />
    </>,
  );
}

async function adminPage(
  c: Context<PageEnv>,
  view: PageView,
  tab: Dimension,
  form: Form,
  status: 200 | 409 | 422 = 200,
) {
  const { session } = c.var;
  const copy = readCopy(c.env, c.executionCtx, session, view.copy);
  const [list, history, names] = await Promise.all([
    loadBudgetList(() => enterpriseStub(c.env, session), callerOf(session), tab, c.req.query()),
    readBlock("budget changes", () => readHistory(c, copy)),
    readBlock("names", () => readNamePage(copy, session.enterprise, tab, "", NAMES_OFFERED)),
  ]);
  if (isRefusal(list)) return answerRefused(c, list.refusal);
  const { timeZone, gauge } = view;
  const notice =
    c.req.query("saved") !== undefined
      ? "Saved. It applies to the next request."
      : c.req.query("removed") !== undefined
        ? "Removed."
        : null;
  const children = (
    <>
      {c.req.method === "GET" && notice !== null && (
        <p id="notice" class="notice saved" data-announce="status">
          {notice}
        </p>
      )}
      <BudgetListView
        path={PATH}
        list={list}
        form={form}
        unit={gauge.unit}
        timeZone={timeZone}
        enterprise={gauge.enterprise}
        editable
        names={(names ?? []).slice(0, NAMES_OFFERED)}
      />
      <History changes={history} timeZone={timeZone} />
    </>
  );
  return budgetsPage(c, view, children, status);
}

function budgetsPage(c: Context<PageEnv>, view: PageView, children: unknown, status: 200 | 409 | 422 = 200) {
  return c.html(
    page({
      title: "Budgets",
      signed: signedOf(c, view),
      tab: "budgets",
      children: (
        <>
          <div class="heading">
            <h1>Budgets</h1>
            <p class="muted">
              A budget limits what a user, a group or a workspace may be charged in a day or a cycle. A run starts only
              if all of them have room.
            </p>
          </div>
          {children as never}
        </>
      ),
    }),
    status,
  );
}

type BudgetChanged = Entry & { facts: Extract<Entry["facts"], { type: "budget_changed" }> };

/** A change, and what the directory calls the id that the budget limits. */
type NamedChange = BudgetChanged & { name: string };

const History: FC<{ changes: NamedChange[] | null; timeZone: string }> = ({ changes, timeZone }) => (
  <section class="card" aria-labelledby="history-title">
    <h2 id="history-title">Changes</h2>
    {changes === null ? (
      <Unreadable what="The changes" retry={PATH} />
    ) : changes.length === 0 ? (
      <p class="muted">No budget has been changed yet.</p>
    ) : (
      <ul class="plain">
        {changes.map(({ atMs, by, facts, name }) => (
          <li>
            <Moment atMs={atMs} timeZone={timeZone} /> · {nameOf({ ...facts, name })},{" "}
            {facts.period === "day" ? "a day" : "a cycle"}: {termsText(facts.from)} → {termsText(facts.to)}{" "}
            <small class="muted">
              by <Name>{by}</Name>
            </small>
          </li>
        ))}
      </ul>
    )}
  </section>
);

function termsText(terms: BudgetChanged["facts"]["to"]): string {
  if (terms === null) return "none";
  if (terms.limitMicros === null) return "exempt";
  return `${formatCharge(terms.limitMicros, terms.unit)}${terms.action === "warn" ? ", only alerts" : ""}`;
}

/** Merges the copy's entries with the ledger's newest ones, so that a change made just now is not missing. */
async function readHistory(c: Context<PageEnv>, copy: CheckedCopy): Promise<NamedChange[]> {
  const { session } = c.var;
  const [copied, entries] = await Promise.all([
    readChanges(copy, session.enterprise, ENTRIES_READ),
    enterpriseStub(c.env, session).entries(callerOf(session), MAX_MICROS, ENTRIES_READ),
  ]);
  const newest = isRefusal(entries) ? [] : entries.filter(isEntry).map(parseEntry);
  const bySeq = new Map([...copied, ...newest].map((entry) => [entry.seq, entry]));
  const changes = [...bySeq.values()]
    .filter((entry): entry is BudgetChanged => entry.facts.type === "budget_changed")
    .sort((a, b) => b.seq - a.seq)
    .slice(0, HISTORY_ROWS);
  const idsOf = (dimension: Dimension) =>
    changes.flatMap(({ facts }) => (facts.dimension === dimension ? facts.id : []));
  const names = Object.fromEntries(
    await Promise.all(
      DIMENSIONS.map(async (each) => [each, await readNames(copy, session.enterprise, each, idsOf(each))] as const),
    ),
  );
  return changes.map((entry) => ({
    ...entry,
    name: names[entry.facts.dimension]?.get(entry.facts.id) ?? entry.facts.id,
  }));
}

function findBudget(c: Context<PageEnv>, key: BudgetKey | null): Promise<ParsedBudget | null> {
  return loadBudget(enterpriseStub(c.env, c.var.session), callerOf(c.var.session), key);
}

/** Whether another tab has signed in to another enterprise since the form was shown. */
function isForeign({ enterprise }: Record<string, string>, { gauge }: PageView): boolean {
  return enterprise !== undefined && enterprise !== gauge.enterprise;
}

function foreignForm({ gauge }: PageView): Form {
  const text = `You are now signed in to ${gauge.name}, but the form belonged to another enterprise.`;
  return { values: {}, errors: { "": text } };
}
