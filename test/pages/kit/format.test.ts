// How pages show amounts, percentages, dates and times.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatClock, formatDate, formatDaysOf, formatMoment, formatPeriod } from "../../../src/pages/kit/dates.ts";
import {
  formatAmount,
  formatCharge,
  formatExact,
  formatIdentity,
  formatLasting,
  formatPercent,
  formatRunAmount,
  formatShare,
  formatTick,
  formatTimeLeft,
} from "../../../src/pages/kit/format.ts";

const CREDIT = 1_000_000;
const DOLLAR = 1_000_000;
const MAX_MICROS = Number.MAX_SAFE_INTEGER;
const HOUR = 3_600_000;

describe("amounts", () => {
  it("are whole credits from 100, and have one decimal below", () => {
    expect(
      [0, 0.1, 8, 55.44, 55.45, 99.94, 99.96, 100, 1_240.4, 1_240.5].map((n) => formatAmount(n * CREDIT, "credits")),
    ).toEqual(["0", "0.1", "8.0", "55.4", "55.5", "99.9", "100", "100", "1,240", "1,241"]);
  });

  it("in dollars have two decimals, and four for a single run", () => {
    expect(formatAmount(412.395 * DOLLAR, "usd")).toBe("$412.40");
    expect(formatRunAmount(0.11442 * DOLLAR, "usd")).toBe("$0.1144");
    expect(formatRunAmount(22.55 * CREDIT, "credits")).toBe("22.6");
  });

  it("above zero are never shown as zero", () => {
    expect(formatAmount(1, "usd")).toBe("<$0.01");
    expect(formatRunAmount(49, "usd")).toBe("<$0.0001");
    expect(formatAmount(49_999, "credits")).toBe("<0.1");
    expect(formatAmount(-1, "usd")).toBe(">−$0.01");
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_MICROS }), fc.constantFrom("credits", "usd"), (micros, unit) => {
        expect(/[1-9]/.test(formatAmount(micros, unit as "usd"))).toBe(true);
      }),
      { seed: 4 },
    );
  });

  it("keep every digit up to the largest, and refunds have a minus sign", () => {
    expect(formatAmount(MAX_MICROS, "credits")).toBe("9,007,199,255");
    expect(formatAmount(MAX_MICROS, "usd")).toBe("$9,007,199,254.74");
    expect(formatExact(MAX_MICROS, "usd")).toBe("$9,007,199,254.740991");
    expect(formatAmount(-12.34 * CREDIT, "credits")).toBe("−12.3");
    expect(formatCharge(-12.34 * DOLLAR, "usd")).toBe("−$12.34");
  });

  it("on a receipt show every micro", () => {
    expect(formatExact(225_000, "credits")).toBe("0.225 credits");
    expect(formatExact(1, "credits")).toBe("0.000001 credits");
    expect(formatExact(2 * CREDIT, "credits")).toBe("2.0 credits");
    expect(formatExact(2_250, "usd")).toBe("$0.00225");
    expect(formatExact(5 * DOLLAR, "usd")).toBe("$5.00");
  });
});

describe("a sum with its parts", () => {
  it("gets as many decimals as it needs to add up as shown", () => {
    const sum = formatIdentity([1_500 * CREDIT, 500 * CREDIT, -1_950.4 * CREDIT], 49.6 * CREDIT, "credits");
    expect(sum).toEqual({ parts: ["1,500", "500", "−1,950.4"], sum: "49.6" });
    const whole = formatIdentity([1_500 * CREDIT, 0, -90 * CREDIT], 1_410 * CREDIT, "credits");
    expect(whole).toEqual({ parts: ["1,500", "0", "−90"], sum: "1,410" });
    const tiny = formatIdentity([1_500 * CREDIT, 0, -300], 1_500 * CREDIT - 300, "credits");
    expect(tiny).toEqual({ parts: ["1,500", "0", "−0.0003"], sum: "1,499.9997" });
  });

  it("adds up as shown for any amounts", () => {
    const amount = fc.integer({ min: 0, max: 3_000_000_000_000 });
    fc.assert(
      fc.property(amount, amount, amount, fc.constantFrom("credits" as const, "usd" as const), (a, b, c, unit) => {
        const { parts, sum } = formatIdentity([a, b, -c], a + b - c, unit);
        const read = (text: string) => Math.round(Number(text.replaceAll(/[$,]/g, "").replace("−", "-")) * 1e6);
        expect(parts.reduce((total, part) => total + read(part), 0)).toBe(read(sum));
      }),
      { seed: 5 },
    );
  });
});

