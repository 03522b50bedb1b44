// Rule R9: when what remains will run out, and how percentages are rounded.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { forecastOf } from "../../src/ledger/forecast.ts";
import { gaugeOf } from "../../src/ledger/gauge.ts";
import { percentOf, reaches, roundToTwo } from "../../src/ledger/micros.ts";
import { APRIL, books, DAY_MS, HOUR_MS, MARCH, NOON } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const gauge = (of: Books, nowMs = NOON) => gaugeOf("acme", of, nowMs);

describe("the forecast", () => {
  const cycle = { startsAtMs: MARCH, endsAtMs: APRIL };
  const forecast = (usedMicros: number, remainingMicros: number | null, days: number) =>
    forecastOf(usedMicros, { lastingMicros: remainingMicros, grants: [] }, cycle, MARCH + days * DAY_MS);

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
      leftAtResetMicros: null,
      expiringMicros: 0,
    });
  });

  it("is 0 when nothing remains, from this moment", () => {
    expect(forecast(500, 0, 10)).toEqual({
      avgPerDayMicros: 50,
      runOutDays: 0,
      runOutAtMs: MARCH + 10 * DAY_MS,
      onTrackToRunOut: true,
      leftAtResetMicros: 0,
      expiringMicros: 0,
    });
  });

  it("is on track only when the run-out comes before the cycle's end", () => {
    expect(forecast(100, 210, 10)).toMatchObject({ runOutDays: 21, runOutAtMs: APRIL, onTrackToRunOut: false });
    expect(forecast(100, 209, 10)).toMatchObject({ runOutDays: 20.9, onTrackToRunOut: true });
  });

  it("names no date more than ten years away", () => {
    expect(forecast(1, 3_660, 1)).toMatchObject({
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
    expect(shown).toMatchObject({ avgPerDayMicros: 43, runOutDays: 16.33, usedPercent: 30 });
    expect(roundToTwo(16.335)).toBeCloseTo(16.34, 5);
  });
});

describe("a forecast with grants that expire", () => {
  const day = (days: number) => MARCH + days * DAY_MS;
  const cycle = { startsAtMs: MARCH, endsAtMs: APRIL };

  it("ends when the last grant expires, if the allowance is used up by then", () => {
    // 100 a day: 500 of the allowance last for 5 days. Then 1,000 of bonus are drawn for 3 days, until they expire.
    const credit = { lastingMicros: 500, grants: [{ micros: 1_000, expiresAtMs: day(18) }] };
    expect(forecastOf(1_000, credit, cycle, day(10))).toEqual({
      avgPerDayMicros: 100,
      runOutDays: 8,
      runOutAtMs: day(18),
      onTrackToRunOut: true,
      leftAtResetMicros: 0,
      expiringMicros: 700,
    });
  });

  it("ignores a grant that expires before it is drawn", () => {
    const credit = { lastingMicros: 500, grants: [{ micros: 1_000, expiresAtMs: day(14) }] };
    expect(forecastOf(1_000, credit, cycle, day(10))).toMatchObject({ runOutAtMs: day(15), expiringMicros: 1_000 });
  });

  it("draws on grants without expiry last, and beyond the cycle", () => {
    const grants = [
      { micros: 300, expiresAtMs: day(20) },
      { micros: 5_000, expiresAtMs: null },
    ];
    expect(forecastOf(1_000, { lastingMicros: 100, grants }, cycle, day(10))).toEqual({
      avgPerDayMicros: 100,
      runOutDays: 54,
      runOutAtMs: day(64),
      onTrackToRunOut: false,
      leftAtResetMicros: 3_300,
      expiringMicros: 0,
    });
  });

  it("equals a simulation in small steps", () => {
    const open = fc.record({
      micros: fc.integer({ min: 1, max: 2_000 }),
      expiresAtMs: fc.option(fc.integer({ min: 1, max: 60 * 24 }).map((hours) => day(10) + hours * HOUR_MS)),
    });
    const grants = fc
      .array(open, { maxLength: 8 })
      .map((list) =>
        list.sort((a, b) => (a.expiresAtMs ?? Number.MAX_SAFE_INTEGER) - (b.expiresAtMs ?? Number.MAX_SAFE_INTEGER)),
      );
    const amount = fc.integer({ min: 0, max: 3_000 });
    fc.assert(
      fc.property(fc.integer({ min: 300, max: 3_000 }), amount, grants, (used, lastingMicros, list) => {
        const found = forecastOf(used, { lastingMicros, grants: list }, cycle, day(10));
        const expected = simulate(used / 10, lastingMicros, list, day(10));
        // A step is one hour, and ends at an hour; so does each expiry.
        expect(Math.abs((found.runOutDays ?? 0) - expected.days)).toBeLessThanOrEqual(1 / 24 + 1e-9);
        expect(Math.abs((found.leftAtResetMicros ?? 0) - expected.leftAtReset)).toBeLessThanOrEqual(1);
      }),
      cases(3_334, 10_000),
    );
  });

  /** Draws hour by hour until nothing usable is left. */
  function simulate(
    perDay: number,
    lasting: number,
    grants: readonly { micros: number; expiresAtMs: number | null }[],
    nowMs: number,
  ): { days: number; leftAtReset: number } {
    const buckets = [{ left: lasting, endsMs: Number.POSITIVE_INFINITY }].concat(
      grants.map(({ micros, expiresAtMs }) => ({ left: micros, endsMs: expiresAtMs ?? Number.POSITIVE_INFINITY })),
    );
    let leftAtReset = 0;
    for (let hour = 0; ; hour++) {
      const atMs = nowMs + hour * HOUR_MS;
      const usable = buckets.filter(({ endsMs, left }) => endsMs > atMs && left > 1e-7);
      if (atMs === APRIL) leftAtReset = usable.reduce((sum, { left }) => sum + left, 0);
      if (usable.length === 0 && (hour > 0 || atMs >= APRIL)) return { days: hour / 24, leftAtReset };
      if (usable.length === 0) return { days: 0, leftAtReset };
      let need = perDay / 24;
      for (const bucket of usable) {
        const part = Math.min(bucket.left, need);
        bucket.left -= part;
        need -= part;
      }
    }
  }
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
