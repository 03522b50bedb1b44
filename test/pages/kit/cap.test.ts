import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capText, isSpent, parseCap, previewOf } from "../../../src/pages/kit/cap.ts";
import { byomGauge, UNIT } from "../gauges.ts";

const NOW = "2026-11-23T12:00:00.000Z";

describe("the text of a cap", () => {
  it("is read as people write dollars", () => {
    expect(["500", "500.5", "$500.50", " 1,200.00 ", "1.00", "1000000"].map(parseCap)).toEqual(
      [500, 500.5, 500.5, 1_200, 1, 1_000_000].map((dollars) => dollars * UNIT),
    );
  });

  it("is refused with a reason when it is no amount, or out of bounds", () => {
    for (const text of ["", "abc", "1e3", "-5", "5.123", "1,20", "٥٠", "5 0", "0x10", "NaN"]) {
      expect(parseCap(text), text).toBe("Write an amount in dollars, such as 500.00.");
    }
    for (const text of ["0", "0.99", "1000000.01", "999999999"]) {
      expect(parseCap(text), text).toBe("The cap must lie between $1.00 and $1,000,000.00.");
    }
  });

  it("comes back as it was shown", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 100_000_000 }), (cents) => {
        expect(parseCap(capText(cents * 10_000))).toBe(cents * 10_000);
      }),
      { seed: 6 },
    );
  });
});

it("asks first exactly where runs would stop at once", () => {
  const gauge = byomGauge({ now: NOW, used: 412, cap: 500 });
  expect([411, 412, 413, null].map((cap) => isSpent(gauge, cap === null ? null : cap * UNIT))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(isSpent(byomGauge({ now: NOW, used: 0 }), UNIT)).toBe(false);
});

describe("the preview", () => {
  const preview = (used: number, cap: number | null) =>
    previewOf(byomGauge({ now: NOW, used, cap: 500 }), cap === null ? null : cap * UNIT, "UTC");

  it("says how long a cap lasts at today's pace", () => {
    expect(preview(360, 400)).toBe("At today's pace of $16.00 a day, $400.00 is reached about Thu 26 Nov.");
    expect(preview(360, 600)).toBe(
      "At today's pace of $16.00 a day, $600.00 lasts beyond the reset on Tue 1 Dec, with about $120.00 to spare.",
    );
  });

  it("says what a cap below the spending does, and what none does", () => {
    expect(preview(360, 300)).toBe(
      "$360.00 is spent already: with a cap of $300.00 no new run starts until Tue 1 Dec.",
    );
    expect(preview(0, 300)).toBe("Nothing is spent yet: all of $300.00 is there until Tue 1 Dec.");
    expect(preview(360, null)).toBe("Without a cap nothing stops the spending.");
  });
});
