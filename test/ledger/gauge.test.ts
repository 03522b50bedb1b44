import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { gaugeOf } from "../../src/ledger/gauge.ts";
import { APRIL, at, books, byomBooks, grant, NOON } from "../support/books.ts";

const gauge = (of: Books, nowMs = NOON) => gaugeOf("acme", of, nowMs);

describe("the gauge in credits", () => {
  it("shows every sum of the cycle", () => {
    const kept = books({
      settings: { plan: "team" },
      cycle: { monthlyUsedMicros: 300 },
      grants: [grant("g1", { expiresAtMs: APRIL }), grant("g2", { seq: 3 })],
      held: { credits: 50, usd: 7 },
      capMicros: 5,
      seq: 42,
    });
    expect(gauge(kept)).toEqual({
      enterprise: "acme",
      name: "Acme",
      billingModel: "credits",
      unit: "credits",
      plan: "team",
      suspended: false,
      asOfMs: at("2026-03-10T12:00:00.000Z"),
      seq: 42,
      cycle: {
        startsAtMs: at("2026-03-01T00:00:00.000Z"),
        endsAtMs: at("2026-04-01T00:00:00.000Z"),
        daysElapsed: 9,
        daysRemaining: 22,
        daysTotal: 31,
      },
      monthly: { allowanceMicros: 1_000, usedMicros: 300, remainingMicros: 700 },
      bonus: { usedMicros: 0, remainingMicros: 200, nextExpiry: { atMs: at("2026-04-01T00:00:00.000Z"), micros: 100 } },
      spend: null,
      usedMicros: 300,
      totalMicros: 1_200,
      remainingMicros: 900,
      debtMicros: 0,
      heldMicros: 50,
      availableMicros: 850,
      usedPercent: 25,
      avgPerDayMicros: 32,
      // 700 of the allowance and 100 of the second grant: the first one expires before it is drawn.
      runOutDays: 25.33,
      runOutAtMs: at("2026-04-04T20:00:00.000Z"),
      onTrackToRunOut: false,
      alerts: [],
    });
  });

  it("counts as used what was drawn, on allowance and bonus, and what is owed", () => {
    const kept = books({
      cycle: { monthlyUsedMicros: 1_000, bonusUsedMicros: 100, debtMicros: 40 },
      grants: [grant("g1", { drawnMicros: 100 })],
    });
    expect(gauge(kept)).toMatchObject({
      usedMicros: 1_140,
      totalMicros: 1_100,
      remainingMicros: 0,
      debtMicros: 40,
      availableMicros: 0,
      usedPercent: 103.64,
    });
  });

  it("measures against the bonus drawn in this cycle, not in earlier ones", () => {
    const kept = books({
      cycle: { bonusUsedMicros: 30, monthlyUsedMicros: 1_000 },
      grants: [grant("g1", { drawnMicros: 70 })],
    });
    expect(gauge(kept)).toMatchObject({ totalMicros: 1_060, bonus: { usedMicros: 30, remainingMicros: 30 } });
  });

  it("leaves out grants that have ended", () => {
    const kept = books({ grants: [grant("ended", { expiresAtMs: NOON }), grant("voided", { voided: true })] });
    expect(gauge(kept)).toMatchObject({ totalMicros: 1_000, bonus: { remainingMicros: 0, nextExpiry: null } });
  });

  it("adds up all that expires at the soonest expiry", () => {
    const kept = books({
      grants: [
        grant("a", { expiresAtMs: APRIL, drawnMicros: 25 }),
        grant("b", { expiresAtMs: APRIL, seq: 3 }),
        grant("used", { expiresAtMs: NOON + 1, drawnMicros: 100, seq: 4 }),
        grant("later", { expiresAtMs: APRIL + 1, seq: 5 }),
      ],
    });
    expect(gauge(kept).bonus?.nextExpiry).toEqual({ atMs: at("2026-04-01T00:00:00.000Z"), micros: 175 });
  });

  it("has no percentage if there is nothing to divide by", () => {
    const kept = books({ cycle: { allowanceMicros: 0 } });
    expect(gauge(kept)).toMatchObject({
      totalMicros: 0,
      remainingMicros: 0,
      availableMicros: 0,
      usedPercent: null,
      runOutDays: 0,
      onTrackToRunOut: true,
    });
  });
});

