// Rule R4: where billing cycles begin and end, in any zone, always from the anchor.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { cycleAfter, cycleAt, isTimeZone } from "../../src/ledger/cycle.ts";
import { at, DAY_MS } from "../support/books.ts";
import { cases } from "../support/cases.ts";
import { cycleHolding } from "../support/reference-calendar.ts";

const iso = (bounds: { startsAtMs: number; endsAtMs: number }) =>
  [bounds.startsAtMs, bounds.endsAtMs].map((ms) => new Date(ms).toISOString().replace(":00.000Z", "Z"));
const cycle = (instant: string, timeZone = "UTC", anchorDay = 1) => iso(cycleAt(at(instant), timeZone, anchorDay));
const following = (ended: string, instant: string, timeZone = "UTC", anchorDay = 1) =>
  iso(cycleAfter(at(ended), at(instant), timeZone, anchorDay));

/** The starts of the next `count` cycles, each from the end of the one before. */
function startsFrom(instant: string, count: number, timeZone: string, anchorDay: number): string[] {
  let bounds = cycleAt(at(instant), timeZone, anchorDay);
  const starts: string[] = [];
  for (let i = 0; i < count; i++) {
    starts.push(iso(bounds)[0] as string);
    bounds = cycleAfter(bounds.endsAtMs, bounds.endsAtMs, timeZone, anchorDay);
  }
  return starts;
}

describe("a cycle", () => {
  it("runs from the anchor's midnight to the next month's, half-open", () => {
    expect(cycle("2026-03-10T12:00:00Z")).toEqual(["2026-03-01T00:00Z", "2026-04-01T00:00Z"]);
    expect(cycle("2026-03-01T00:00:00Z")).toEqual(["2026-03-01T00:00Z", "2026-04-01T00:00Z"]);
    expect(cycle("2026-03-31T23:59:59.999Z")).toEqual(["2026-03-01T00:00Z", "2026-04-01T00:00Z"]);
    expect(cycle("2026-04-01T00:00:00Z")).toEqual(["2026-04-01T00:00Z", "2026-05-01T00:00Z"]);
  });

  it("began last month if this month's anchor is still ahead, across new year too", () => {
    expect(cycle("2026-03-14T23:00:00Z", "UTC", 15)).toEqual(["2026-02-15T00:00Z", "2026-03-15T00:00Z"]);
    expect(cycle("2026-01-10T00:00:00Z", "UTC", 15)).toEqual(["2025-12-15T00:00Z", "2026-01-15T00:00Z"]);
  });

  it("anchored on the 31st starts on the last day of shorter months and never drifts", () => {
    expect(startsFrom("2026-01-31T00:00:00Z", 6, "UTC", 31)).toEqual([
      "2026-01-31T00:00Z",
      "2026-02-28T00:00Z",
      "2026-03-31T00:00Z",
      "2026-04-30T00:00Z",
      "2026-05-31T00:00Z",
      "2026-06-30T00:00Z",
    ]);
  });

  it("anchored on the 29th or 30th starts at the end of February, in leap years too", () => {
    expect(startsFrom("2026-01-30T00:00:00Z", 3, "UTC", 30).at(1)).toBe("2026-02-28T00:00Z");
    expect(startsFrom("2026-01-29T00:00:00Z", 3, "UTC", 29)).toEqual([
      "2026-01-29T00:00Z",
      "2026-02-28T00:00Z",
      "2026-03-29T00:00Z",
    ]);
    expect(startsFrom("2028-01-29T00:00:00Z", 2, "UTC", 29).at(1)).toBe("2028-02-29T00:00Z");
    expect(startsFrom("2028-01-31T00:00:00Z", 3, "UTC", 31)).toEqual([
      "2028-01-31T00:00Z",
      "2028-02-29T00:00Z",
      "2028-03-31T00:00Z",
    ]);
    expect(cycle("2100-02-28T00:00:00Z", "UTC", 29)[0]).toBe("2100-02-28T00:00Z");
  });

  it("starts at the zone's midnight, in half-hour zones too", () => {
    expect(cycle("2026-03-10T12:00:00Z", "Asia/Kolkata")).toEqual(["2026-02-28T18:30Z", "2026-03-31T18:30Z"]);
    expect(cycle("2026-03-10T12:00:00Z", "Asia/Kathmandu")[0]).toBe("2026-02-28T18:15Z");
    expect(cycle("2026-03-10T12:00:00Z", "America/St_Johns")).toEqual(["2026-03-01T03:30Z", "2026-04-01T02:30Z"]);
    expect(cycle("2026-03-10T12:00:00Z", "Pacific/Kiritimati")[0]).toBe("2026-02-28T10:00Z");
  });

  it("starts at local midnight after both changes of daylight saving time", () => {
    expect(cycle("2026-03-10T12:00:00Z", "Europe/Berlin")).toEqual(["2026-02-28T23:00Z", "2026-03-31T22:00Z"]);
    expect(cycle("2026-10-10T12:00:00Z", "Europe/Berlin")).toEqual(["2026-09-30T22:00Z", "2026-10-31T23:00Z"]);
    expect(cycle("2026-03-29T12:00:00Z", "Europe/Berlin", 29)[0]).toBe("2026-03-28T23:00Z");
    expect(cycle("2026-10-25T12:00:00Z", "Europe/Berlin", 25)[0]).toBe("2026-10-24T22:00Z");
    expect(cycle("2026-04-10T00:00:00Z", "Australia/Lord_Howe", 5)).toEqual(["2026-04-04T13:00Z", "2026-05-04T13:30Z"]);
  });

  it("starts at the first instant of a day whose midnight the zone skips", () => {
    // Havana's clocks go from 23:59 to 01:00 on 8 March 2026, Beirut's on 31 March 2024.
    expect(cycle("2026-03-20T00:00:00Z", "America/Havana", 8)[0]).toBe("2026-03-08T05:00Z");
    expect(cycle("2026-03-08T04:59:00Z", "America/Havana", 8)[1]).toBe("2026-03-08T05:00Z");
    expect(cycle("2024-03-31T00:00:00Z", "Asia/Beirut", 31)).toEqual(["2024-03-30T22:00Z", "2024-04-29T21:00Z"]);
  });

  it("starts a day later if the zone skips the whole anchor day", () => {
    // Samoa had no 30 December 2011.
    expect(cycle("2011-12-31T12:00:00Z", "Pacific/Apia", 30)[0]).toBe("2011-12-30T10:00Z");
  });

  const zones = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "Africa/Cairo",
    "Pacific/Apia",
    "America/Santiago",
    "Pacific/Chatham",
  ];
  const instants = fc.integer({ min: at("2023-01-01T00:00:00Z"), max: at("2030-01-01T00:00:00Z") });

  it("contains its instant and starts at the anchor, in any zone", () => {
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), fc.integer({ min: 1, max: 31 }), (instant, zone, anchorDay) => {
        expect(cycleAt(instant, zone, anchorDay)).toEqual(cycleHolding(instant, zone, anchorDay));
      }),
      cases(50),
    );
  });

  it("is followed by the next cycle without a gap", () => {
    fc.assert(
      fc.property(instants, fc.constantFrom(...zones), fc.integer({ min: 1, max: 31 }), (instant, zone, anchorDay) => {
        const { endsAtMs } = cycleAt(instant, zone, anchorDay);
        const next = cycleAfter(endsAtMs, endsAtMs, zone, anchorDay);
        expect(next.startsAtMs).toBe(endsAtMs);
        expect(next).toEqual(cycleAt(endsAtMs, zone, anchorDay));
      }),
      cases(50),
    );
  });
});

