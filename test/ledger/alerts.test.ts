// Which alerts apply, most pressing first, with their level and the kind of action that helps.
import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { gaugeOf } from "../../src/ledger/gauge.ts";
import { books, byomBooks, DAY_MS, grant, MARCH, NOON } from "../support/books.ts";

const alerts = (of: Books, nowMs = NOON) => gaugeOf("acme", of, nowMs).alerts;
const codes = (of: Books, nowMs = NOON) => alerts(of, nowMs).map((alert) => alert.code);
// On the last day of the cycle nothing is on track to run out any more, unless it is nearly gone.
const LAST_DAY = MARCH + 30 * DAY_MS;
const used = (monthlyUsedMicros: number, over: Parameters<typeof books>[0] = {}) =>
  books({ ...over, cycle: { monthlyUsedMicros, ...over.cycle } });
const spent = (spendUsedMicros: number, capMicros: number | null = 1_000) =>
  byomBooks({ cycle: { spendUsedMicros }, capMicros });

describe("in credits", () => {
  it("shows no alert while there is plenty", () => {
    expect(alerts(books())).toEqual([]);
    expect(codes(used(100))).toEqual([]);
  });

  it("shows only the highest of the thresholds 50, 75 and 90", () => {
    const at = (monthlyUsedMicros: number) => codes(used(monthlyUsedMicros), LAST_DAY);
    expect(at(499)).toEqual([]);
    expect(at(500)).toEqual(["usage_50"]);
    expect(at(749)).toEqual(["usage_50"]);
    expect(at(750)).toEqual(["usage_75"]);
    expect(at(899)).toEqual(["usage_75"]);
    expect(at(900)).toEqual(["usage_90"]);
  });

  it("says that credits will run out before the reset at this pace", () => {
    expect(codes(used(306))).toEqual([]);
    expect(codes(used(320))).toEqual(["on_track_to_run_out"]);
    expect(codes(used(600))).toEqual(["on_track_to_run_out", "usage_50"]);
  });

  it("makes no forecast in the first 24 hours of a cycle", () => {
    expect(codes(used(320), MARCH + DAY_MS - 1)).toEqual([]);
    expect(codes(used(320), MARCH + DAY_MS)).toEqual(["on_track_to_run_out"]);
  });

  it("says first that the enterprise is suspended", () => {
    expect(alerts(used(1_000, { settings: { suspended: true } }))).toEqual([
      { code: "suspended", level: "critical", actionKind: null },
      { code: "exhausted", level: "critical", actionKind: "upgrade" },
    ]);
  });

  it("says that bonus is in use once the allowance is gone and bonus is left", () => {
    const bonus = { grants: [grant("g1", { amountMicros: 3_000 })] };
    expect(codes(used(999, bonus), LAST_DAY)).toEqual([]);
    expect(codes(used(1_000, bonus), LAST_DAY)).toEqual(["bonus_in_use"]);
    expect(codes(used(1_000), LAST_DAY)).toEqual(["exhausted"]);
  });

  it("says exhausted when nothing remains, without a lower threshold", () => {
    expect(codes(used(1_000))).toEqual(["exhausted"]);
    expect(codes(used(1_000, { cycle: { debtMicros: 500 } }))).toEqual(["exhausted"]);
    expect(codes(books({ cycle: { allowanceMicros: 0 } }))).toEqual(["exhausted"]);
  });

  it("is not exhausted while others only hold what remains", () => {
    expect(codes(books({ held: { credits: 1_000, usd: 0 } }))).toEqual([]);
  });

  it("says that bonus expires within seven days", () => {
    const expiring = (afterMs: number, drawnMicros = 0) =>
      codes(books({ grants: [grant("g1", { expiresAtMs: NOON + afterMs, drawnMicros })] }));
    expect(expiring(7 * DAY_MS)).toEqual(["bonus_expiring"]);
    expect(expiring(7 * DAY_MS + 1)).toEqual([]);
    expect(expiring(1)).toEqual(["bonus_expiring"]);
    expect(expiring(DAY_MS, 100)).toEqual([]);
    expect(
      codes(books({ grants: [grant("g1", { expiresAtMs: NOON + DAY_MS, voided: true, voidedMicros: 100 })] })),
    ).toEqual([]);
  });

  it("shows the free tier as long as the plan is free, regardless of other alerts", () => {
    const free = { settings: { plan: "free" as const } };
    expect(codes(books(free))).toEqual(["free_tier"]);
    expect(codes(used(1_000, free))).toEqual(["exhausted", "free_tier"]);
  });

  it("lists the most pressing first", () => {
    const kept = used(950, {
      settings: { plan: "free" },
      grants: [grant("g1", { amountMicros: 50, expiresAtMs: NOON + DAY_MS })],
    });
    expect(codes(kept)).toEqual(["on_track_to_run_out", "usage_90", "bonus_expiring", "free_tier"]);
  });
});

describe("in USD", () => {
  it("says that no cap is set, and nothing else", () => {
    expect(codes(spent(10 ** 9, null))).toEqual(["cap_not_set"]);
    expect(codes(byomBooks({ settings: { plan: "free" } }))).toEqual(["cap_not_set"]);
  });

  it("shows the higher of the thresholds 75 and 90 of the cap", () => {
    const at = (spendUsedMicros: number) => codes(spent(spendUsedMicros), LAST_DAY);
    expect(at(749)).toEqual([]);
    expect(at(750)).toEqual(["cap_75"]);
    expect(at(900)).toEqual(["cap_90"]);
    expect(at(1_000)).toEqual(["cap_reached"]);
    expect(at(2_000)).toEqual(["cap_reached"]);
  });

  it("says that the cap will be reached before the reset at this pace", () => {
    expect(codes(spent(320))).toEqual(["on_track_to_reach_cap"]);
    expect(codes(spent(800))).toEqual(["on_track_to_reach_cap", "cap_75"]);
  });

  it("treats a cap of zero as reached", () => {
    expect(codes(spent(0, 0))).toEqual(["cap_reached"]);
  });
});

describe("an alert", () => {
  it("has a level and the kind of action that helps", () => {
    expect(alerts(used(1_000))).toEqual([{ code: "exhausted", level: "critical", actionKind: "upgrade" }]);
    expect(alerts(used(500), LAST_DAY)).toEqual([{ code: "usage_50", level: "info", actionKind: "invite" }]);
    expect(alerts(spent(1_000))).toEqual([{ code: "cap_reached", level: "critical", actionKind: "raise_cap" }]);
    expect(alerts(spent(0, null))).toEqual([{ code: "cap_not_set", level: "info", actionKind: "set_cap" }]);
    const expiring = grant("g1", { expiresAtMs: NOON + DAY_MS });
    expect(alerts(books({ grants: [expiring] }))).toEqual([
      { code: "bonus_expiring", level: "info", actionKind: null },
    ]);
  });

  it("is a warning before it is critical", () => {
    expect(alerts(used(750), LAST_DAY)[0]?.level).toBe("warning");
    expect(alerts(used(900), LAST_DAY)[0]?.level).toBe("critical");
    expect(alerts(spent(750), LAST_DAY)[0]?.level).toBe("warning");
    expect(alerts(spent(900), LAST_DAY)[0]?.level).toBe("critical");
  });
});
