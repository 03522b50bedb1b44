// What the usage bar says of the reader's budgets: the fullest of those that limit them now.
import { expect, it } from "vitest";
import { ownBudget } from "../../src/browser/usage-bar/words.ts";
import type { GaugeJson } from "../../src/wire/gauge.ts";

const CREDIT = 1_000_000;
type Budget = NonNullable<GaugeJson["my_budgets"]>[number];

const budget = (used: number, limit: number | null, over: Partial<Budget> = {}) =>
  ({
    period: "day",
    unit: "credits",
    active: true,
    used_micros: used * CREDIT,
    limit_micros: limit === null ? null : limit * CREDIT,
    ...over,
  }) as Budget;
const said = (...my_budgets: Budget[]) => ownBudget({ my_budgets } as GaugeJson);

it("says what is used of the fullest budget", () => {
  expect(said(budget(12, 50), budget(90, 100, { period: "cycle" }))).toBe("you: 90.0 of 100 this cycle");
  expect(said(budget(12, 50), budget(1, 100, { period: "cycle" }))).toBe("you: 12.0 of 50.0 today");
  expect(said(budget(1, 4, { unit: "usd" }))).toBe("you: $1.00 of $4.00 today");
});

it("takes a budget of nothing as the fullest, although nothing is used of it", () => {
  expect(said(budget(12, 50), budget(0, 0, { period: "cycle" }))).toBe("you: 0 of 0 this cycle");
  expect(said(budget(0, 0), budget(12, 50, { period: "cycle" }))).toBe("you: 0 of 0 today");
});

it("says nothing of an exemption, of a budget in the other unit, and of none", () => {
  expect(said(budget(12, null), budget(9, 10, { active: false }))).toBe("");
  expect(ownBudget({} as GaugeJson)).toBe("");
});
