// Rule R3 and the settled details on money: where a refund goes back to, and what pays debt.
import { describe, expect, it } from "vitest";
import type { Books, Meter } from "../../src/ledger/books.ts";
import { drawCharge, monthlyRemaining, refundCharge } from "../../src/ledger/buckets.ts";
import { addPaid, attributePayments, owesWithCredit, payDebt as payBooks } from "../../src/ledger/debt.ts";
import { eachGrant, findGrant } from "../../src/ledger/grant-list.ts";
import { books, DAY_MS, draw, grant, grantDraw, MARCH, meter, NOON } from "../support/books.ts";

const FEBRUARY = MARCH - 28 * DAY_MS;
const left = (of: Books, id: string) => {
  const found = findGrant(of.grants, id);
  return found === null ? null : found.amountMicros - found.drawnMicros;
};

describe("a refund", () => {
  const used = { monthlyUsedMicros: 1_000, bonusUsedMicros: 60, debtMicros: 30 };
  const drawn = [draw("monthly", 1_000), grantDraw("g1", 60), draw("debt", 30)];
  const spent = () => books({ cycle: used, grants: [grant("g1", { drawnMicros: 60 })] });

  it("undoes the most recent draw first: debt, then the grant, then the allowance", () => {
    expect(refundCharge(spent(), drawn, 20, NOON).draws).toEqual([
      draw("monthly", 1_000),
      grantDraw("g1", 60),
      draw("debt", 10),
    ]);
    const back = refundCharge(spent(), drawn, 100, NOON);
    expect(back.draws).toEqual([draw("monthly", 990)]);
    expect(back.books.cycle).toMatchObject({ monthlyUsedMicros: 990, bonusUsedMicros: 0, debtMicros: 0 });
    expect(left(back.books, "g1")).toBe(100);
    expect(back.cycleMicros).toBe(100);
  });

  it("of everything leaves the books as they were, and one empty draw that says in which cycle it was charged", () => {
    const back = refundCharge(spent(), drawn, 1_090, NOON);
    expect(back.draws).toEqual([draw("monthly", 0)]);
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
    expect(back.draws).toEqual([{ ...february, micros: 30, lapsedMicros: 20 }, draw("monthly", 0)]);
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
    const back = refundCharge(before, [grantDraw("g1", 60, { cycleStartsAtMs: FEBRUARY })], 60, NOON);
    expect(left(back.books, "g1")).toBe(100);
    expect(back.books.cycle.bonusUsedMicros).toBe(5);
    // What was refunded late still counts in the cycle that has ended.
    expect(back).toMatchObject({ cycleMicros: 0, draws: [{ micros: 0, lapsedMicros: 0, lateMicros: 60 }] });
  });

  it.each([
    ["expired", grant("g1", { drawnMicros: 60, expiredMicros: 40, expiresAtMs: NOON })],
    ["voided", grant("g1", { drawnMicros: 60, voidedMicros: 40, voided: true })],
  ])("to a grant that is %s lapses, and lowers this cycle's use", (_, ended) => {
    const back = refundCharge(books({ cycle: used, grants: [ended] }), [grantDraw("g1", 60)], 25, NOON);
    expect(back.draws).toEqual([grantDraw("g1", 35, { lapsedMicros: 25 })]);
    expect([...eachGrant(back.books.grants)]).toEqual([ended]);
    expect(back.books.cycle.bonusUsedMicros).toBe(35);
    expect(back.cycleMicros).toBe(25);
  });

  it("of all that was charged in a later cycle leaves an empty draw of that cycle, which has no bucket to refund to", () => {
    const february = draw("monthly", 50, { cycleStartsAtMs: FEBRUARY });
    const inDebt = books({ cycle: { debtMicros: 30 } });
    const back = refundCharge(inDebt, [february, draw("debt", 30)], 30, NOON);
    expect(back.draws).toEqual([february, draw("monthly", 0)]);
    const charged = drawCharge(back.books, back.draws, "credits", 7, NOON);
    expect(charged.draws).toEqual([february, draw("monthly", 7)]);
    const again = refundCharge(charged.books, charged.draws, 7, NOON);
    expect(again.draws).toEqual([february, draw("monthly", 0)]);
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

/** Pays debt and attributes all of the payment, as one change does for few debtors. */
function payDebt(owing: Books, debtors: readonly Meter[], nowMs: number) {
  const { books: after, payments, paidMicros } = payBooks(owing, nowMs);
  let left = payments;
  const paid = debtors.flatMap((debtor) => {
    const attributed = attributePayments(left, debtor.draws);
    left = attributed.payments;
    return attributed.paidMicros === 0 ? [] : [{ ...debtor, draws: addPaid(attributed.debts, attributed.parts) }];
  });
  return { books: after, paidMicros, payments: left, paid };
}

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
    expect(paid.map((debtor) => debtor.draws)).toEqual([[draw("monthly", 1_000), grantDraw("g1", 30)]]);
  });

  it("is paid by a larger allowance before any grant", () => {
    const { books: after, paid } = payDebt(
      inDebt(30, { cycle: { allowanceMicros: 1_020 }, grants: [grant("g1")] }),
      [owing("r1", 30)],
      NOON,
    );
    expect(paid[0]?.draws).toEqual([draw("monthly", 1_020), grantDraw("g1", 10)]);
    expect(after.cycle).toMatchObject({ monthlyUsedMicros: 1_020, bonusUsedMicros: 10, debtMicros: 0 });
  });

  it("is paid as far as credit reaches, in the order of the debtors", () => {
    const debtors = [owing("r1", 60), owing("r2", 60), owing("r3", 60)];
    const { books: after, paid, paidMicros } = payDebt(inDebt(180, { grants: [grant("g1")] }), debtors, NOON);
    expect(paidMicros).toBe(100);
    expect(paid.map((debtor) => debtor.run)).toEqual(["r1", "r2"]);
    expect(paid[1]?.draws).toEqual([draw("monthly", 1_000), draw("debt", 20), grantDraw("g1", 40)]);
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
    expect(paid[0]?.draws).toEqual([old, grantDraw("g1", 10)]);
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

  it("is paid without dropping draws that only count in an earlier cycle", () => {
    const earlier = [
      grantDraw("g1", 0, { cycleStartsAtMs: FEBRUARY, lateMicros: 60 }),
      draw("monthly", 0, { cycleStartsAtMs: FEBRUARY - 31 * DAY_MS }),
    ];
    const { paid } = payDebt(
      inDebt(30, { grants: [grant("g1")] }),
      [owing("r1", 30, { draws: [...earlier, draw("debt", 30)] })],
      NOON,
    );
    expect(paid[0]?.draws).toEqual([...earlier, grantDraw("g1", 30)]);
  });

  it("that a grant has paid is refunded to that grant", () => {
    const { books: after, paid } = payDebt(inDebt(30, { grants: [grant("g1")] }), [owing("r1", 30)], NOON);
    const back = refundCharge(after, paid[0]?.draws ?? [], 20, NOON);
    expect(left(back.books, "g1")).toBe(90);
  });
});
