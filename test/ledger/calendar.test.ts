// The spans of the chart, and whole local days, also around changes of daylight saving time.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  dayStart,
  hourStart,
  localTime,
  makeCalendar,
  type Range,
  spansOf,
  wholeDays,
} from "../../src/ledger/calendar.ts";
import { at, DAY_MS, HOUR_MS, MINUTE_MS } from "../support/books.ts";
import { cases } from "../support/cases.ts";
import { datesBetween, firstInstantOf, localDateOf } from "../support/reference-calendar.ts";

/** Zones, each with an instant at which its clocks change. */
const CHANGES = [
  ["UTC", "2026-03-29T00:00:00Z"],
  ["Europe/Berlin", "2026-03-29T01:00:00Z"],
  ["Europe/Berlin", "2026-10-25T01:00:00Z"],
  ["Australia/Lord_Howe", "2026-04-04T15:00:00Z"],
  ["Australia/Lord_Howe", "2026-10-03T15:30:00Z"],
  ["America/Havana", "2026-03-08T05:00:00Z"],
  ["America/Havana", "2026-11-01T05:00:00Z"],
  ["America/St_Johns", "2026-03-08T05:30:00Z"],
  ["Africa/Cairo", "2026-04-23T22:00:00Z"],
  ["Asia/Kolkata", "2026-03-08T18:30:00Z"],
] as const;
/** A zone and a moment in it: half of them within hours of a change of clocks. */
const moments = fc.constantFrom(...CHANGES).chain(([zone, change]) =>
  fc.record({
    zone: fc.constant(zone),
    nowMs: fc.oneof(
      fc.integer({ min: -3 * HOUR_MS, max: 3 * HOUR_MS }).map((by) => at(change) + by),
      fc.integer({ min: at("2024-01-01T00:00:00Z"), max: at("2028-01-01T00:00:00Z") }),
    ),
  }),
);

const short = (ms: number) => new Date(ms).toISOString().replace(":00.000Z", "Z");
const spans = (range: Range, now: string, timeZone = "UTC") => spansOf(range, at(now), timeZone).spans;
const starts = (range: Range, now: string, timeZone = "UTC") =>
  spans(range, now, timeZone).map((span) => short(span.startsAtMs));
const lengths = (range: Range, now: string, timeZone: string, unitMs: number) =>
  spans(range, now, timeZone).map((span) => (span.endsAtMs - span.startsAtMs) / unitMs);
const minutesOf = (span: { startsAtMs: number; endsAtMs: number } | undefined) =>
  span === undefined ? null : (span.endsAtMs - span.startsAtMs) / MINUTE_MS;

describe("24h", () => {
  it("is 24 hours that end with the current one", () => {
    const { granularity, spans: hours } = spansOf("24h", at("2026-03-10T14:05:00Z"), "UTC");
    expect(granularity).toBe("hour");
    expect(hours).toHaveLength(24);
    expect(short(hours[0]?.startsAtMs ?? 0)).toBe("2026-03-09T15:00Z");
    expect(short(hours[23]?.startsAtMs ?? 0)).toBe("2026-03-10T14:00Z");
    expect(short(hours[23]?.endsAtMs ?? 0)).toBe("2026-03-10T15:00Z");
  });

  it("starts a new last hour exactly at the full hour", () => {
    expect(starts("24h", "2026-03-10T14:00:00Z").at(-1)).toBe("2026-03-10T14:00Z");
    expect(starts("24h", "2026-03-10T13:59:59.999Z").at(-1)).toBe("2026-03-10T13:00Z");
  });

  it("has its boundaries on the half-hour in a half-hour zone", () => {
    expect(starts("24h", "2026-03-10T14:05:00Z", "Asia/Kolkata").at(-1)).toBe("2026-03-10T13:30Z");
    expect(starts("24h", "2026-03-10T14:05:00Z", "Asia/Kathmandu").at(-1)).toBe("2026-03-10T13:15Z");
  });

  it("shows both hours of a repeated one, and none of a skipped one", () => {
    const repeated = starts("24h", "2026-10-25T02:30:00Z", "Europe/Berlin");
    expect(repeated.slice(-3)).toEqual(["2026-10-25T00:00Z", "2026-10-25T01:00Z", "2026-10-25T02:00Z"]);
    const skipped = starts("24h", "2026-03-29T01:30:00Z", "Europe/Berlin");
    expect(skipped.slice(-2)).toEqual(["2026-03-29T00:00Z", "2026-03-29T01:00Z"]);
    expect(new Set(repeated).size).toBe(24);
    expect(new Set(skipped).size).toBe(24);
  });

  it("cuts and stretches one local hour where daylight saving is half an hour", () => {
    // Lord Howe: 02:00 becomes 02:30 on 4 October 2026; 02:00 becomes 01:30 on 5 April 2026.
    expect(minutesOf(spans("24h", "2026-10-03T15:45:00Z", "Australia/Lord_Howe").at(-1))).toBe(30);
    const stretched = spans("24h", "2026-04-04T16:00:00Z", "Australia/Lord_Howe");
    expect(minutesOf(stretched.at(-2))).toBe(90);
    expect(short(stretched.at(-1)?.startsAtMs ?? 0)).toBe("2026-04-04T15:30Z");
  });

  it("contains the present in the last half of a stretched hour", () => {
    const last = spans("24h", "2026-04-04T15:15:00Z", "Australia/Lord_Howe").at(-1);
    expect(short(last?.startsAtMs ?? 0)).toBe("2026-04-04T14:00Z");
    expect(short(last?.endsAtMs ?? 0)).toBe("2026-04-04T15:30Z");
  });
});

