// R4, T1 and T3 through the real ledger: time passes once and only forwards, however often the ledger is called.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import {
  APRIL,
  at,
  codeOf,
  DAY_MS,
  debit,
  granted,
  grantRequest,
  HOUR_MS,
  MINUTE_MS,
  NOON,
  openBooks,
  openByClock,
  report,
  start,
} from "../../support/books.ts";
import { cases } from "../../support/cases.ts";
import { viewReal } from "./real-view.ts";

const MOST = Number.MAX_SAFE_INTEGER;
const types = (ledger: Ledger) => ledger.store.loadEntriesAfter(0, MOST).map((entry) => entry.facts.type);

describe("by a real clock", () => {
  it("a cycle turns once, at the first call after its end, with any call", () => {
    const calls: ((ledger: Ledger) => unknown)[] = [
      (ledger) => ledger.settle(),
      (ledger) => ledger.gauge(),
      (ledger) => ledger.debit([report(1, { run: "r2", startedAtMs: APRIL })]),
      (ledger) => ledger.start(start({ run: "r2" })),
      (ledger) => ledger.addGrant(grantRequest("g1", 5), "operator"),
      (ledger) => ledger.releaseHold("r1"),
      (ledger) => ledger.changeSettings({ name: "New" }, "operator"),
    ];
    for (const call of calls) {
      const clock = { nowMs: NOON };
      const ledger = openByClock(clock);
      debit(ledger, report(1_300));
      clock.nowMs = APRIL;
      call(ledger);
      ledger.settle();
      expect(types(ledger).slice(0, 3)).toEqual(["cycle_started", "debt_written_off", "cycle_started"]);
      expect(ledger.gauge()).toMatchObject({ debtMicros: 0, cycle: { startsAtMs: at("2026-04-01T00:00:00.000Z") } });
      expect(types(ledger).filter((type) => type === "cycle_started")).toHaveLength(2);
    }
  });

  it("a charge belongs to the cycle in which it arrives, also in the first instant of the cycle", () => {
    const clock = { nowMs: APRIL - 1 };
    const ledger = openByClock(clock);
    debit(ledger, report(100));
    clock.nowMs = APRIL;
    expect(debit(ledger, report(130))).toMatchObject({
      chargedMicros: 30,
      runTotalMicros: 130,
      remainingMicros: 970,
    });
  });

  it("the ledger knows what is due next: the turn, an expiry, or the end of a hold", () => {
    const ledger = openByClock({ nowMs: NOON });
    expect(ledger.nextDueAtMs()).toBe(APRIL);
    ledger.addGrant(grantRequest("g1", 5, { expiresAtMs: NOON + 5 * DAY_MS }), "operator");
    expect(ledger.nextDueAtMs()).toBe(NOON + 5 * DAY_MS);
    ledger.start(start({ holdMicros: 10 }));
    expect(ledger.nextDueAtMs()).toBe(NOON + 15 * MINUTE_MS);
  });

  it("a hold ends on time when nobody reports, also after an eviction", () => {
    const clock = { nowMs: NOON };
    const ledger = openByClock(clock);
    ledger.start(start({ holdMicros: 10 }));
    const awake = new Ledger(ledger.sql, () => clock.nowMs);
    expect(awake.nextDueAtMs()).toBe(NOON + 15 * MINUTE_MS);
    clock.nowMs = awake.nextDueAtMs();
    expect(awake.settle()).toBe(true);
    expect(awake.settle()).toBe(false);
    expect(awake.gauge().heldMicros).toBe(0);
  });

  it("a clock that goes back changes nothing and is not followed", () => {
    const clock = { nowMs: NOON };
    const ledger = openByClock(clock);
    ledger.addGrant(grantRequest("g1", 50, { expiresAtMs: APRIL + HOUR_MS }), "operator");
    debit(ledger, report(300));
    clock.nowMs = APRIL + HOUR_MS;
    ledger.settle();
    const before = viewReal(ledger);
    for (const nowMs of [APRIL - 1, NOON, 0]) {
      clock.nowMs = nowMs;
      const awake = new Ledger(ledger.sql, () => clock.nowMs);
      expect(awake.settle()).toBe(false);
      expect(viewReal(awake)).toEqual(before);
      expect(awake.nowMs()).toBe(APRIL + HOUR_MS);
    }
    clock.nowMs = APRIL;
    expect(debit(ledger, report(310))).toMatchObject({ chargedMicros: 10, remainingMicros: 990 });
  });
});

