import { describe, expect, it } from "vitest";
import type { Books } from "../../src/ledger/books.ts";
import { gaugeOf } from "../../src/ledger/gauge.ts";
import { APRIL, at, books, byomBooks, grant, NOON } from "../support/books.ts";

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