describe("7d", () => {
  it("is seven local days that end with today, whose end is in the future", () => {
    const { granularity } = spansOf("7d", at("2026-03-10T14:05:00Z"), "UTC");
    expect(granularity).toBe("day");
    expect(starts("7d", "2026-03-10T14:05:00Z")).toEqual([
      "2026-03-04T00:00Z",
      "2026-03-05T00:00Z",
      "2026-03-06T00:00Z",
      "2026-03-07T00:00Z",
      "2026-03-08T00:00Z",
      "2026-03-09T00:00Z",
      "2026-03-10T00:00Z",
    ]);
    expect(short(spans("7d", "2026-03-10T14:05:00Z").at(-1)?.endsAtMs ?? 0)).toBe("2026-03-11T00:00Z");
  });

  it("takes today from the zone, not from UTC", () => {
    expect(starts("7d", "2026-03-10T20:00:00Z", "Asia/Kolkata").at(-1)).toBe("2026-03-10T18:30Z");
    expect(starts("7d", "2026-03-10T02:00:00Z", "America/New_York").at(-1)).toBe("2026-03-09T04:00Z");
  });

  it("has a day of 23 or 25 hours around daylight saving", () => {
    expect(lengths("7d", "2026-03-30T12:00:00Z", "Europe/Berlin", HOUR_MS)).toEqual([24, 24, 24, 24, 24, 23, 24]);
    expect(lengths("7d", "2026-10-25T12:00:00Z", "Europe/Berlin", HOUR_MS)).toEqual([24, 24, 24, 24, 24, 24, 25]);
    expect(lengths("7d", "2026-04-05T12:00:00Z", "Australia/Lord_Howe", HOUR_MS).at(-1)).toBe(24.5);
  });
});

describe("30d", () => {
  it("is five weeks of which the oldest is cut to the 30-day window", () => {
    const { granularity } = spansOf("30d", at("2026-03-31T14:05:00Z"), "UTC");
    expect(granularity).toBe("week");
    expect(starts("30d", "2026-03-31T14:05:00Z")).toEqual([
      "2026-03-02T00:00Z",
      "2026-03-04T00:00Z",
      "2026-03-11T00:00Z",
      "2026-03-18T00:00Z",
      "2026-03-25T00:00Z",
    ]);
    expect(lengths("30d", "2026-03-31T14:05:00Z", "UTC", DAY_MS)).toEqual([2, 7, 7, 7, 7]);
  });

  it("keeps local midnights over daylight saving", () => {
    expect(lengths("30d", "2026-04-10T12:00:00Z", "Europe/Berlin", HOUR_MS)).toEqual([48, 168, 168, 167, 168]);
  });
});