describe("by a test clock", () => {
  it("time does not pass until it is moved, and it moves only forwards", () => {
    const ledger = openBooks();
    expect(ledger.nowMs()).toBe(NOON);
    expect(codeOf(ledger.moveClock(NOON - 1))).toBe("clock_backwards");
    expect(granted(ledger.moveClock(NOON)).gauge.asOfMs).toBe(NOON);
    expect(codeOf(openByClock({ nowMs: NOON }).moveClock(NOON + 1))).toBe("not_a_test_clock");
  });

  it("idle months grant one allowance, which is never carried over, and leave one cycle_started", () => {
    const ledger = openBooks();
    debit(ledger, report(400));
    ledger.moveClock(at("2026-08-20T00:00:00Z"));
    expect(ledger.gauge()).toMatchObject({
      usedMicros: 0,
      totalMicros: 1_000,
      cycle: { startsAtMs: at("2026-08-01T00:00:00.000Z") },
    });
    expect(types(ledger)).toEqual(["cycle_started", "cycle_started"]);
  });

  it("a cycle that has ended is kept as it ended, including its debt", () => {
    const ledger = openBooks();
    debit(ledger, report(1_300));
    ledger.moveClock(at("2026-06-10T00:00:00Z"));
    debit(ledger, report(50, { run: "r2", startedAtMs: at("2026-06-10T00:00:00Z") }));
    ledger.moveClock(at("2026-07-01T00:00:00Z"));
    expect(ledger.store.loadCycles()).toMatchObject([
      { startsAtMs: at("2026-03-01T00:00:00Z"), allowanceMicros: 1_000, monthlyUsedMicros: 1_000, debtMicros: 300 },
      { startsAtMs: at("2026-06-01T00:00:00Z"), allowanceMicros: 1_000, monthlyUsedMicros: 50, debtMicros: 0 },
    ]);
  });

  it("the first cycle has the full allowance, also when it starts in the middle", () => {
    expect(openBooks({}, APRIL - 1).gauge()).toMatchObject({
      totalMicros: 1_000,
      cycle: { startsAtMs: at("2026-03-01T00:00:00.000Z"), daysElapsed: 30 },
    });
  });

  it("in one instant a grant expires first, then the cycle turns, then a charge arrives", () => {
    const ledger = openBooks({ allowanceOverrideMicros: 0 });
    ledger.addGrant(grantRequest("g1", 100, { expiresAtMs: APRIL }), "operator");
    ledger.moveClock(APRIL);
    expect(debit(ledger, report(5))).toMatchObject({ remainingMicros: 0, reason: "credits_exhausted" });
    expect(
      ledger.store
        .loadEntriesAfter(0, MOST)
        .slice(2)
        .map((entry) => [entry.facts.type, entry.atMs]),
    ).toEqual([
      ["grant_expired", APRIL],
      ["cycle_started", APRIL],
    ]);
    expect(ledger.gauge().debtMicros).toBe(5);
  });

  it("ends in the same books, moved in one step or in many, with evictions in between", () => {
    const story = fc.record({
      timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Australia/Lord_Howe"),
      anchorDay: fc.integer({ min: 1, max: 31 }),
      used: fc.nat(1_500),
      expiries: fc.array(fc.integer({ min: 1, max: 150 }), { maxLength: 3 }),
      looks: fc.array(fc.integer({ min: 1, max: 4_000 }), { minLength: 1, maxLength: 6 }),
    });
    fc.assert(
      fc.property(story, ({ timeZone, anchorDay, used, expiries, looks }) => {
        const begin = () => {
          const ledger = openBooks({ timeZone, anchorDay });
          debit(ledger, report(used));
          for (const [i, days] of expiries.entries()) {
            ledger.addGrant(grantRequest(`g${i}`, 100, { expiresAtMs: NOON + days * DAY_MS }), "operator");
          }
          return ledger;
        };
        const hours = looks.toSorted((a, b) => a - b);
        const [once, often] = [begin(), begin()];
        once.moveClock(NOON + (hours.at(-1) as number) * HOUR_MS);
        let awake = often;
        for (const hour of hours) {
          awake.moveClock(NOON + hour * HOUR_MS);
          awake = new Ledger(often.sql, often.realNowMs);
        }
        const balances = (ledger: Ledger) => ({ ...viewReal(ledger), entries: [] });
        expect(balances(awake)).toEqual(balances(once));
        const lasting = (ledger: Ledger) => types(ledger).filter((type) => type !== "cycle_started");
        expect(lasting(awake)).toEqual(lasting(once));
        expect(auditBooks(awake).filter((check) => !check.ok)).toEqual([]);
      }),
      cases(25),
    );
  });
});
