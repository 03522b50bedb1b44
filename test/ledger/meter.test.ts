// Rule R2: how running totals join, in any order.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Kind } from "../../src/ledger/kinds.ts";
import { isKept, joinReading, METER_RETENTION_MS, type Reading } from "../../src/ledger/meter.ts";
import { DAY_MS, meter, NOON, tokens } from "../support/books.ts";
import { cases } from "../support/cases.ts";

const open = (input: number, output = 0): Reading => ({
  usage: tokens({ input, output }),
  final: false,
  estimated: false,
});
const final = (input: number, output = 0): Reading => ({
  usage: tokens({ input, output }),
  final: true,
  estimated: false,
});
const joinAll = (readings: readonly Reading[]) =>
  readings.reduce<Reading | null>((known, reading) => joinReading(known, reading), null);

describe("a meter", () => {
  it("takes the first report as it is", () => {
    expect(joinReading(null, open(5, 7))).toEqual(open(5, 7));
  });

  it("keeps the largest total of each kind on its own", () => {
    expect(joinReading(open(100, 1), open(50, 9))).toEqual(open(100, 9));
    const known = { usage: { input: 1, output: 8, cache_read: 3, cache_write: 6 }, final: false, estimated: false };
    const report = { usage: { input: 5, output: 2, cache_read: 7, cache_write: 4 }, final: false, estimated: false };
    expect(joinReading(known, report).usage).toEqual({ input: 5, output: 8, cache_read: 7, cache_write: 6 });
  });

  it("is the same object after a duplicate or an older report", () => {
    const known = open(100, 10);
    expect(joinReading(known, open(100, 10))).toBe(known);
    expect(joinReading(known, open(40, 10))).toBe(known);
    expect(joinReading(known, open(0))).toBe(known);
  });

  it("closes with exactly the totals of a final report, even if they are lower", () => {
    expect(joinReading(open(100, 10), final(60, 20))).toEqual(final(60, 20));
    expect(joinReading(open(100, 10), final(100, 10))).toEqual(final(100, 10));
    expect(joinReading(null, final(1))).toEqual(final(1));
  });

  it("ignores further reports after a final one", () => {
    const known = final(60);
    expect(joinReading(known, open(500, 500))).toBe(known);
    expect(joinReading(known, final(60))).toBe(known);
    expect(joinReading(known, final(10))).toBe(known);
  });

  it("joins two finals with different totals to the larger of each kind", () => {
    expect(joinReading(final(60, 5), final(50, 9))).toEqual(final(60, 9));
  });

  const count = fc.integer({ min: 0, max: 4 });
  const reading: fc.Arbitrary<Reading> = fc.record({
    usage: fc.record({ input: count, output: count, cache_read: count, cache_write: count }),
    final: fc.boolean(),
    estimated: fc.boolean(),
  });

  it("has the same result for any order and any repetition of the same reports", () => {
    const story = fc.array(reading, { minLength: 1, maxLength: 6 }).chain((reports) =>
      fc.record({
        reports: fc.constant(reports),
        shuffled: fc.shuffledSubarray([...reports, ...reports, ...reports], { minLength: reports.length * 3 }),
      }),
    );
    fc.assert(
      fc.property(story, ({ reports, shuffled }) => {
        expect(joinAll(shuffled)).toEqual(joinAll(reports));
      }),
      cases(50),
    );
  });

  it("has the largest totals of the exact finals, or of all reports without an exact final", () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 6 }), (reports) => {
        const exact = reports.filter((report) => report.final && !report.estimated);
        const counted = exact.length > 0 ? exact : reports;
        const largest = (kind: Kind) => Math.max(...counted.map((report) => report.usage[kind] ?? 0));
        expect(joinAll(reports)).toEqual({
          usage: {
            input: largest("input"),
            output: largest("output"),
            cache_read: largest("cache_read"),
            cache_write: largest("cache_write"),
          },
          final: reports.some((report) => report.final),
          estimated: exact.length === 0 && reports.some((report) => report.estimated),
        });
      }),
      cases(50),
    );
  });
});

describe("the retention of meters", () => {
  it("lasts exactly 35 days from the last report, to the millisecond", () => {
    const reported = meter({ lastReportAtMs: NOON });
    expect(METER_RETENTION_MS).toBe(35 * DAY_MS);
    expect(isKept(reported, NOON, NOON + 35 * DAY_MS)).toBe(true);
    expect(isKept(reported, NOON, NOON + 35 * DAY_MS + 1)).toBe(false);
  });

  it("lasts at least as long as its run could count as new", () => {
    // Started five minutes ahead of its only report: forgotten at once it would be accepted, and charged, again.
    const startedAtMs = NOON + 300_000;
    expect(isKept(meter({ lastReportAtMs: NOON }), startedAtMs, NOON + 35 * DAY_MS + 1)).toBe(true);
    expect(isKept(meter({ lastReportAtMs: NOON }), startedAtMs, startedAtMs + 35 * DAY_MS + 1)).toBe(false);
  });
});