describe("any range", () => {
  it("has no gap, no overlap, and the present in its last bucket", () => {
    fc.assert(
      fc.property(moments, fc.constantFrom<Range>("24h", "7d", "30d"), ({ nowMs, zone }, range) => {
        const buckets = spansOf(range, nowMs, zone).spans;
        expect(buckets).toHaveLength({ "24h": 24, "7d": 7, "30d": 5 }[range]);
        for (const [i, bucket] of buckets.entries()) {
          expect(bucket.endsAtMs).toBeGreaterThan(bucket.startsAtMs);
          if (i > 0) expect(bucket.startsAtMs).toBe(buckets[i - 1]?.endsAtMs);
        }
        expect(buckets.at(-1)?.startsAtMs).toBeLessThanOrEqual(nowMs);
        expect(buckets.at(-1)?.endsAtMs).toBeGreaterThan(nowMs);
      }),
      cases(30),
    );
  });

  it("puts every instant of a bucket into that bucket, as totals by hour and day are keyed", () => {
    fc.assert(
      fc.property(moments, fc.nat(999), ({ nowMs, zone }, permille) => {
        const calendar = makeCalendar(zone);
        for (const range of ["24h", "7d"] as const) {
          for (const { startsAtMs, endsAtMs } of spansOf(range, nowMs, zone).spans) {
            const inside = startsAtMs + Math.floor(((endsAtMs - startsAtMs) * permille) / 1_000);
            const key = range === "24h" ? calendar.hourStart(inside) : calendar.dayStart(inside);
            expect(key).toBe(startsAtMs);
          }
        }
      }),
      cases(10),
    );
  });
});

describe("local days", () => {
  it("start where the zone's date changes", () => {
    expect(short(dayStart(at("2026-03-10T20:00:00Z"), "Asia/Kolkata"))).toBe("2026-03-10T18:30Z");
    expect(short(dayStart(at("2026-03-08T12:00:00Z"), "America/Havana"))).toBe("2026-03-08T05:00Z");
    expect(short(hourStart(at("2026-03-10T20:10:00Z"), "Asia/Kolkata"))).toBe("2026-03-10T19:30Z");
  });

  it("are the same with a cache", () => {
    const calendar = makeCalendar("Europe/Berlin");
    for (const instant of ["2026-10-25T00:59:00Z", "2026-10-25T01:01:00Z", "2026-10-25T00:59:00Z"]) {
      expect(calendar.hourStart(at(instant))).toBe(hourStart(at(instant), "Europe/Berlin"));
      expect(calendar.dayStart(at(instant))).toBe(dayStart(at(instant), "Europe/Berlin"));
    }
  });

  it("count whole, around daylight saving too", () => {
    const days = (from: string, to: string, zone = "UTC") => wholeDays(at(from), at(to), zone);
    expect(days("2026-03-01T00:00:00Z", "2026-03-01T23:59:59Z")).toBe(0);
    expect(days("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z")).toBe(1);
    expect(days("2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z", "Europe/Berlin")).toBe(31);
    expect(days("2026-02-28T23:00:00Z", "2026-03-29T21:59:59Z", "Europe/Berlin")).toBe(28);
    expect(days("2026-02-28T23:00:00Z", "2026-03-29T22:00:00Z", "Europe/Berlin")).toBe(29);
    expect(days("2026-09-30T22:00:00Z", "2026-10-31T23:00:00Z", "Europe/Berlin")).toBe(31);
  });

  it("count a day whose midnight the zone skipped as whole", () => {
    // From 8 March 01:00, Havana's first instant of that day, to 8 April 00:00.
    expect(wholeDays(at("2026-03-08T05:00:00Z"), at("2026-04-08T04:00:00Z"), "America/Havana")).toBe(31);
    expect(wholeDays(at("2026-03-08T05:00:00Z"), at("2026-03-09T04:00:00Z"), "America/Havana")).toBe(1);
  });

  it("equal the number of dates passed, from the start of any day", () => {
    fc.assert(
      fc.property(moments, fc.integer({ min: 0, max: 40 * DAY_MS }), ({ nowMs, zone }, length) => {
        const startMs = firstInstantOf(localDateOf(nowMs, zone), zone);
        expect(wholeDays(startMs, startMs + length, zone)).toBe(datesBetween(startMs, startMs + length, zone));
      }),
      cases(50),
    );
  });
});

describe("a local time", () => {
  it.each([
    ["2026-03-31T12:00:00Z", "2026-03-31T14:00:00+02:00"],
    ["2026-03-31T12:00:00.740Z", "2026-03-31T14:00:00.740+02:00"],
    ["2026-03-31T12:00:00.100Z", "2026-03-31T14:00:00.100+02:00"],
    ["2026-03-31T12:00:00.005Z", "2026-03-31T14:00:00.005+02:00"],
  ])("of %s is %s: whole seconds, or three digits of a second", (instant, local) => {
    expect(localTime(at(instant), "Europe/Berlin")).toBe(local);
  });
});
