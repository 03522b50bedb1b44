// One report becomes one debit (rules R1, R2, R8): what is charged, under which meter, and how it counts.
import { describe, expect, it } from "vitest";
import type { Debit, Report } from "../../src/ledger/debit.ts";
import {
  books,
  byomBooks,
  codeOf,
  DAY_MS,
  decideReport,
  granted,
  type Known,
  MINUTE_MS,
  meter,
  NOON,
  price,
  rates,
  report,
  run,
  settings,
  tokens,
  UNIT_PRICE,
} from "../support/books.ts";

const accept = (sent: Report, known: Known = {}): Debit => granted(decideReport(sent, known));

describe("a report", () => {
  it("charges the cost of its totals, and the next one the difference", () => {
    const first = accept(report(100));
    expect(first).toMatchObject({ chargedMicros: 100, changed: true, firstOfRun: true, closedRun: false });
    const second = accept(report(140), { books: first.books, run: first.run, meters: [first.meter] });
    expect(second).toMatchObject({ chargedMicros: 40, changed: true, firstOfRun: false });
    expect(second.meter).toMatchObject({ chargedMicros: 140, usage: tokens({ input: 140 }) });
    expect(second.books.seq).toBe(12);
  });

  it("that was already received charges nothing and writes nothing", () => {
    const first = accept(report(100));
    const known = { books: first.books, run: first.run, meters: [first.meter] };
    const again = accept(report(100), { ...known, nowMs: NOON + MINUTE_MS - 1 });
    expect(again).toMatchObject({ chargedMicros: 0, changed: false, firstOfRun: false, closedRun: false });
    expect(again.books).toEqual(first.books);
    expect(again.meter).toEqual(first.meter);
  });

  it("that repeats one from a minute ago keeps its meter alive, and charges nothing", () => {
    const first = accept(report(100));
    const again = accept(report(40), {
      books: first.books,
      run: first.run,
      meters: [first.meter],
      nowMs: NOON + MINUTE_MS,
    });
    expect(again).toMatchObject({ chargedMicros: 0, changed: true });
    expect(again.books).toEqual({ ...first.books, seq: first.books.seq + 1 });
    expect(again.meter).toEqual({ ...first.meter, lastReportAtMs: NOON + MINUTE_MS });
  });

  it("of no tokens opens the meter and counts the request", () => {
    expect(accept(report(0))).toMatchObject({ chargedMicros: 0, changed: true, firstOfRun: true });
  });

  it("that is final and lower refunds the difference", () => {
    const known = {
      books: books({ cycle: { monthlyUsedMicros: 100 } }),
      run: run(),
      meters: [accept(report(100)).meter],
    };
    const last = accept(report(60, { final: true }), known);
    expect(last).toMatchObject({ chargedMicros: -40, cycleMicros: -40, closedRun: true });
    expect(last.meter).toMatchObject({ chargedMicros: 60, final: true });
    expect(last.books.cycle.monthlyUsedMicros).toBe(60);
  });

  it("refunds a past cycle's charge without counting it in this cycle", () => {
    const february = {
      bucket: "monthly",
      grantId: null,
      cycleStartsAtMs: NOON - 40 * DAY_MS,
      micros: 100,
      lapsedMicros: 0,
    } as const;
    const known = meter({ usage: tokens({ input: 100 }), chargedMicros: 100, draws: [february] });
    const last = accept(report(60, { final: true }), { run: run(), meters: [known] });
    expect(last.chargedMicros).toBe(-40);
    expect(Math.abs(last.cycleMicros)).toBe(0);
    expect(last.books.cycle.monthlyUsedMicros).toBe(0);
  });

  it("is priced as the meter's first report was, whatever the price book says now", () => {
    const first = accept(report(100));
    const dearer = price({ bookVersion: 2, creditsPerUsd: 50 });
    const second = accept(report(110, { price: dearer }), {
      books: first.books,
      run: first.run,
      meters: [first.meter],
    });
    expect(second.chargedMicros).toBe(10);
    expect(second.meter.price).toEqual(UNIT_PRICE);
  });

  it("for a known meter needs no price any more", () => {
    const first = accept(report(100));
    expect(
      accept(report(110, { price: null }), { books: first.books, run: first.run, meters: [first.meter] }).chargedMicros,
    ).toBe(10);
  });

  it("opens a separate meter for each model of the run", () => {
    const first = accept(report(100));
    const other = accept(report(30, { model: "m2" }), { books: first.books, run: first.run, meters: [first.meter] });
    expect(other).toMatchObject({ chargedMicros: 30, firstOfRun: false });
    expect(other.meter).toMatchObject({ model: "m2", chargedMicros: 30 });
  });

  it("closes the run with its last open meter only, and once", () => {
    const m1 = meter({ model: "m1" });
    const m2 = meter({ model: "m2", final: true });
    expect(accept(report(1, { final: true }), { run: run(), meters: [m1, meter({ model: "m2" })] }).closedRun).toBe(
      false,
    );
    expect(accept(report(1, { final: true }), { run: run(), meters: [m1, m2] }).closedRun).toBe(true);
    expect(accept(report(9, { final: true }), { run: run(), meters: [{ ...m1, final: true }, m2] }).closedRun).toBe(
      false,
    );
  });
});

