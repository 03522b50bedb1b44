// Rule R9: when what remains will run out, and how percentages are rounded.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { forecastOf } from "../../src/ledger/forecast.ts";
import { gaugeOf } from "../../src/ledger/gauge.ts";
import { percentOf, reaches, roundToTwo } from "../../src/ledger/micros.ts";
import { APRIL, books, DAY_MS, MARCH, NOON } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const gauge = (of: Books, nowMs = NOON) => gaugeOf("acme", of, nowMs);

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
    expect(shown).toMatchObject({ avgPerDayMicros: 43, runOutDays: 16.33, usedPercent: 30 });
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
