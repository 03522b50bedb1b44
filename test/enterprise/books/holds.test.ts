// Rule R6: what happens to a hold while its run continues, and that every hold ends.
import { describe, expect, it } from "vitest";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { endHold, holdLeft, raiseHold, spendHold } from "../../../src/ledger/holds.ts";
import {
  at,
  books,
  byomBooks,
  debit,
  granted,
  MINUTE_MS,
  NOON,
  openBooks,
  report,
  run,
  start,
} from "../../support/books.ts";

const TTL_MS = 900_000;
const hold = (micros: number, unit: "credits" | "usd" = "credits") => ({
  unit,
  micros,
  ttlMs: TTL_MS,
  expiresAtMs: NOON + TTL_MS,
});
const held = (credits: number, usd = 0) => books({ held: { credits, usd } });

describe("a charge", () => {
  it("is taken from the hold of its run first", () => {
    const spent = spendHold(held(500), run({ hold: hold(100) }), "credits", 30, NOON);
    expect(spent.run.hold?.micros).toBe(70);
    expect(spent.books.held).toEqual({ credits: 470, usd: 0 });
  });

  it("takes no more from the hold than is left", () => {
    const spent = spendHold(held(500), run({ hold: hold(100) }), "credits", 130, NOON);
    expect(spent.run.hold?.micros).toBe(0);
    expect(spent.books.held.credits).toBe(400);
  });

  it("restarts the time of the hold, also for a duplicate or a refund, without raising the hold", () => {
    for (const micros of [0, -40]) {
      const spent = spendHold(held(100), run({ hold: hold(60) }), "credits", micros, NOON + MINUTE_MS);
      expect(spent.run.hold).toEqual({ ...hold(60), expiresAtMs: NOON + MINUTE_MS + TTL_MS });
      expect(spent.books.held.credits).toBe(100);
    }
  });

  it("in another unit leaves the hold unchanged", () => {
    const spent = spendHold(held(100), run({ hold: hold(60) }), "usd", 30, NOON);
    expect(spent.run.hold?.micros).toBe(60);
    expect(spent.books.held).toEqual({ credits: 100, usd: 0 });
  });

  it("of a run without a hold changes nothing", () => {
    const kept = held(100);
    const free = run();
    expect(spendHold(kept, free, "credits", 30, NOON)).toEqual({ books: kept, run: free });
  });
});

describe("a hold", () => {
  it("releases what is left of it when it ends", () => {
    expect(endHold(held(500), run({ hold: hold(70) }), NOON)).toMatchObject({
      books: { held: { credits: 430 } },
      run: { hold: null, holdEndedAtMs: NOON },
    });
    const kept = held(5);
    expect(endHold(kept, run(), NOON).books).toBe(kept);
  });

  it("is raised to at least the amount requested, in the unit of the enterprise", () => {
    expect(raiseHold(held(70), run({ hold: hold(70) }), 100, TTL_MS, NOON)).toMatchObject({
      books: { held: { credits: 100 } },
      run: { hold: { micros: 100 } },
    });
    expect(raiseHold(byomBooks(), run(), 40, 1_000, NOON).run.hold).toEqual({
      unit: "usd",
      micros: 40,
      ttlMs: 1_000,
      expiresAtMs: NOON + 1_000,
    });
  });

  it("counts only in its unit", () => {
    expect(holdLeft(run({ hold: hold(5) }), "credits")).toBe(5);
    expect(holdLeft(run({ hold: hold(5) }), "usd")).toBe(0);
    expect(holdLeft(run(), "credits")).toBe(0);
    expect(holdLeft(null, "credits")).toBe(0);
  });
});

describe("in the books", () => {
  const heldBy = (ledger: Ledger) => ledger.gauge().heldMicros;
  function begin(holdMicros = 400, holdTtlMs: number | null = null) {
    const ledger = openBooks();
    granted(ledger.start(start({ holdMicros, holdTtlMs })));
    return ledger;
  }

  it("the charge and what is left of the hold sum to what was held", () => {
    const ledger = begin();
    expect(debit(ledger, report(150))).toMatchObject({
      remainingMicros: 850,
      availableMicros: 600,
      action: "continue",
    });
    expect(heldBy(ledger)).toBe(250);
  });

  it("a hold ends with the run's final report, when its last meter closes", () => {
    const ledger = begin();
    debit(ledger, report(10, { model: "m2" }));
    debit(ledger, report(10, { final: true }));
    expect(heldBy(ledger)).toBe(380);
    debit(ledger, report(10, { model: "m2", final: true }));
    expect(heldBy(ledger)).toBe(0);
  });

  it("a hold ends when it is released; releasing it twice, or releasing nothing, is harmless", () => {
    const ledger = begin();
    expect(granted(ledger.releaseHold("r1"))).toMatchObject({ heldMicros: 0, availableMicros: 1_000 });
    const { seq } = ledger.gauge();
    expect(granted(ledger.releaseHold("r1"))).toMatchObject({ heldMicros: 0, seq });
  });

  it("a hold ends 15 minutes after the run's last report", () => {
    const ledger = begin();
    ledger.moveClock(NOON + 10 * MINUTE_MS);
    debit(ledger, report(1));
    ledger.moveClock(NOON + 25 * MINUTE_MS - 1);
    expect(heldBy(ledger)).toBe(399);
    ledger.moveClock(NOON + 25 * MINUTE_MS);
    expect(heldBy(ledger)).toBe(0);
  });

  it("a hold is kept alive by reports that charge nothing", () => {
    const ledger = begin(400, 10 * MINUTE_MS);
    debit(ledger, report(1));
    for (let minutes = 5; minutes <= 50; minutes += 5) {
      ledger.moveClock(NOON + minutes * MINUTE_MS);
      debit(ledger, report(1));
    }
    expect(heldBy(ledger)).toBe(399);
  });

  it("a hold survives the turn of a cycle", () => {
    const ledger = begin(400, 24 * 60 * MINUTE_MS);
    for (let days = 1; days <= 25; days++) {
      ledger.moveClock(NOON + days * 23 * 60 * MINUTE_MS);
      debit(ledger, report(1));
    }
    expect(ledger.gauge()).toMatchObject({ heldMicros: 399, cycle: { startsAtMs: at("2026-04-01T00:00:00.000Z") } });
  });

  it("a refund returns credit to everyone, not to the hold", () => {
    const ledger = begin();
    debit(ledger, report(300));
    debit(ledger, report(5, { model: "m2" }));
    debit(ledger, report(100, { final: true }));
    expect(ledger.gauge()).toMatchObject({ usedMicros: 105, heldMicros: 95, availableMicros: 800 });
  });

  it("there is no debt while every run stays within its hold, however the charges are interleaved", () => {
    const ledger = openBooks();
    for (let i = 0; i < 10; i++) granted(ledger.start(start({ run: `r${i}`, holdMicros: 100 })));
    for (let tokens = 10; tokens <= 100; tokens += 10) {
      for (let i = 9; i >= 0; i--) {
        const answer = debit(ledger, report(tokens, { run: `r${i}` }));
        if (tokens < 100) expect(answer.action).toBe("continue");
      }
    }
    expect(ledger.gauge()).toMatchObject({ usedMicros: 1_000, debtMicros: 0, heldMicros: 0, availableMicros: 0 });
    expect(debit(ledger, report(101, { run: "r3" }))).toMatchObject({ action: "stop", reason: "hold_exhausted" });
  });
});
