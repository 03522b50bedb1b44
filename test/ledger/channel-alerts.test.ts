// When channels are notified: once in a cycle, at exact percentages, whatever the order and the size of the charges.
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import {
  decideBalanceChange,
  decideOutlook,
  nextOutlookAtMs,
  thresholdPassed,
} from "../../src/ledger/channel-alerts.ts";
import { APRIL, books, byomBooks, DAY_MS, grant, NOON } from "../support/books.ts";

/** The books after a decision, with what it said. */
function follow(before: Books, changed: Books, nowMs = NOON) {
  const { alerted, change } = decideBalanceChange({ ...changed, alerted: before.alerted ?? null }, nowMs);
  return { books: { ...changed, alerted }, change };
}

const used = (micros: number, over: Parameters<typeof books>[0] = {}) => {
  const { cycle, ...rest } = books(over);
  const monthlyUsedMicros = Math.min(micros, cycle.allowanceMicros);
  return { ...rest, cycle: { ...cycle, monthlyUsedMicros, debtMicros: micros - monthlyUsedMicros } };
};

const first = (micros = 0) => follow(used(micros), used(micros)).books;

it("starts from the present, and says nothing about the past", () => {
  const { books: started, change } = follow(used(950), used(950));
  expect(change).toMatchObject({ exhausted: false, recovered: false });
  expect(thresholdPassed(change, [50, 90])).toBeNull();
  expect(thresholdPassed(follow(started, used(990)).change, [50, 90, 96, 98])).toBe(98);
});

it("passes each threshold once, in any portions, and exactly at its percentage", () => {
  const amounts = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 30 });
  const thresholds = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 10 });
  fc.assert(
    fc.property(amounts, thresholds, (portions, percents) => {
      let state = first();
      let total = 0;
      const sent: number[] = [];
      for (const portion of portions) {
        const before = total;
        total += portion;
        const next = follow(state, used(total));
        state = next.books;
        const passed = percents.filter((percent) => before < percent * 10 && total >= percent * 10);
        const expected = passed.length === 0 ? null : Math.max(...passed);
        expect(thresholdPassed(next.change, percents)).toBe(expected);
        if (expected !== null) sent.push(expected);
        expect(next.change.exhausted).toBe(before < 1_000 && total >= 1_000);
      }
      expect(new Set(sent).size).toBe(sent.length);
    }),
  );
});

it("does not repeat anything after a refund", () => {
  let state = first();
  for (const [micros, percent] of [
    [800, 75],
    [700, null],
    [800, null],
    [1_000, 100],
    [900, null],
    [1_000, null],
  ] as const) {
    const next = follow(state, used(micros));
    expect(thresholdPassed(next.change, [75, 100])).toBe(percent);
    expect(next.change.recovered).toBe(false);
    state = next.books;
  }
});

it("says that there is credit again after new credit, and then that it is used up again", () => {
  const spent = follow(first(), used(1_000)).books;
  const credit = [grant("g", { amountMicros: 500 })];
  const again = follow(spent, used(1_000, { grants: credit }));
  expect(again.change).toMatchObject({ recovered: true, exhausted: false });
  const gone = [grant("g", { amountMicros: 500, drawnMicros: 500 })];
  const { cycle } = used(1_000);
  const drawn = { ...used(1_000, { grants: gone }), cycle: { ...cycle, bonusUsedMicros: 500 } };
  expect(follow(again.books, drawn).change).toMatchObject({ exhausted: true, recovered: false });
});

it("says with a new cycle that there is credit again, but not if the plan gives none", () => {
  const spent = follow(first(), used(1_000)).books;
  const turned = (allowanceMicros: number) => {
    const { cycle } = used(0);
    const startsAtMs = APRIL;
    return { ...used(0), cycle: { ...cycle, allowanceMicros, startsAtMs, endsAtMs: APRIL + 30 * DAY_MS } };
  };
  expect(follow(spent, turned(1_000), APRIL).change).toMatchObject({ recovered: true });
  expect(follow(spent, turned(0), APRIL).change).toMatchObject({ recovered: false, exhausted: false });
});

it("counts from zero again when the unit changes, and has no percentage without a cap", () => {
  const state = follow(first(), used(800)).books;
  const capped = (spendUsedMicros: number, capMicros: number | null) => {
    const byom = byomBooks({ capMicros });
    return { ...byom, cycle: { ...byom.cycle, spendUsedMicros } };
  };
  const uncapped = follow(state, capped(500, null));
  expect(thresholdPassed(uncapped.change, [1, 75])).toBeNull();
  const set = follow(uncapped.books, capped(500, 500));
  expect(set.change).toMatchObject({ toPercent: 100, exhausted: true });
  expect(follow(set.books, capped(500, null)).change).toMatchObject({ recovered: true });
});

it("speaks of the forecast once a cycle, and never on its first day", () => {
  const early = { ...used(900), alerted: first().alerted };
  const firstDay = { ...early, cycle: { ...early.cycle, startsAtMs: NOON - DAY_MS + 1 } };
  expect(decideOutlook(firstDay as Books, NOON).outlook.onTrack).toBe(false);
  expect(nextOutlookAtMs(firstDay as Books, NOON)).toBe(NOON + 1);
  const once = decideOutlook(early as Books, NOON);
  expect(once.outlook.onTrack).toBe(true);
  expect(decideOutlook({ ...early, alerted: once.alerted } as Books, NOON).outlook.onTrack).toBe(false);
});

it("announces each grant that expires within seven days at most once", () => {
  const soon = grant("soon", { amountMicros: 30, expiresAtMs: NOON + 3 * DAY_MS });
  const later = grant("later", { amountMicros: 50, expiresAtMs: NOON + 20 * DAY_MS });
  const state = follow(used(0, { grants: [soon, later] }), used(0, { grants: [soon, later] })).books;
  const { alerted, outlook } = decideOutlook(state, NOON);
  expect(outlook.expiring).toEqual({ atMs: NOON + 3 * DAY_MS, micros: 30 });
  expect(decideOutlook({ ...state, alerted }, NOON).outlook.expiring).toBeNull();
  // In the next cycle the same grant is not announced again, but the other one is.
  const next = { ...state, alerted: { ...(alerted as NonNullable<typeof alerted>), expiring: false } };
  expect(decideOutlook(next, NOON).outlook.expiring).toBeNull();
  expect(nextOutlookAtMs({ ...next, alerted: { ...next.alerted, onTrack: true } }, NOON)).toBe(NOON + 13 * DAY_MS);
  expect(decideOutlook(next, NOON + 14 * DAY_MS).outlook.expiring).toEqual({ atMs: NOON + 20 * DAY_MS, micros: 50 });
});

it("says recovered when there is credit after a switch of the billing model, so exhausted never comes twice in a row", () => {
  const spent = follow(first(), used(1_000));
  expect(spent.change).toMatchObject({ exhausted: true });
  const switched = follow(spent.books, byomBooks());
  expect(switched.change).toMatchObject({ exhausted: false, recovered: true });
  expect(follow(switched.books, used(1_000)).change).toMatchObject({ exhausted: true, recovered: false });
});
