// Which budgets apply, whether a run fits under them, and what they ask of a run in progress.
import { describe, expect, it } from "vitest";
import { decideAdmission } from "../../src/ledger/admission.ts";
import { refundCharge } from "../../src/ledger/buckets.ts";
import { type Budget, type BudgetState, EVERY_ID, MAX_BUDGETS } from "../../src/ledger/budget.ts";
import {
  budgetAction,
  budgetFor,
  budgetState,
  decideBudget,
  findBudgetShortfall,
  isLimited,
  levelReached,
  scopesOf,
} from "../../src/ledger/budgets.ts";
import { dayEndOf, dayOf } from "../../src/ledger/calendar.ts";
import { decideAction } from "../../src/ledger/debit.ts";
import { addPaid, attributePayments } from "../../src/ledger/debt.ts";
import {
  at,
  books,
  byomBooks,
  codeOf,
  DAY_MS,
  draw,
  granted,
  MARCH,
  meter,
  NOON,
  run,
  start,
} from "../support/books.ts";

const budget = (over: Partial<Budget> = {}): Budget => ({
  dimension: "user",
  id: "u1",
  period: "day",
  limitMicros: 100,
  action: "block",
  unit: "credits",
  ...over,
});
const state = (over: Partial<BudgetState> = {}): BudgetState => ({
  ...budget(),
  inherited: false,
  active: true,
  usedMicros: 0,
  heldMicros: 0,
  resetsAtMs: NOON,
  ...over,
});
const among =
  (...all: Budget[]) =>
  (key: { dimension: string; id: string; period: string }) =>
    all.find(({ dimension, id, period }) => dimension === key.dimension && id === key.id && period === key.period);
const key = { dimension: "user", id: "u1", period: "day" } as const;

describe("the budget of an id", () => {
  it("is its own before the default, and each period has its own", () => {
    const find = among(budget(), budget({ id: EVERY_ID, limitMicros: 7 }), budget({ id: EVERY_ID, period: "cycle" }));
    expect(budgetFor(find, key)?.limitMicros).toBe(100);
    expect(budgetFor(find, { ...key, id: "u2" })?.limitMicros).toBe(7);
    expect(budgetFor(find, { ...key, period: "cycle" })?.id).toBe(EVERY_ID);
    expect(budgetFor(find, { ...key, dimension: "group" })).toBeUndefined();
  });

  it("exempts the id if its limit is null", () => {
    const find = among(budget({ limitMicros: null }), budget({ id: EVERY_ID }));
    expect(isLimited(find, { dimension: "user", id: "u1" })).toBe(false);
    expect(isLimited(find, { dimension: "user", id: "u2" })).toBe(true);
    expect(findBudgetShortfall([state({ limitMicros: null, usedMicros: 500 })], 10)).toBeNull();
  });

  it("keeps its unit, and blocks nothing while the enterprise bills in the other one", () => {
    const sums = { used: { day: 100, cycle: 400 }, heldMicros: 5 };
    const inCredits = budgetState(budget(), "u1", sums, books(), NOON);
    expect(inCredits).toMatchObject({ active: true, usedMicros: 100, heldMicros: 5, inherited: false });
    const inUsd = budgetState(budget({ id: EVERY_ID, period: "cycle" }), "u1", sums, byomBooks(), NOON);
    expect(inUsd).toMatchObject({ active: false, usedMicros: 400, id: "u1", inherited: true });
    expect(findBudgetShortfall([inUsd], 1)).toBeNull();
    expect(budgetAction([inUsd])).toBeNull();
  });
});

it("limits a run by its workspace, its group and its user; without a group, by the group none", () => {
  const ids = { workspace: "w1", group: "g1", user: "u1" };
  expect(scopesOf(ids).map(({ dimension, id }) => [dimension, id])).toEqual([
    ["workspace", "w1"],
    ["group", "g1"],
    ["user", "u1"],
  ]);
  expect(scopesOf({ ...ids, group: null })[1]).toEqual({ dimension: "group", id: "none" });
});

describe("a start", () => {
  it("fits while something is available and the hold fits", () => {
    expect(findBudgetShortfall([state({ usedMicros: 60, heldMicros: 10 })], 30)).toBeNull();
    expect(findBudgetShortfall([state({ usedMicros: 60, heldMicros: 10 })], 31)?.code).toBe("budget_exhausted");
    expect(findBudgetShortfall([state({ usedMicros: 99 })], 0)).toBeNull();
    expect(findBudgetShortfall([state({ usedMicros: 100 })], 0)?.code).toBe("budget_exhausted");
    expect(findBudgetShortfall([state({ limitMicros: 0 })], 0)?.code).toBe("budget_exhausted");
  });

  it("is refused by the budget with the least available, and by the first of equal ones", () => {
    const named = (...states: BudgetState[]) => {
      const refusal = findBudgetShortfall(states, 50);
      return refusal?.code === "budget_exhausted" ? refusal.budget.id : null;
    };
    expect(named(state({ id: "a", usedMicros: 70 }), state({ id: "b", usedMicros: 80 }))).toBe("b");
    expect(named(state({ id: "a", usedMicros: 80 }), state({ id: "b", usedMicros: 80 }))).toBe("a");
    expect(named(state({ id: "a" }), state({ id: "b", usedMicros: 150, action: "warn" }))).toBeNull();
  });

  it("is refused by the balance before a budget", () => {
    const known = { books: books({ cycle: { monthlyUsedMicros: 1_000 } }), run: null, meters: [] };
    const full = () => [state({ usedMicros: 100 })];
    expect(codeOf(decideAdmission(known, start(), NOON, full))).toBe("credits_exhausted");
    expect(codeOf(decideAdmission({ ...known, books: books() }, start(), NOON, full))).toBe("budget_exhausted");
  });

  it("needs room only for what a higher hold adds", () => {
    const hold = { unit: "credits", micros: 40, ttlMs: 1, expiresAtMs: NOON + 1 } as const;
    const known = { books: books({ held: { credits: 40, usd: 0 } }), run: run({ hold }), meters: [] };
    const raise = (holdMicros: number) =>
      codeOf(decideAdmission(known, start({ holdMicros }), NOON, () => [state({ heldMicros: 40 })]));
    expect([raise(40), raise(100), raise(101)]).toEqual(["none", "none", "budget_exhausted"]);
  });
});