describe("the gauge in USD", () => {
  it("measures the spend against the cap, without bonus and debt", () => {
    const kept = byomBooks({
      cycle: { spendUsedMicros: 600, debtMicros: 9, monthlyUsedMicros: 5 },
      capMicros: 2_000,
      held: { credits: 9, usd: 100 },
      grants: [grant("g1")],
    });
    expect(gauge(kept)).toMatchObject({
      unit: "usd",
      monthly: null,
      bonus: null,
      spend: { capMicros: 2_000, usedMicros: 600 },
      usedMicros: 600,
      totalMicros: 2_000,
      remainingMicros: 1_400,
      debtMicros: 0,
      heldMicros: 100,
      availableMicros: 1_300,
      usedPercent: 30,
    });
  });

  it("has no total, remaining, available, percentage or run-out without a cap", () => {
    expect(gauge(byomBooks({ cycle: { spendUsedMicros: 600 } }))).toMatchObject({
      spend: { capMicros: null, usedMicros: 600 },
      usedMicros: 600,
      totalMicros: null,
      remainingMicros: null,
      availableMicros: null,
      usedPercent: null,
      avgPerDayMicros: 63,
      runOutDays: null,
      runOutAtMs: null,
      onTrackToRunOut: false,
    });
  });

  it("under a cap of zero has nothing to divide by, and nothing remains", () => {
    expect(gauge(byomBooks({ capMicros: 0 }))).toMatchObject({
      totalMicros: 0,
      availableMicros: 0,
      usedPercent: null,
      runOutDays: 0,
    });
  });

  it("never shows less than nothing remaining", () => {
    expect(
      gauge(byomBooks({ cycle: { spendUsedMicros: 90 }, capMicros: 50, held: { credits: 0, usd: 9 } })),
    ).toMatchObject({
      remainingMicros: 0,
      availableMicros: 0,
      usedPercent: 180,
    });
  });
});

describe("days", () => {
  const days = (of: Books, iso: string) => {
    const { daysElapsed, daysRemaining, daysTotal } = gauge(of, at(iso)).cycle;
    return [daysElapsed, daysRemaining, daysTotal];
  };

  it("elapsed and remaining are whole, and add up to the days of the cycle", () => {
    expect(days(books(), "2026-03-01T00:00:00Z")).toEqual([0, 31, 31]);
    expect(days(books(), "2026-03-01T23:59:59.999Z")).toEqual([0, 31, 31]);
    expect(days(books(), "2026-03-02T00:00:00Z")).toEqual([1, 30, 31]);
    expect(days(books(), "2026-03-31T23:59:59Z")).toEqual([30, 1, 31]);
  });

  it("are local days: a day of 23 hours counts as one", () => {
    const berlin = books({
      cycle: {
        startsAtMs: at("2026-02-28T23:00:00Z"),
        endsAtMs: at("2026-03-31T22:00:00Z"),
        timeZone: "Europe/Berlin",
      },
    });
    expect(days(berlin, "2026-03-29T21:59:59Z")).toEqual([28, 3, 31]);
    expect(days(berlin, "2026-03-29T22:00:00Z")).toEqual([29, 2, 31]);
    expect(days(berlin, "2026-03-31T21:59:59Z")).toEqual([30, 1, 31]);
  });

  it("are all counted in a cycle that begins where the zone skips midnight", () => {
    const havana = books({
      cycle: {
        startsAtMs: at("2026-03-08T05:00:00Z"),
        endsAtMs: at("2026-04-08T04:00:00Z"),
        timeZone: "America/Havana",
      },
    });
    expect(days(havana, "2026-03-20T12:00:00Z")).toEqual([12, 19, 31]);
  });
});
