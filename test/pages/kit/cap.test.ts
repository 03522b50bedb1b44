// The spend cap in the forms: parsing what a person types, the preview, and when to ask before saving.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capText, isSpent, parseCap, previewOf } from "../../../src/pages/kit/cap.ts";
import { byomGauge, UNIT } from "../gauges.ts";

const NOW = "2026-11-23T12:00:00.000Z";

describe("a typed cap", () => {
  it("may be written as people write dollars", () => {
    expect(["500", "500.5", "$500.50", " 1,200.00 ", "1.00", "1000000"].map(parseCap)).toEqual(
      [500, 500.5, 500.5, 1_200, 1, 1_000_000].map((dollars) => dollars * UNIT),
    );
  });

  it("is refused with a reason if it is not an amount or out of range", () => {
    for (const text of ["", "abc", "1e3", "-5", "5.123", "1,20", "٥٠", "5 0", "0x10", "NaN"]) {
      expect(parseCap(text), text).toBe("Enter an amount in dollars, such as 500.00.");
    }
    for (const text of ["0", "0.99", "1000000.01", "999999999"]) {
      expect(parseCap(text), text).toBe("The cap must be between $1.00 and $1,000,000.00.");
    }
  });

  it("is parsed back from its formatted text without loss", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 100_000_000 }), (cents) => {
        expect(parseCap(capText(cents * 10_000))).toBe(cents * 10_000);
      }),
      { seed: 6 },
    );
  });
});

it("counts a cap as spent if it is at or below the amount used", () => {
  const gauge = byomGauge({ now: NOW, used: 412, cap: 500 });
  expect([411, 412, 413, null].map((cap) => isSpent(gauge, cap === null ? null : cap * UNIT))).toEqual([
    true,
    true,
    false,
    false,
  ]);
  expect(isSpent(byomGauge({ now: NOW, used: 0 }), UNIT)).toBe(false);
});

describe("the preview of a cap", () => {
  const preview = (used: number, cap: number | null) =>
    previewOf(byomGauge({ now: NOW, used, cap: 500 }), cap === null ? null : cap * UNIT, "UTC");

  it("says how long a cap lasts at the current pace", () => {
    expect(preview(360, 400)).toBe("At the current pace of $16.00 a day, $400.00 is reached around Thu 26 Nov.");
    expect(preview(360, 600)).toBe(
      "At the current pace of $16.00 a day, $600.00 lasts beyond the reset on Tue 1 Dec, with about $120.00 to spare.",
    );
  });

  it("says what happens with a cap below the spending, with nothing spent, and without a cap", () => {
    expect(preview(360, 300)).toBe(
      "$360.00 is already spent: with a cap of $300.00, no new run starts until Tue 1 Dec.",
    );
    expect(preview(0, 300)).toBe("Nothing is spent yet: all of $300.00 is available until Tue 1 Dec.");
    expect(preview(360, null)).toBe("Without a cap, spending has no limit.");
  });
});
