// Rule R3: where a charge is drawn from.
import { describe, expect, it } from "vitest";
import type { Books, Draw } from "../../src/ledger/books.ts";
import { bonusRemaining, drawCharge, monthlyRemaining } from "../../src/ledger/buckets.ts";
import { findGrant } from "../../src/ledger/grant-list.ts";
import { APRIL, books, DAY_MS, draw, grant, grantDraw, MARCH, NOON } from "../support/books.ts";

const FEBRUARY = MARCH - 28 * DAY_MS;
const charge = (from: Books, micros: number, draws: readonly Draw[] = []) =>
  drawCharge(from, draws, "credits", micros, NOON);
const left = (of: Books, id: string) => {
  const found = findGrant(of.grants, id);
  return found === null ? null : found.amountMicros - found.drawnMicros;
};

describe("a charge", () => {
  it("draws on the allowance first and leaves the bonus alone", () => {
    const { books: after, draws } = charge(books({ grants: [grant("g1")] }), 400);
    expect(draws).toEqual([draw("monthly", 400)]);
    expect(monthlyRemaining(after)).toBe(600);
    expect(left(after, "g1")).toBe(100);
  });

  it("draws on the bonus only when the allowance is gone, to the micro", () => {
    const { books: after, draws } = charge(books({ grants: [grant("g1")] }), 1_001);
    expect(draws).toEqual([draw("monthly", 1_000), grantDraw("g1", 1)]);
    expect(after.cycle).toMatchObject({ monthlyUsedMicros: 1_000, bonusUsedMicros: 1, debtMicros: 0 });
  });

  it("becomes debt if nothing covers it", () => {
    const { books: after, draws } = charge(books({ grants: [grant("g1")] }), 1_150);
    expect(draws).toEqual([draw("monthly", 1_000), grantDraw("g1", 100), draw("debt", 50)]);
    expect(after.cycle.debtMicros).toBe(50);
    expect(bonusRemaining(after, NOON)).toBe(0);
  });

  it("of nothing draws nothing", () => {
    expect(charge(books(), 0).draws).toEqual([]);
  });

  it("adds to the meter's latest draw while it is on the same bucket", () => {
    const first = charge(books(), 10);
    const second = charge(first.books, 5, first.draws);
    expect(second.draws).toEqual([draw("monthly", 15)]);
  });

  it("starts a separate draw in another cycle", () => {
    expect(charge(books(), 5, [draw("monthly", 10, { cycleStartsAtMs: FEBRUARY })]).draws).toEqual([
      draw("monthly", 10, { cycleStartsAtMs: FEBRUARY }),
      draw("monthly", 5),
    ]);
  });

  it("in USD counts only as spend", () => {
    const { books: after, draws } = drawCharge(books({ grants: [grant("g1")] }), [], "usd", 5_000, NOON);
    expect(draws).toEqual([draw("spend", 5_000)]);
    expect(after.cycle).toMatchObject({ spendUsedMicros: 5_000, monthlyUsedMicros: 0, debtMicros: 0 });
    expect(left(after, "g1")).toBe(100);
  });

  it("does not change its arguments", () => {
    const before = books({ grants: [grant("g1")] });
    const copy = structuredClone(before);
    charge(before, 5_000);
    expect(before).toEqual(copy);
  });
});

describe("grants", () => {
  const empty = { allowanceMicros: 0 };
  const order = (...grants: ReturnType<typeof grant>[]) =>
    charge(books({ cycle: empty, grants }), 1_000).draws.flatMap((drawn) => drawn.grantId ?? []);

  it("are drawn soonest expiry first, those without expiry last", () => {
    expect(
      order(
        grant("never", { seq: 1 }),
        grant("late", { seq: 2, expiresAtMs: APRIL }),
        grant("soon", { seq: 3, expiresAtMs: NOON + DAY_MS }),
      ),
    ).toEqual(["soon", "late", "never"]);
  });

  it("of one expiry are drawn oldest first, then in the order of their arrival", () => {
    expect(
      order(
        grant("third", { seq: 7, grantedAtMs: NOON, expiresAtMs: APRIL }),
        grant("second", { seq: 9, grantedAtMs: MARCH, expiresAtMs: APRIL }),
        grant("first", { seq: 8, grantedAtMs: MARCH, expiresAtMs: APRIL }),
      ),
    ).toEqual(["first", "second", "third"]);
    expect(
      order(grant("b", { seq: 5 }), grant("a", { seq: 6 }), grant("old", { seq: 9, grantedAtMs: MARCH - 1 })),
    ).toEqual(["old", "b", "a"]);
  });

  it("are usable in [granted_at, expires_at) and not once voided", () => {
    expect(order(grant("ended", { expiresAtMs: NOON }))).toEqual([]);
    expect(order(grant("last moment", { expiresAtMs: NOON + 1 }))).toEqual(["last moment"]);
    expect(order(grant("voided", { voided: true }))).toEqual([]);
  });
});
