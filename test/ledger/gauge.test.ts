// Rule R9: every number of the gauge, its rounding, and where it is null.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { forecastOf, gaugeOf } from "../../src/ledger/gauge.ts";
import { percentOf, reaches, roundToTwo } from "../../src/ledger/micros.ts";
import { APRIL, at, books, byomBooks, DAY_MS, grant, MARCH, NOON } from "./base.ts";
import { cases } from "./cases.ts";

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
      billing_model: "credits",
      unit: "credits",
      plan: "team",
      as_of: "2026-03-10T12:00:00.000Z",
      seq: 42,
      cycle: {
        starts_at: "2026-03-01T00:00:00.000Z",
        ends_at: "2026-04-01T00:00:00.000Z",
        days_elapsed: 9,
        days_remaining: 22,
        days_total: 31,
      },
      monthly: { allowance_micros: 1_000, used_micros: 300, remaining_micros: 700 },
      bonus: { used_micros: 0, remaining_micros: 200, next_expiry: { at: "2026-04-01T00:00:00.000Z", micros: 100 } },
      spend: null,
      used_micros: 300,
      total_micros: 1_200,
      remaining_micros: 900,
      debt_micros: 0,
      held_micros: 50,
      available_micros: 850,
      used_percent: 25,
      avg_per_day_micros: 32,
      run_out_days: 28.5,
      run_out_at: "2026-04-08T00:00:00.000Z",
      on_track_to_run_out: false,
      alerts: [],
    });
  });

  it("counts as used what was drawn, on allowance and bonus, and what is owed", () => {
    const kept = books({
      cycle: { monthlyUsedMicros: 1_000, bonusUsedMicros: 100, debtMicros: 40 },
      grants: [grant("g1", { drawnMicros: 100 })],
    });
    expect(gauge(kept)).toMatchObject({
      used_micros: 1_140,
      total_micros: 1_100,
      remaining_micros: 0,
      debt_micros: 40,
      available_micros: 0,
      used_percent: 103.64,
    });
  });

  it("measures against the bonus drawn in this cycle, not in earlier ones", () => {
    const kept = books({
      cycle: { bonusUsedMicros: 30, monthlyUsedMicros: 1_000 },
      grants: [grant("g1", { drawnMicros: 70 })],
    });
    expect(gauge(kept)).toMatchObject({ total_micros: 1_060, bonus: { used_micros: 30, remaining_micros: 30 } });
  });

  it("leaves out grants that have ended", () => {
    const kept = books({ grants: [grant("ended", { expiresAtMs: NOON }), grant("voided", { voided: true })] });
    expect(gauge(kept)).toMatchObject({ total_micros: 1_000, bonus: { remaining_micros: 0, next_expiry: null } });
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
    expect(gauge(kept).bonus?.next_expiry).toEqual({ at: "2026-04-01T00:00:00.000Z", micros: 175 });
  });

  it("has no percentage where there is nothing to divide by", () => {
    const kept = books({ cycle: { allowanceMicros: 0 } });
    expect(gauge(kept)).toMatchObject({
      total_micros: 0,
      remaining_micros: 0,
      available_micros: 0,
      used_percent: null,
      run_out_days: 0,
      on_track_to_run_out: true,
    });
  });
});

describe("the gauge in USD", () => {
  it("measures the spend against the cap and knows no bonus and no debt", () => {
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
      spend: { cap_micros: 2_000, used_micros: 600 },
      used_micros: 600,
      total_micros: 2_000,
      remaining_micros: 1_400,
      debt_micros: 0,
      held_micros: 100,
      available_micros: 1_300,
      used_percent: 30,
    });
  });

  it("has neither total, remaining, available, percentage nor run-out without a cap", () => {
    expect(gauge(byomBooks({ cycle: { spendUsedMicros: 600 } }))).toMatchObject({
      spend: { cap_micros: null, used_micros: 600 },
      used_micros: 600,
      total_micros: null,
      remaining_micros: null,
      available_micros: null,
      used_percent: null,
      avg_per_day_micros: 63,
      run_out_days: null,
      run_out_at: null,
      on_track_to_run_out: false,
    });
  });

  it("under a cap of zero has nothing to divide by, and nothing remains", () => {
    expect(gauge(byomBooks({ capMicros: 0 }))).toMatchObject({
      total_micros: 0,
      available_micros: 0,
      used_percent: null,
      run_out_days: 0,
    });
  });

  it("never shows less than nothing remaining", () => {
    expect(
      gauge(byomBooks({ cycle: { spendUsedMicros: 90 }, capMicros: 50, held: { credits: 0, usd: 9 } })),
    ).toMatchObject({
      remaining_micros: 0,
      available_micros: 0,
      used_percent: 180,
    });
  });
});

