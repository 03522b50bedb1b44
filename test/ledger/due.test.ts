// Rule R4: what happens with time alone, in which order, and exactly once.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { freshCycle, nextDueAtMs, settleDue } from "../../src/ledger/due.ts";
import { eachGrant } from "../../src/ledger/grant-list.ts";
import { APRIL, at, books, DAY_MS, grant, HOUR_MS, MARCH, NOON, settings } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const MAY = at("2026-05-01T00:00:00Z");
const types = (entries: { facts: { type: string } }[]) => entries.map((entry) => entry.facts.type);
const used = { monthlyUsedMicros: 700, bonusUsedMicros: 20, spendUsedMicros: 9, returnedMicros: 3 };

describe("settling", () => {
  it("changes nothing while nothing is due", () => {
    const before = books({ cycle: used, grants: [grant("g1", { expiresAtMs: APRIL })] });
    expect(settleDue(before, NOON)).toEqual({ books: before, entries: [], closed: [], expired: [] });
    expect(settleDue(before, NOON).books).toBe(before);
    expect(settleDue(before, APRIL - 1).books).toBe(before);
  });

  it("knows when it will next have something to do", () => {
    expect(nextDueAtMs(books())).toBe(APRIL);
    expect(nextDueAtMs(books({ grants: [grant("g1", { expiresAtMs: NOON }), grant("g2")] }))).toBe(NOON);
    expect(nextDueAtMs(books({ grants: [grant("used", { expiresAtMs: NOON, drawnMicros: 100 })] }))).toBe(APRIL);
  });

  it("changes nothing when the clock steps back", () => {
    const april = settleDue(books({ cycle: used }), APRIL).books;
    expect(settleDue(april, MARCH).books).toBe(april);
    expect(settleDue(april, 0).books).toBe(april);
  });
});

describe("the turn of a cycle", () => {
  it("happens exactly at the end of the cycle, to the millisecond", () => {
    expect(settleDue(books(), APRIL - 1).entries).toEqual([]);
    expect(types(settleDue(books(), APRIL).entries)).toEqual(["cycle_started"]);
  });

  it("renews the allowance, zeroes every use, and leaves grants, cap, holds untouched", () => {
    const before = books({
      cycle: used,
      grants: [grant("g1", { drawnMicros: 20 })],
      capMicros: 77,
      held: { credits: 5, usd: 6 },
    });
    const { books: after, closed } = settleDue(before, APRIL);
    expect(after.cycle).toEqual({
      startsAtMs: APRIL,
      endsAtMs: MAY,
      timeZone: "UTC",
      allowanceMicros: 1_000,
      monthlyUsedMicros: 0,
      bonusUsedMicros: 0,
      debtMicros: 0,
      returnedMicros: 0,
      spendUsedMicros: 0,
    });
    expect(after).toMatchObject({ grants: before.grants, capMicros: 77, held: { credits: 5, usd: 6 }, seq: 11 });
    expect(closed).toEqual([before.cycle]);
  });

  it("records in its entry what the last cycle used", () => {
    expect(settleDue(books({ cycle: used }), APRIL + HOUR_MS).entries).toEqual([
      {
        atMs: APRIL,
        by: "clock",
        facts: {
          type: "cycle_started",
          startsAtMs: APRIL,
          endsAtMs: at("2026-05-01T00:00:00.000Z"),
          allowanceMicros: 1_000,
          timeZone: "UTC",
          previous: { startsAtMs: MARCH, usedMicros: 720, spendMicros: 9 },
        },
      },
    ]);
  });

  it("applies the changes that waited for it: time zone, anchor day, a smaller allowance", () => {
    const waiting = books({ settings: { timeZone: "Asia/Kolkata", anchorDay: 15, allowanceOverrideMicros: 10 } });
    const { cycle } = settleDue(waiting, APRIL).books;
    expect(cycle).toMatchObject({
      startsAtMs: APRIL,
      endsAtMs: at("2026-04-14T18:30:00Z"),
      timeZone: "Asia/Kolkata",
      allowanceMicros: 10,
    });
  });

  it("over idle months is one turn into the current cycle: one allowance, one entry", () => {
    const { books: after, entries, closed } = settleDue(books({ cycle: used }), at("2026-09-15T00:00:00Z"));
    expect(types(entries)).toEqual(["cycle_started"]);
    expect(after.cycle).toMatchObject({ startsAtMs: at("2026-09-01T00:00:00Z"), allowanceMicros: 1_000 });
    expect(after.seq).toBe(11);
    expect(closed).toHaveLength(1);
  });

  it("writes off debt in a separate entry, at the end of the cycle in which it arose", () => {
    const { books: after, entries } = settleDue(
      books({ cycle: { ...used, debtMicros: 55 } }),
      at("2026-06-10T00:00:00Z"),
    );
    expect(types(entries)).toEqual(["debt_written_off", "cycle_started"]);
    expect(entries[0]).toEqual({
      atMs: APRIL,
      by: "clock",
      facts: { type: "debt_written_off", amountMicros: 55, cycleStartsAtMs: MARCH },
    });
    expect(entries[1]?.facts).toMatchObject({ previous: { usedMicros: 775 } });
    expect(after.cycle.debtMicros).toBe(0);
    expect(after.seq).toBe(12);
  });

  it("writes off nothing if there is no debt", () => {
    expect(types(settleDue(books({ cycle: used }), APRIL).entries)).not.toContain("debt_written_off");
  });
});