describe("a run in progress", () => {
  const action = (states: BudgetState[], over = books()) => decideAction(over, run(), "credits", NOON, states);

  it("stops once nothing is available, and winds down from exactly 95 % used", () => {
    expect(action([state({ usedMicros: 94 })])).toEqual({ action: "continue", reason: null });
    expect(action([state({ usedMicros: 95 })])).toEqual({ action: "wind_down", reason: null });
    expect(action([state({ usedMicros: 60, heldMicros: 40 })])).toEqual({ action: "stop", reason: "budget_exhausted" });
    expect(action([state({ usedMicros: 300, action: "warn" })])).toEqual({ action: "continue", reason: null });
  });

  it("continues while something is left of its hold, and hears the balance's reasons first", () => {
    const hold = { unit: "credits", micros: 1, ttlMs: 1, expiresAtMs: NOON + 1 } as const;
    const full = [state({ usedMicros: 100 })];
    expect(decideAction(books(), run({ hold }), "credits", NOON, full).action).toBe("continue");
    expect(action(full, books({ cycle: { monthlyUsedMicros: 1_000 } })).reason).toBe("credits_exhausted");
  });
});

describe("setting a budget", () => {
  const set = (before: Budget | undefined, limitMicros: number | null, count = 0, id = "u1") =>
    decideBudget(books(), before, { ...key, id }, { limitMicros, action: "block" }, count, "operator", NOON);

  it("records what changes, and nothing if nothing changes", () => {
    expect(granted(set(undefined, 100)).entries).toMatchObject([{ facts: { from: null, to: { limitMicros: 100 } } }]);
    expect(granted(set(budget(), 100)).entries).toEqual([]);
    expect(granted(set(budget({ unit: "usd" }), 100)).entries).toHaveLength(1);
  });

  it("is refused beyond 5,000 budgets, and for a default without a limit", () => {
    expect(codeOf(set(undefined, 1, MAX_BUDGETS))).toBe("too_many_budgets");
    expect(codeOf(set(budget(), 1, MAX_BUDGETS))).toBe("none");
    expect(codeOf(set(undefined, null, 0, EVERY_ID))).toBe("validation_failed");
  });
});

it("announces the highest level that the use has reached", () => {
  expect([0, 74, 75, 89, 90, 100, 900].map((used) => levelReached(100, used))).toEqual([
    null,
    null,
    75,
    75,
    90,
    100,
    100,
  ]);
  expect(levelReached(null, 5)).toBeNull();
  expect(levelReached(0, 5)).toBe(100);
});

describe("the day of a charge", () => {
  it("is the local day in the cycle's zone, of 23 or 25 hours, and ends with the cycle", () => {
    const cycle = { startsAtMs: at("2026-03-01T05:00:00Z"), endsAtMs: at("2026-04-01T04:00:00Z") };
    const york = { ...cycle, timeZone: "America/New_York" };
    const spring = at("2026-03-08T12:00:00Z");
    expect(dayEndOf(york, spring) - dayOf(york, spring)).toBe(23 * 3_600_000);
    const autumn = at("2026-11-01T12:00:00Z");
    const november = { ...york, startsAtMs: at("2026-10-15T04:00:00Z"), endsAtMs: at("2026-11-15T05:00:00Z") };
    expect(dayEndOf(november, autumn) - dayOf(november, autumn)).toBe(25 * 3_600_000);
    // A cycle that starts and ends within local days, because the zone has changed.
    const cut = { startsAtMs: NOON, endsAtMs: NOON + DAY_MS, timeZone: "UTC" };
    expect(dayOf(cut, NOON + 1)).toBe(NOON);
    expect(dayEndOf(cut, NOON + DAY_MS - 1)).toBe(NOON + DAY_MS);
  });

  it("is what a refund undoes: yesterday's charge changes nothing today", () => {
    const yesterday = MARCH + 8 * DAY_MS;
    const draws = [draw("monthly", 30, { dayStartsAtMs: yesterday }), draw("monthly", 20)];
    const of = books({ cycle: { monthlyUsedMicros: 50 } });
    expect(refundCharge(of, draws, 20, NOON)).toMatchObject({ dayMicros: 20, cycleMicros: 20 });
    expect(refundCharge(of, draws, 45, NOON)).toMatchObject({ dayMicros: 20, cycleMicros: 45 });
  });

  it("stays the day of the debt when a payment replaces it", () => {
    const [first, second] = [MARCH, MARCH + DAY_MS];
    const debtor = meter({
      draws: [draw("debt", 10, { dayStartsAtMs: first }), draw("debt", 5, { dayStartsAtMs: second })],
      chargedMicros: 15,
    });
    const payment = draw("grant", 12, { grantId: "g1" });
    const { debts, parts, payments } = attributePayments([payment], debtor.draws);
    expect(payments).toEqual([]);
    expect(addPaid(debts, parts)).toEqual([
      draw("debt", 3, { dayStartsAtMs: second }),
      draw("grant", 10, { grantId: "g1", dayStartsAtMs: first }),
      draw("grant", 2, { grantId: "g1", dayStartsAtMs: second }),
    ]);
  });
});