describe("percentages", () => {
  it("in the headline are rounded down, and never 0 % for more than zero", () => {
    expect(formatPercent(619, 1_000)).toBe("61 %");
    expect(formatPercent(999_999, 1_000_000)).toBe("99 %");
    expect(formatPercent(1, 1_000)).toBe("<1 %");
    expect(formatPercent(0, 1_000)).toBe("0 %");
    expect(formatPercent(1_512, 1_000)).toBe("151 %");
    expect(formatPercent(5, 0)).toBe("—");
    expect(formatPercent(5, null)).toBe("—");
  });

  it("in tables have one decimal, rounded half up", () => {
    expect(formatShare(1_255, 10_000)).toBe("12.6 %");
    expect(formatShare(1_254, 10_000)).toBe("12.5 %");
    expect(formatShare(1, 1_000_000)).toBe("<0.1 %");
    expect(formatShare(7, 7)).toBe("100.0 %");
    expect(formatShare(0, 0)).toBe("—");
  });
});

describe("times", () => {
  it("left are counted in days, and in hours on the last day", () => {
    expect(formatTimeLeft(8 * 24 * HOUR, 8)).toBe("8 days");
    expect(formatTimeLeft(4.2 * HOUR, 1)).toBe("5 hours");
    expect(formatTimeLeft(1, 1)).toBe("1 hour");
    expect(formatLasting(13.9)).toBe("13 days");
    expect(formatLasting(1)).toBe("1 day");
    expect(formatLasting(0.3)).toBe("7 hours");
  });

  it("are shown in the enterprise's time zone, including half-hour zones", () => {
    const atMs = Date.parse("2026-11-29T20:05:12Z");
    expect(formatDate(atMs, "UTC")).toBe("Sun 29 Nov");
    expect(formatDate(atMs, "Asia/Kolkata")).toBe("Mon 30 Nov");
    expect(formatClock(atMs, "Asia/Kolkata")).toBe("01:35:12");
    expect(formatMoment(atMs, "America/New_York")).toBe("Sun 29 Nov 2026, 15:05");
  });

  it("of a period name its first and last day, without the day on which it ends at midnight", () => {
    const period = (from: string, to: string) => formatPeriod(Date.parse(from), Date.parse(to), "UTC");
    expect(period("2026-11-01T00:00Z", "2026-12-01T00:00Z")).toBe("1–30 Nov 2026");
    expect(period("2026-10-15T00:00Z", "2026-11-15T00:00Z")).toBe("15 Oct – 14 Nov 2026");
    expect(period("2025-12-15T00:00Z", "2026-01-15T00:00Z")).toBe("15 Dec 2025 – 14 Jan 2026");
    expect(formatDaysOf(Date.parse("2026-11-16T00:00Z"), Date.parse("2026-11-23T00:00Z"), "UTC")).toBe("16–22 Nov");
    expect(formatDaysOf(Date.parse("2026-11-16T00:00Z"), Date.parse("2026-11-17T00:00Z"), "UTC")).toBe("Mon 16 Nov");
  });
});

it("shortens the labels of axes", () => {
  expect([0, 0.5, 250, 12_500, 3_000_000, 2_000_000_000].map((n) => formatTick(n * CREDIT, "credits"))).toEqual([
    "0",
    "0.5",
    "250",
    "12.5k",
    "3M",
    "2B",
  ]);
  expect([0, 0.5, 5, -20].map((n) => formatTick(n * DOLLAR, "usd"))).toEqual(["$0", "$0.50", "$5", "−$20"]);
});