describe("a grant's expiry", () => {
  it("happens exactly at expires_at, to the millisecond, and removes what remains", () => {
    const before = books({ grants: [grant("g1", { expiresAtMs: NOON, drawnMicros: 30 })] });
    expect(settleDue(before, NOON - 1).books).toBe(before);
    const { books: after, entries, expired } = settleDue(before, NOON);
    expect(entries).toEqual([
      { atMs: NOON, by: "clock", facts: { type: "grant_expired", grant: "g1", amountMicros: 70 } },
    ]);
    expect([...eachGrant(after.grants)][0]).toMatchObject({ drawnMicros: 30, expiredMicros: 70, voided: false });
    expect(expired).toEqual([...eachGrant(after.grants)]);
  });

  it("leaves no entry for a grant that is used up or voided", () => {
    const gone = [
      grant("used", { expiresAtMs: NOON, drawnMicros: 100 }),
      grant("voided", { expiresAtMs: NOON, voidedMicros: 100, voided: true }),
    ];
    expect(settleDue(books({ grants: gone }), NOON).entries).toEqual([]);
  });

  it("happens before a turn at the same instant", () => {
    const both = books({ cycle: { ...used, debtMicros: 5 }, grants: [grant("g1", { expiresAtMs: APRIL })] });
    expect(types(settleDue(both, APRIL).entries)).toEqual(["grant_expired", "debt_written_off", "cycle_started"]);
  });

  it("is recorded in the journal in order of time, between a debt and a turn months later", () => {
    const story = books({
      cycle: { debtMicros: 5 },
      grants: [
        grant("before", { expiresAtMs: NOON }),
        grant("between", { expiresAtMs: MAY, seq: 3 }),
        grant("after", { expiresAtMs: MAY + 20 * DAY_MS, seq: 4 }),
      ],
    });
    const { entries } = settleDue(story, MAY + 25 * DAY_MS);
    expect(entries.map((entry) => [entry.facts.type, entry.atMs])).toEqual([
      ["grant_expired", NOON],
      ["debt_written_off", APRIL],
      ["grant_expired", MAY],
      ["cycle_started", MAY],
      ["grant_expired", MAY + 20 * DAY_MS],
    ]);
  });
});

describe("any stretch of time", () => {
  const zone = fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Australia/Lord_Howe");
  const day = fc.integer({ min: 1, max: 31 });
  const story = fc.record({
    startsIn: zone,
    anchored: day,
    turnsTo: zone,
    anchorDay: day,
    debtMicros: fc.nat(50),
    expiries: fc.array(fc.integer({ min: 1, max: 200 }), { maxLength: 4 }),
    /** Moments at which somebody looks, in half days. */
    looks: fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 8 }),
  });

  type Story = typeof story extends fc.Arbitrary<infer T> ? T : never;

  function begin({ startsIn, anchored, turnsTo, anchorDay, debtMicros, expiries }: Story): Books {
    const bounds = {
      startsAtMs: MARCH,
      endsAtMs: settleDue(books({ settings: { timeZone: startsIn, anchorDay: anchored } }), APRIL).books.cycle.endsAtMs,
    };
    const fresh = freshCycle({ settings: settings() }, bounds);
    return books({
      settings: { timeZone: turnsTo, anchorDay },
      cycle: { ...fresh, debtMicros, monthlyUsedMicros: 1_000 },
      grants: expiries.map((days, i) => grant(`g${i}`, { expiresAtMs: MARCH + days * DAY_MS, seq: i + 2 })),
    });
  }

  it("has the same result in one step as in many, and none when settled again", () => {
    fc.assert(
      fc.property(story, (sample) => {
        const looks = sample.looks.map((halves) => MARCH + (halves * DAY_MS) / 2).sort((a, b) => a - b);
        const before = begin(sample);
        const once = settleDue(before, looks.at(-1) as number);
        const often = looks.reduce((now, lookMs) => settleDue(now, lookMs).books, before);
        expect({ ...often, seq: 0 }).toEqual({ ...once.books, seq: 0 });
        expect(settleDue(once.books, looks.at(-1) as number).books).toBe(once.books);
        expect(once.books.seq - before.seq).toBe(once.entries.length);
      }),
      cases(40),
    );
  });

  it("records entries in order of time, with at most one cycle_started", () => {
    fc.assert(
      fc.property(story, (sample) => {
        const nowMs = MARCH + (Math.max(...sample.looks) * DAY_MS) / 2;
        const { entries, books: after } = settleDue(begin(sample), nowMs);
        const times = entries.map((entry) => entry.atMs);
        expect(times).toEqual([...times].sort((a, b) => a - b));
        expect(types(entries).filter((type) => type === "cycle_started").length).toBeLessThanOrEqual(1);
        expect(after.cycle.startsAtMs).toBeLessThanOrEqual(nowMs);
        expect(after.cycle.endsAtMs).toBeGreaterThan(nowMs);
        expect(nextDueAtMs(after)).toBeGreaterThan(nowMs);
      }),
      cases(40),
    );
  });
});