describe("an alias", () => {
  const first = accept(report(100, { model: "m1", reportedAs: "fast" }));
  const known = { books: first.books, run: first.run, meters: [first.meter] };

  it("is the same meter as its model, and the canonical id is kept", () => {
    expect(first.meter).toMatchObject({ model: "m1", reportedAs: ["fast"] });
    const byId = accept(report(130, { model: "m1", reportedAs: "m1" }), known);
    expect(byId.chargedMicros).toBe(30);
    expect(byId.meter).toMatchObject({ model: "m1", reportedAs: ["fast", "m1"] });
  });

  it("stays with its meter when the price book gives it to another model", () => {
    const moved = accept(report(130, { model: "m2", reportedAs: "fast", price: price({ bookVersion: 2 }) }), known);
    expect(moved.chargedMicros).toBe(30);
    expect(moved.meter).toMatchObject({ model: "m1", chargedMicros: 130 });
  });

  it("stays with its meter when the price book drops it", () => {
    const dropped = accept(report(130, { model: "fast", reportedAs: "fast", price: null }), known);
    expect(dropped.meter).toMatchObject({ model: "m1", chargedMicros: 130 });
  });

  it("leaves the other model free to be reported by its own name", () => {
    const other = accept(report(7, { model: "m2", reportedAs: "m2" }), known);
    expect(other).toMatchObject({ chargedMicros: 7 });
    expect(other.meter).toMatchObject({ model: "m2", reportedAs: [] });
  });
});

describe("the attribution of a run", () => {
  it("is fixed by its first report, including the group", () => {
    const first = accept(report(1, { group: "team-a" }), { group: "team-b" });
    expect(first.run).toMatchObject({ workspace: "w1", user: "u1", surface: "web", group: "team-a", reported: true });
    const later = accept(report(2, { group: "team-c" }), { books: first.books, run: first.run, meters: [first.meter] });
    expect(later.run.group).toBe("team-a");
  });

  it("takes the group from the start, else from the directory, else none", () => {
    const admitted = run({ reported: false, group: null });
    const groupOf = (known: Known) => accept(report(1), known).run.group;
    expect(groupOf({ run: { ...admitted, group: "from start" }, group: "from directory" })).toBe("from start");
    expect(groupOf({ run: admitted, group: "from directory" })).toBe("from directory");
    expect(groupOf({ run: admitted })).toBe("none");
  });

  it("keeps the start that the run is known under", () => {
    expect(accept(report(1, { startedAtMs: NOON - DAY_MS }), { run: run() }).run.startedAtMs).toBe(NOON);
  });
});

describe("byom", () => {
  it("charges USD against the cap and leaves allowance and grants alone", () => {
    const decided = accept(report(100, { price: price({ creditsPerUsd: 100 }) }), {
      books: byomBooks({ capMicros: 1_000 }),
    });
    expect(decided.meter).toMatchObject({ unit: "usd", chargedMicros: 100 });
    expect(decided.books.cycle).toMatchObject({ spendUsedMicros: 100, monthlyUsedMicros: 0 });
  });

  it("keeps an open meter in its billing model when that is switched", () => {
    const hundred = price({ creditsPerUsd: 100 });
    const inCredits = accept(report(2, { price: hundred }), {});
    const switched = { ...inCredits.books, settings: settings({ billingModel: "byom" as const }) };
    const goesOn = accept(report(3), { books: switched, run: inCredits.run, meters: [inCredits.meter] });
    expect(goesOn).toMatchObject({ chargedMicros: 100, meter: { unit: "credits", chargedMicros: 300 } });
    expect(goesOn.books.cycle).toMatchObject({ monthlyUsedMicros: 300, spendUsedMicros: 0 });
    const opens = accept(report(3, { model: "m2", price: hundred }), {
      books: goesOn.books,
      run: goesOn.run,
      meters: [goesOn.meter],
    });
    expect(opens).toMatchObject({ chargedMicros: 3, meter: { unit: "usd" } });
    expect(opens.books.cycle).toMatchObject({ monthlyUsedMicros: 300, spendUsedMicros: 3 });
  });
});

describe("a tier", () => {
  const standard = accept(report(100));
  const known = { books: standard.books, run: standard.run, meters: [standard.meter] };

  it("has its own meter, which is charged at the tier's price", () => {
    const batch = accept(report(100, { tier: "batch", price: price({ rates: rates({ input: 500_000 }) }) }), known);
    expect(batch.meter).toMatchObject({ model: "m1", tier: "batch", key: "m1 batch", chargedMicros: 50 });
    expect(batch.meter.usage.input).toBe(100);
  });
});

describe("an estimate", () => {
  it("closes the meter without lowering it, and an exact final corrects it", () => {
    const open = accept(report(100));
    const known = { books: open.books, run: open.run, meters: [open.meter] };
    const guess = accept(report(60, { final: true, estimated: true }), known);
    expect(guess.meter).toMatchObject({ final: true, estimated: true, chargedMicros: 100 });
    const late = accept(report(120), { ...known, books: guess.books, meters: [guess.meter] });
    expect(late.chargedMicros).toBe(20);
    const exact = accept(report(70, { final: true }), { books: late.books, run: late.run, meters: [late.meter] });
    expect(exact.meter).toMatchObject({ final: true, estimated: false, chargedMicros: 70 });
  });
});

it("refuses the thousand-and-first meter of a run", () => {
  const meters = Array.from({ length: 1_000 }, (_, i) => meter({ model: `m-${i}` }));
  expect(codeOf(decideReport(report(1, { model: "one-more" }), { run: run(), meters }))).toBe("too_many_models");
  expect(codeOf(decideReport(report(1, { model: "m-7" }), { run: run(), meters }))).toBe("none");
});