describe("days", () => {
  const days = (of: Books, iso: string) => {
    const { days_elapsed, days_remaining, days_total } = gauge(of, at(iso)).cycle;
    return [days_elapsed, days_remaining, days_total];
  };

  it("elapse whole, and remain to the cycle's number of days", () => {
    expect(days(books(), "2026-03-01T00:00:00Z")).toEqual([0, 31, 31]);
    expect(days(books(), "2026-03-01T23:59:59.999Z")).toEqual([0, 31, 31]);
    expect(days(books(), "2026-03-02T00:00:00Z")).toEqual([1, 30, 31]);
    expect(days(books(), "2026-03-31T23:59:59Z")).toEqual([30, 1, 31]);
  });

  it("are local ones: the 23 hours of a changing clock are one", () => {
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

describe("the forecast", () => {
  const cycle = { startsAtMs: MARCH, endsAtMs: APRIL };
  const forecast = (usedMicros: number, remainingMicros: number | null, days: number) =>
    forecastOf(usedMicros, remainingMicros, cycle, MARCH + days * DAY_MS);

  it("averages over the exact days elapsed, and over one day at least", () => {
    expect(forecast(1_000, 500, 2.5)).toMatchObject({ avgPerDayMicros: 400, runOutDays: 1.25 });
    expect(forecast(1_000, 500, 0.01)).toMatchObject({ avgPerDayMicros: 1_000, runOutDays: 0.5 });
    expect(forecast(1_000, 500, 0)).toMatchObject({ avgPerDayMicros: 1_000, runOutDays: 0.5 });
  });

  it("rounds the average to whole micros but divides by the exact one", () => {
    expect(forecast(10, 100, 3)).toMatchObject({ avgPerDayMicros: 3, runOutDays: 30 });
    expect(forecast(1, 7, 20)).toMatchObject({ avgPerDayMicros: 0, runOutDays: 140 });
  });

  it("has no answer when nothing was used", () => {
    expect(forecast(0, 500, 10)).toEqual({
      avgPerDayMicros: 0,
      runOutDays: null,
      runOutAtMs: null,
      onTrackToRunOut: false,
    });
  });

  it("is 0 when nothing remains, from this moment", () => {
    expect(forecast(500, 0, 10)).toEqual({
      avgPerDayMicros: 50,
      runOutDays: 0,
      runOutAtMs: MARCH + 10 * DAY_MS,
      onTrackToRunOut: true,
    });
  });

  it("is on track only when the run-out comes before the cycle's end", () => {
    expect(forecast(100, 210, 10)).toMatchObject({ runOutDays: 21, runOutAtMs: APRIL, onTrackToRunOut: false });
    expect(forecast(100, 209, 10)).toMatchObject({ runOutDays: 20.9, onTrackToRunOut: true });
  });

  it("names no date more than ten years away", () => {
    expect(forecast(1, 3_660, 1)).toEqual({
      avgPerDayMicros: 1,
      runOutDays: 3_660,
      runOutAtMs: null,
      onTrackToRunOut: false,
    });
    expect(forecast(1, 3_650, 1).runOutAtMs).toBe(MARCH + 3_651 * DAY_MS);
    expect(forecast(1, Number.MAX_SAFE_INTEGER, 1).runOutAtMs).toBeNull();
  });

  it("is shown with two decimals", () => {
    const kept = books({ cycle: { monthlyUsedMicros: 300, allowanceMicros: 1_000 } });
    const shown = gauge(kept, MARCH + 7 * DAY_MS);
    expect(shown).toMatchObject({ avg_per_day_micros: 43, run_out_days: 16.33, used_percent: 30 });
    expect(roundToTwo(16.335)).toBeCloseTo(16.34, 5);
  });
});

describe("a percentage", () => {
  it("has two decimals, half up", () => {
    expect(percentOf(1, 3)).toBe(33.33);
    expect(percentOf(2, 3)).toBe(66.67);
    expect(percentOf(1_005, 100_000)).toBe(1.01);
    expect(percentOf(57, 800)).toBe(7.13);
    expect(percentOf(69, 800)).toBe(8.63);
    expect(percentOf(1, 20_000)).toBe(0.01);
    expect(percentOf(1, 20_001)).toBe(0);
    expect(percentOf(150, 100)).toBe(150);
    expect(percentOf(Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)).toBe(100);
  });

  it("is null where there is nothing to divide by", () => {
    expect(percentOf(5, 0)).toBeNull();
    expect(percentOf(5, null)).toBeNull();
  });

  const amount = fc.oneof(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }));

  it("is the nearest hundredth, in whole numbers", () => {
    fc.assert(
      fc.property(amount, amount, (part, whole) => {
        fc.pre(whole > 0 && part / whole < 10_000);
        const hundredths = BigInt(Math.round((percentOf(part, whole) as number) * 100));
        const twice = 2n * (hundredths * BigInt(whole) - BigInt(part) * 10_000n);
        expect(twice > -BigInt(whole) && twice <= BigInt(whole)).toBe(true);
      }),
      cases(40),
    );
  });

  it("reaches a threshold exactly at it", () => {
    expect(reaches(95, 100, 95)).toBe(true);
    expect(reaches(94, 100, 95)).toBe(false);
    fc.assert(
      fc.property(amount, amount, fc.constantFrom(50, 75, 90, 95), (part, whole, percent) => {
        expect(reaches(part, whole, percent)).toBe(BigInt(part) * 100n >= BigInt(whole) * BigInt(percent));
      }),
      cases(20),
    );
  });
});