describe("the cycle after a turn", () => {
  it("is the current one when months were idle", () => {
    expect(following("2026-03-01T00:00:00Z", "2026-06-17T00:00:00Z")).toEqual([
      "2026-06-01T00:00Z",
      "2026-07-01T00:00Z",
    ]);
  });

  it("starts at the old end and is shorter if the anchor changed", () => {
    expect(following("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "UTC", 15)).toEqual([
      "2026-03-01T00:00Z",
      "2026-03-15T00:00Z",
    ]);
    expect(following("2026-03-15T00:00:00Z", "2026-03-20T00:00:00Z", "UTC", 1)).toEqual([
      "2026-03-15T00:00Z",
      "2026-04-01T00:00Z",
    ]);
    expect(following("2026-03-15T00:00:00Z", "2026-04-20T00:00:00Z", "UTC", 1)).toEqual([
      "2026-04-01T00:00Z",
      "2026-05-01T00:00Z",
    ]);
  });

  it("starts at the old end and ends by the new zone if the zone changed", () => {
    expect(following("2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z", "Asia/Kolkata")).toEqual([
      "2026-03-01T00:00Z",
      "2026-03-31T18:30Z",
    ]);
  });

  it("skips an anchor that would make it shorter than a day", () => {
    // 1 March 00:00 UTC is 28 February 19:00 in New York: five hours before the anchor.
    expect(following("2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "America/New_York")).toEqual([
      "2026-03-01T00:00Z",
      "2026-04-01T04:00Z",
    ]);
  });

  it("lasts a day at least and two months at most, whatever changed", () => {
    const zones = fc.constantFrom("UTC", "Asia/Kolkata", "America/New_York", "Pacific/Kiritimati", "Pacific/Pago_Pago");
    const anchors = fc.integer({ min: 1, max: 31 });
    const instants = fc.integer({ min: at("2024-01-01T00:00:00Z"), max: at("2029-01-01T00:00:00Z") });
    fc.assert(
      fc.property(instants, zones, anchors, zones, anchors, (instant, oldZone, oldAnchor, zone, anchor) => {
        const endedAtMs = cycleAt(instant, oldZone, oldAnchor).endsAtMs;
        const { startsAtMs, endsAtMs } = cycleAfter(endedAtMs, endedAtMs, zone, anchor);
        expect(startsAtMs).toBe(endedAtMs);
        expect(endsAtMs - startsAtMs).toBeGreaterThanOrEqual(DAY_MS);
        expect(endsAtMs - startsAtMs).toBeLessThan(33 * DAY_MS);
        expect(endsAtMs).toBe(cycleHolding(endsAtMs, zone, anchor).startsAtMs);
      }),
      cases(30),
    );
  });
});

describe("a time zone", () => {
  it("is an IANA name that the runtime knows, never an offset", () => {
    for (const name of ["UTC", "Europe/Berlin", "Asia/Kolkata", "Etc/GMT+5", "America/Argentina/Buenos_Aires"]) {
      expect(isTimeZone(name), name).toBe(true);
    }
    for (const name of ["", "Mars/Olympus", "+05:30", "-03:00", "Europe/Berlin ", "UTC[u-ca=iso8601]", "2026-01-01"]) {
      expect(isTimeZone(name), name).toBe(false);
    }
  });
});
