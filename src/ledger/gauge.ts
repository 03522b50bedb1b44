/**
 * The gauge: the state of an enterprise at one moment, as every screen shows it and as it goes over the wire (rule R9).
 * Amounts are whole micros, percentages and days have two decimals, times are ISO 8601 in UTC.
 */
import { type Alert, alertsOf } from "./alerts.ts";
import { balanceOf } from "./balance.ts";
import { type BillingModel, type Books, grantRemaining, grantUsable, unitOf } from "./books.ts";
import { bonusRemaining, monthlyRemaining } from "./buckets.ts";
import { wholeDays } from "./calendar.ts";
import { isoOf } from "./entries.ts";
import { forecastOf } from "./forecast.ts";
import { type Micros, percentOf, roundToTwo, type Unit } from "./micros.ts";
import type { Plan } from "./plans.ts";
import type { AtMs } from "./time.ts";

export type Gauge = {
  enterprise: string;
  name: string;
  billing_model: BillingModel;
  unit: Unit;
  plan: Plan;
  as_of: string;
  seq: number;
  cycle: { starts_at: string; ends_at: string; days_elapsed: number; days_remaining: number; days_total: number };
  monthly: { allowance_micros: Micros; used_micros: Micros; remaining_micros: Micros } | null;
  bonus: { used_micros: Micros; remaining_micros: Micros; next_expiry: { at: string; micros: Micros } | null } | null;
  spend: { cap_micros: Micros | null; used_micros: Micros } | null;
  used_micros: Micros;
  total_micros: Micros | null;
  remaining_micros: Micros | null;
  debt_micros: Micros;
  held_micros: Micros;
  available_micros: Micros | null;
  used_percent: number | null;
  avg_per_day_micros: Micros;
  run_out_days: number | null;
  run_out_at: string | null;
  on_track_to_run_out: boolean;
  alerts: Alert[];
};

export function gaugeOf(enterprise: string, books: Books, nowMs: AtMs): Gauge {
  const { settings, cycle } = books;
  const unit = unitOf(settings.billingModel);
  const credits = unit === "credits";
  const balance = balanceOf(books, unit, nowMs);
  const forecast = forecastOf(balance.usedMicros, balance.remainingMicros, cycle, nowMs);
  const daysTotal = wholeDays(cycle.startsAtMs, cycle.endsAtMs, cycle.timeZone);
  const daysElapsed = wholeDays(cycle.startsAtMs, nowMs, cycle.timeZone);
  return {
    enterprise,
    name: settings.name,
    billing_model: settings.billingModel,
    unit,
    plan: settings.plan,
    as_of: isoOf(nowMs),
    seq: books.seq,
    cycle: {
      starts_at: isoOf(cycle.startsAtMs),
      ends_at: isoOf(cycle.endsAtMs),
      days_elapsed: daysElapsed,
      days_remaining: daysTotal - daysElapsed,
      days_total: daysTotal,
    },
    monthly: credits
      ? {
          allowance_micros: cycle.allowanceMicros,
          used_micros: cycle.monthlyUsedMicros,
          remaining_micros: monthlyRemaining(books),
        }
      : null,
    bonus: credits
      ? {
          used_micros: cycle.bonusUsedMicros,
          remaining_micros: bonusRemaining(books, nowMs),
          next_expiry: nextExpiry(books, nowMs),
        }
      : null,
    spend: credits ? null : { cap_micros: books.capMicros, used_micros: cycle.spendUsedMicros },
    used_micros: balance.usedMicros,
    total_micros: balance.totalMicros,
    remaining_micros: balance.remainingMicros,
    debt_micros: credits ? cycle.debtMicros : 0,
    held_micros: balance.heldMicros,
    available_micros: balance.availableMicros,
    used_percent: percentOf(balance.usedMicros, balance.totalMicros),
    avg_per_day_micros: forecast.avgPerDayMicros,
    run_out_days: forecast.runOutDays === null ? null : roundToTwo(forecast.runOutDays),
    run_out_at: forecast.runOutAtMs === null ? null : isoOf(forecast.runOutAtMs),
    on_track_to_run_out: forecast.onTrackToRunOut,
    alerts: alertsOf(books, balance, forecast, nowMs),
  };
}

function nextExpiry(books: Books, nowMs: AtMs): { at: string; micros: Micros } | null {
  const open = books.grants.filter((grant) => grantUsable(grant, nowMs) && grantRemaining(grant) > 0);
  const atMs = open[0]?.expiresAtMs ?? null;
  if (atMs === null) return null;
  const micros = open
    .filter((grant) => grant.expiresAtMs === atMs)
    .reduce((sum, grant) => sum + grantRemaining(grant), 0);
  return { at: isoOf(atMs), micros };
}
