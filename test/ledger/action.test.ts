// The action in the answer to a debit, and the answer's sums.
import { describe, expect, it } from "vitest";
import type { Books, Hold } from "../../src/ledger/books.ts";
import { answerDebit, type Debit, decideAction } from "../../src/ledger/debit.ts";
import { books, byomBooks, grant, meter, NOON, run } from "../support/books.ts";

const hold = (micros: number, over: Partial<Hold> = {}): Hold => ({
  unit: "credits",
  micros,
  ttlMs: 900_000,
  expiresAtMs: NOON + 900_000,
  ...over,
});
const credits = (of: Books, held: Hold | null = null) => decideAction(of, run({ hold: held }), "credits", NOON);
const usd = (of: Books, held: Hold | null = null) => decideAction(of, run({ hold: held }), "usd", NOON);
const used = (monthlyUsedMicros: number) => books({ cycle: { monthlyUsedMicros } });
const spent = (spendUsedMicros: number, capMicros: number | null = 1_000) =>
  byomBooks({ cycle: { spendUsedMicros }, capMicros });
const go = { action: "continue", reason: null };
const stop = (reason: string) => ({ action: "stop", reason });
const windDown = { action: "wind_down", reason: null };

describe("in credits", () => {
  it("continues while credit is available, and winds down from exactly 95 %", () => {
    expect(credits(used(0))).toEqual(go);
    expect(credits(used(949))).toEqual(go);
    expect(credits(used(950))).toEqual(windDown);
    expect(credits(used(999))).toEqual(windDown);
  });

  it("includes usable bonus in the 95 %", () => {
    expect(credits(books({ cycle: { monthlyUsedMicros: 1_000 }, grants: [grant("g1")] }))).toEqual(go);
    expect(
      credits(
        books({ cycle: { monthlyUsedMicros: 1_000, bonusUsedMicros: 45 }, grants: [grant("g1", { drawnMicros: 45 })] }),
      ),
    ).toEqual(windDown);
  });

  it("stops when nothing is available to a run without a hold", () => {
    expect(credits(used(1_000))).toEqual(stop("credits_exhausted"));
    expect(credits(books({ cycle: { monthlyUsedMicros: 400 }, held: { credits: 600, usd: 0 } }))).toEqual(
      stop("credits_exhausted"),
    );
    expect(credits(books({ cycle: { allowanceMicros: 0 } }))).toEqual(stop("credits_exhausted"));
  });

  it("lets a run continue while its hold is not used up, even if nothing else is available", () => {
    expect(credits(books({ cycle: { monthlyUsedMicros: 990 }, held: { credits: 10, usd: 0 } }), hold(10))).toEqual(go);
    expect(credits(books({ cycle: { monthlyUsedMicros: 990 }, held: { credits: 1, usd: 0 } }), hold(1))).toEqual(go);
  });

  it("stops a run whose hold is used up when nothing is available, and not before", () => {
    expect(credits(used(1_000), hold(0))).toEqual(stop("hold_exhausted"));
    expect(credits(used(500), hold(0))).toEqual(go);
    expect(credits(used(960), hold(0))).toEqual(windDown);
  });
});

describe("in USD", () => {
  it("continues without a cap, however much is used", () => {
    expect(usd(spent(10 ** 12, null))).toEqual(go);
  });

  it("winds down from 95 % of the cap and stops at the cap", () => {
    expect(usd(spent(949))).toEqual(go);
    expect(usd(spent(950))).toEqual(windDown);
    expect(usd(spent(1_000))).toEqual(stop("spend_cap_reached"));
    expect(usd(spent(1_001))).toEqual(stop("spend_cap_reached"));
    expect(usd(spent(0, 0))).toEqual(stop("spend_cap_reached"));
  });

  it("counts what others hold against the cap, as in credits", () => {
    const held = { ...spent(400), held: { credits: 0, usd: 600 } };
    expect(usd(held)).toEqual(stop("spend_cap_reached"));
    expect(usd(held, hold(600, { unit: "usd" }))).toEqual(go);
    expect(usd(held, hold(0, { unit: "usd" }))).toEqual(stop("hold_exhausted"));
  });

  it("ignores a hold in credits from before the switch", () => {
    expect(usd(spent(1_000), hold(50))).toEqual(stop("spend_cap_reached"));
    expect(usd({ ...spent(400), held: { credits: 50, usd: 600 } }, hold(50))).toEqual(stop("spend_cap_reached"));
    expect(usd(spent(10), hold(50))).toEqual(go);
  });
});

describe("a suspended enterprise", () => {
  it("stops every run, with a hold or without, in either unit", () => {
    const suspended = { settings: { suspended: true } };
    expect(credits(books(suspended))).toEqual(stop("enterprise_suspended"));
    expect(credits(books({ ...suspended, held: { credits: 10, usd: 0 } }), hold(10))).toEqual(
      stop("enterprise_suspended"),
    );
    expect(usd(byomBooks(suspended))).toEqual(stop("enterprise_suspended"));
  });
});

describe("the answer", () => {
  const answer = (after: Books, over: Partial<Debit> = {}) => {
    const debit: Debit = {
      books: after,
      run: run(),
      before: null,
      meter: meter({ chargedMicros: 70 }),
      chargedMicros: 20,
      cycleMicros: 20,
      dayMicros: 0,
      changed: true,
      firstOfRun: false,
      closedRun: false,
      ...over,
    };
    return answerDebit(
      debit,
      after,
      [debit.meter, meter({ model: "m2", chargedMicros: 5 }), meter({ model: "m3", unit: "usd", chargedMicros: 900 })],
      NOON,
    );
  };

  it("sums the run in the meter's unit and says what remains and what is available", () => {
    const after = books({
      cycle: { monthlyUsedMicros: 75 },
      held: { credits: 25, usd: 0 },
      grants: [grant("g1")],
      seq: 41,
    });
    expect(answer(after)).toEqual({
      run: "r1",
      model: "m1",
      tier: "standard",
      priced: true,
      chargedMicros: 20,
      runTotalMicros: 75,
      unit: "credits",
      remainingMicros: 1_025,
      availableMicros: 1_000,
      usedPercent: 6.82,
      action: "continue",
      reason: null,
      seq: 41,
      nearLimit: false,
    });
  });

  it("has no remaining, available or percentage without a cap", () => {
    const { remainingMicros, availableMicros, usedPercent } = answer(byomBooks(), { meter: meter({ unit: "usd" }) });
    expect([remainingMicros, availableMicros, usedPercent]).toEqual([null, null, null]);
  });

  it("is in the meter's unit, even if the enterprise's billing model has changed", () => {
    expect(answer(byomBooks({ cycle: { monthlyUsedMicros: 500, spendUsedMicros: 3 }, capMicros: 10 }))).toMatchObject({
      unit: "credits",
      remainingMicros: 500,
      usedPercent: 50,
    });
  });
});
