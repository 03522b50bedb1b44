// Rule R3 and the settled details on money: where a charge is drawn from, and where a refund goes back to.
import { describe, expect, it } from "vitest";
import type { Books, Draw, Meter } from "../../src/ledger/books.ts";
import {
  bonusRemaining,
  drawCharge,
  monthlyRemaining,
  owesWithCredit,
  payDebt,
  refundCharge,
} from "../../src/ledger/buckets.ts";
import { APRIL, books, DAY_MS, grant, MARCH, meter, NOON } from "./base.ts";

const FEBRUARY = MARCH - 28 * DAY_MS;
const draw = (bucket: Draw["bucket"], micros: number, over: Partial<Draw> = {}): Draw => ({
  bucket,
  grantId: null,
  cycleStartsAtMs: MARCH,
  micros,
  lapsedMicros: 0,
  ...over,
});
const fromGrant = (grantId: string, micros: number, over: Partial<Draw> = {}) =>
  draw("grant", micros, { grantId, ...over });
const charge = (from: Books, micros: number, draws: readonly Draw[] = []) =>
  drawCharge(from, draws, "credits", micros, NOON);
const left = (of: Books, id: string) => {
  const found = of.grants.find((candidate) => candidate.id === id);
  return found === undefined ? null : found.amountMicros - found.drawnMicros;
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
    expect(draws).toEqual([draw("monthly", 1_000), fromGrant("g1", 1)]);
    expect(after.cycle).toMatchObject({ monthlyUsedMicros: 1_000, bonusUsedMicros: 1, debtMicros: 0 });
  });

  it("becomes debt where nothing covers it", () => {
    const { books: after, draws } = charge(books({ grants: [grant("g1")] }), 1_150);
    expect(draws).toEqual([draw("monthly", 1_000), fromGrant("g1", 100), draw("debt", 50)]);
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

  it("starts a draw of its own in another cycle", () => {
    expect(charge(books(), 5, [draw("monthly", 10, { cycleStartsAtMs: FEBRUARY })]).draws).toEqual([
      draw("monthly", 10, { cycleStartsAtMs: FEBRUARY }),
      draw("monthly", 5),
    ]);
  });

  it("in USD counts against nothing but the spend", () => {
    const { books: after, draws } = drawCharge(books({ grants: [grant("g1")] }), [], "usd", 5_000, NOON);
    expect(draws).toEqual([draw("spend", 5_000)]);
    expect(after.cycle).toMatchObject({ spendUsedMicros: 5_000, monthlyUsedMicros: 0, debtMicros: 0 });
    expect(left(after, "g1")).toBe(100);
  });

  it("changes none of the values it was given", () => {
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

describe("a refund", () => {
  const used = { monthlyUsedMicros: 1_000, bonusUsedMicros: 60, debtMicros: 30 };
  const drawn = [draw("monthly", 1_000), fromGrant("g1", 60), draw("debt", 30)];
  const spent = () => books({ cycle: used, grants: [grant("g1", { drawnMicros: 60 })] });

  it("undoes the most recent draw first: debt, then the grant, then the allowance", () => {
    expect(refundCharge(spent(), drawn, 20, NOON).draws).toEqual([
      draw("monthly", 1_000),
      fromGrant("g1", 60),
      draw("debt", 10),
    ]);
    const back = refundCharge(spent(), drawn, 100, NOON);
    expect(back.draws).toEqual([draw("monthly", 990)]);
    expect(back.books.cycle).toMatchObject({ monthlyUsedMicros: 990, bonusUsedMicros: 0, debtMicros: 0 });
    expect(left(back.books, "g1")).toBe(100);
    expect(back.cycleMicros).toBe(100);
  });

  it("of everything leaves no draw and the books as they were", () => {
    const back = refundCharge(spent(), drawn, 1_090, NOON);
    expect(back.draws).toEqual([]);
    expect(back.books.cycle).toMatchObject({ monthlyUsedMicros: 0, bonusUsedMicros: 0, debtMicros: 0 });
  });

  it("goes to the grant it came from, though another would be drawn first now", () => {
    const sooner = grant("sooner", { expiresAtMs: NOON + DAY_MS, seq: 3 });
    const back = refundCharge(
      books({ cycle: used, grants: [grant("g1", { drawnMicros: 60 }), sooner] }),
      drawn,
      40,
      NOON,
    );
    expect(left(back.books, "g1")).toBe(50);
    expect(left(back.books, "sooner")).toBe(100);
  });

  it("of a past cycle's allowance lapses and moves no total of this cycle", () => {
    const february = draw("monthly", 50, { cycleStartsAtMs: FEBRUARY });
    const before = books({ cycle: { monthlyUsedMicros: 7 } });
    const back = refundCharge(before, [february, draw("monthly", 7)], 27, NOON);
    expect(back.draws).toEqual([{ ...february, micros: 30, lapsedMicros: 20 }]);
    expect(back.books.cycle).toMatchObject({ monthlyUsedMicros: 0 });
    expect(back.cycleMicros).toBe(7);
    expect(monthlyRemaining(back.books)).toBe(1_000);
  });

  it("of a past cycle's debt or spend lapses", () => {
    const old = { cycleStartsAtMs: FEBRUARY };
    const owed = refundCharge(books({ cycle: { debtMicros: 9 } }), [draw("debt", 50, old)], 50, NOON);
    expect(owed.draws).toEqual([draw("debt", 0, { ...old, lapsedMicros: 50 })]);
    expect(owed.books.cycle.debtMicros).toBe(9);
    const paid = refundCharge(books({ cycle: { spendUsedMicros: 9 } }), [draw("spend", 50, old)], 50, NOON);
    expect(paid.draws).toEqual([draw("spend", 0, { ...old, lapsedMicros: 50 })]);
    expect(paid.books.cycle.spendUsedMicros).toBe(9);
  });

  it("goes back to a living grant even where a past cycle drew on it, without moving this cycle's use", () => {
    const before = books({ cycle: { bonusUsedMicros: 5 }, grants: [grant("g1", { drawnMicros: 60 })] });
    const back = refundCharge(before, [fromGrant("g1", 60, { cycleStartsAtMs: FEBRUARY })], 60, NOON);
    expect(left(back.books, "g1")).toBe(100);
    expect(back.books.cycle.bonusUsedMicros).toBe(5);
    expect(back).toMatchObject({ cycleMicros: 0, draws: [] });
  });

  it.each([
    ["expired", grant("g1", { drawnMicros: 60, expiredMicros: 40, expiresAtMs: NOON })],
    ["voided", grant("g1", { drawnMicros: 60, voidedMicros: 40, voided: true })],
  ])("to a grant that is %s lapses, and lowers this cycle's use", (_, ended) => {
    const back = refundCharge(books({ cycle: used, grants: [ended] }), [fromGrant("g1", 60)], 25, NOON);
    expect(back.draws).toEqual([fromGrant("g1", 35, { lapsedMicros: 25 })]);
    expect(back.books.grants).toEqual([ended]);
    expect(back.books.cycle.bonusUsedMicros).toBe(35);
    expect(back.cycleMicros).toBe(25);
  });

  it("in USD lowers the spend", () => {
    const back = refundCharge(books({ cycle: { spendUsedMicros: 80 } }), [draw("spend", 80)], 30, NOON);
    expect(back.books.cycle.spendUsedMicros).toBe(50);
    expect(back.draws).toEqual([draw("spend", 50)]);
  });

  it("of more than was drawn is a bug of ours, and throws", () => {
    expect(() => refundCharge(books(), [draw("monthly", 5)], 6, NOON)).toThrow("passes what the meter has drawn");
  });
});

describe("debt", () => {
  const owing = (run: string, micros: number, over: Partial<Meter> = {}) =>
    meter({ run, chargedMicros: 1_000 + micros, draws: [draw("monthly", 1_000), draw("debt", micros)], ...over });
  const inDebt = (micros: number, over: Parameters<typeof books>[0] = {}) =>
    books({ ...over, cycle: { monthlyUsedMicros: 1_000, debtMicros: micros, ...over.cycle } });

  it("is paid by a new grant, and the payment is the meter's most recent draw", () => {
    const { books: after, paid, paidMicros } = payDebt(inDebt(30, { grants: [grant("g1")] }), [owing("r1", 30)], NOON);
    expect(paidMicros).toBe(30);
    expect(after.cycle).toMatchObject({ debtMicros: 0, bonusUsedMicros: 30 });
    expect(left(after, "g1")).toBe(70);
    expect(paid.map((debtor) => debtor.draws)).toEqual([[draw("monthly", 1_000), fromGrant("g1", 30)]]);
  });

  it("is paid by a larger allowance before any grant", () => {
    const { books: after, paid } = payDebt(
      inDebt(30, { cycle: { allowanceMicros: 1_020 }, grants: [grant("g1")] }),
      [owing("r1", 30)],
      NOON,
    );
    expect(paid[0]?.draws).toEqual([draw("monthly", 1_020), fromGrant("g1", 10)]);
    expect(after.cycle).toMatchObject({ monthlyUsedMicros: 1_020, bonusUsedMicros: 10, debtMicros: 0 });
  });

  it("is paid as far as credit reaches, in the order of the debtors", () => {
    const debtors = [owing("r1", 60), owing("r2", 60), owing("r3", 60)];
    const { books: after, paid, paidMicros } = payDebt(inDebt(180, { grants: [grant("g1")] }), debtors, NOON);
    expect(paidMicros).toBe(100);
    expect(paid.map((debtor) => debtor.run)).toEqual(["r1", "r2"]);
    expect(paid[1]?.draws).toEqual([draw("monthly", 1_000), draw("debt", 20), fromGrant("g1", 40)]);
    expect(after.cycle.debtMicros).toBe(80);
  });

  it("of an earlier cycle is not paid", () => {
    const old = draw("debt", 50, { cycleStartsAtMs: FEBRUARY });
    const { paid, paidMicros } = payDebt(
      inDebt(10, { grants: [grant("g1")] }),
      [meter({ draws: [old, draw("debt", 10)] })],
      NOON,
    );
    expect(paidMicros).toBe(10);
    expect(paid[0]?.draws).toEqual([old, fromGrant("g1", 10)]);
  });

  it("is not paid by a grant that has ended", () => {
    const ended = inDebt(30, { grants: [grant("g1", { expiresAtMs: NOON })] });
    expect(owesWithCredit(ended, NOON)).toBe(false);
    expect(payDebt(ended, [owing("r1", 30)], NOON).paidMicros).toBe(0);
  });

  it("must be paid exactly while credit is free", () => {
    expect(owesWithCredit(inDebt(30), NOON)).toBe(false);
    expect(owesWithCredit(inDebt(0, { grants: [grant("g1")] }), NOON)).toBe(false);
    expect(owesWithCredit(inDebt(30, { grants: [grant("g1")] }), NOON)).toBe(true);
    expect(owesWithCredit(inDebt(30, { cycle: { allowanceMicros: 1_001 } }), NOON)).toBe(true);
  });

  it("that a grant has paid is refunded to that grant", () => {
    const { books: after, paid } = payDebt(inDebt(30, { grants: [grant("g1")] }), [owing("r1", 30)], NOON);
    const back = refundCharge(after, paid[0]?.draws ?? [], 20, NOON);
    expect(left(back.books, "g1")).toBe(90);
  });
});
