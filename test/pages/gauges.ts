/** Builds gauges for tests of the pages from a few numbers, with the ledger's own arithmetic. */
import { forecastOf } from "../../src/ledger/forecast.ts";
import type { Gauge } from "../../src/ledger/gauge.ts";
import { percentOf, roundToTwo } from "../../src/ledger/micros.ts";

export const UNIT = 1_000_000;
const STARTS = "2026-11-01T00:00:00.000Z";
const ENDS = "2026-12-01T00:00:00.000Z";

type CreditsOptions = { now?: string; used?: number; monthly?: number; bonus?: number; alerts?: Gauge["alerts"] };

/** An enterprise that is billed in credits. Amounts are credits; the monthly allowance is drawn before bonus. */
export function creditsGauge({
  now = "2026-11-23T12:00:00.000Z",
  used = 0,
  monthly = 1_500,
  bonus = 0,
  alerts = [],
}: CreditsOptions): Gauge {
  const fromMonthly = Math.min(used, monthly);
  const fromBonus = Math.min(used - fromMonthly, bonus);
  return {
    ...timesOf(now, used * UNIT, (monthly + bonus) * UNIT),
    enterprise: "acme",
    name: "Acme",
    billing_model: "credits",
    unit: "credits",
    plan: "pro",
    seq: 1,
    monthly: {
      allowance_micros: monthly * UNIT,
      used_micros: fromMonthly * UNIT,
      remaining_micros: (monthly - fromMonthly) * UNIT,
    },
    bonus: { used_micros: fromBonus * UNIT, remaining_micros: (bonus - fromBonus) * UNIT, next_expiry: null },
    spend: null,
    debt_micros: (used - fromMonthly - fromBonus) * UNIT,
    alerts,
  };
}

/** An enterprise that brings its own model. Amounts are dollars. */
export function byomGauge({
  now = "2026-11-23T12:00:00.000Z",
  used = 0,
  cap = null as number | null,
  alerts = [] as Gauge["alerts"],
}): Gauge {
  const capMicros = cap === null ? null : cap * UNIT;
  return {
    ...timesOf(now, used * UNIT, capMicros),
    enterprise: "globex",
    name: "Globex",
    billing_model: "byom",
    unit: "usd",
    plan: "enterprise",
    seq: 1,
    monthly: null,
    bonus: null,
    spend: { cap_micros: capMicros, used_micros: used * UNIT },
    debt_micros: 0,
    alerts,
  };
}

function timesOf(now: string, usedMicros: number, totalMicros: number | null) {
  const nowMs = Date.parse(now);
  const cycle = { startsAtMs: Date.parse(STARTS), endsAtMs: Date.parse(ENDS) };
  const remaining = totalMicros === null ? null : Math.max(0, totalMicros - usedMicros);
  const forecast = forecastOf(usedMicros, remaining, cycle, nowMs);
  const elapsed = Math.floor((nowMs - cycle.startsAtMs) / 86_400_000);
  return {
    as_of: now,
    cycle: { starts_at: STARTS, ends_at: ENDS, days_elapsed: elapsed, days_remaining: 30 - elapsed, days_total: 30 },
    used_micros: usedMicros,
    total_micros: totalMicros,
    remaining_micros: remaining,
    held_micros: 0,
    available_micros: remaining,
    used_percent: percentOf(usedMicros, totalMicros),
    avg_per_day_micros: forecast.avgPerDayMicros,
    run_out_days: forecast.runOutDays === null ? null : roundToTwo(forecast.runOutDays),
    run_out_at: forecast.runOutAtMs === null ? null : new Date(forecast.runOutAtMs).toISOString(),
    on_track_to_run_out: forecast.onTrackToRunOut,
  };
}
