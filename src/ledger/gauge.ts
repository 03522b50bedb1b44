/**
 * The gauge: the state of an enterprise at one moment, as every screen shows it (rule R9). Amounts are whole micros;
 * percentages and days have two decimals.
 */
import { type Alert, alertsOf } from "./alerts.ts";
import { balanceOf } from "./balance.ts";
import { type BillingModel, type Books, unitOf } from "./books.ts";
import { bonusRemaining, monthlyRemaining } from "./buckets.ts";
import { wholeDays } from "./calendar.ts";
import { creditOf, type Forecast, forecastOf } from "./forecast.ts";
import { eachExpiry } from "./grant-list.ts";
import { type Micros, percentOf, roundToTwo, type Unit } from "./micros.ts";
import type { AtMs } from "./time.ts";

export type Gauge = {
  enterprise: string;
  name: string;
  billingModel: BillingModel;
  unit: Unit;
  plan: string;
  /** True when no new run can start, whatever the balance. */
  suspended: boolean;
  asOfMs: AtMs;
  seq: number;
  /** Whole local days; those elapsed are rounded down. */
  cycle: { startsAtMs: AtMs; endsAtMs: AtMs; daysElapsed: number; daysRemaining: number; daysTotal: number };
  /** Null for an enterprise that brings its own model, like `bonus`; `spend` is null for all others. */
  monthly: { allowanceMicros: Micros; usedMicros: Micros; remainingMicros: Micros } | null;
  bonus: {
    usedMicros: Micros;
    remainingMicros: Micros;
    /** When grants expire next, and how much of them is left now. */
    nextExpiry: { atMs: AtMs; micros: Micros } | null;
  } | null;
  spend: { capMicros: Micros | null; usedMicros: Micros } | null;
  usedMicros: Micros;
  /** Null without a spend cap, like `remainingMicros` and `availableMicros`. */
  totalMicros: Micros | null;
  remainingMicros: Micros | null;
  debtMicros: Micros;
  heldMicros: Micros;
  availableMicros: Micros | null;
  usedPercent: number | null;
  avgPerDayMicros: Micros;
  runOutDays: number | null;
  runOutAtMs: AtMs | null;
  onTrackToRunOut: boolean;
  alerts: Alert[];
};

/** The gauge at this moment, in the unit of the billing model. */
export function gaugeOf(enterprise: string, books: Books, nowMs: AtMs): Gauge {
  const { settings, cycle } = books;
  const unit = unitOf(settings.billingModel);
  const credits = unit === "credits";
  const balance = balanceOf(books, unit, nowMs);
  const forecast = currentForecast(books, nowMs);
  const daysTotal = wholeDays(cycle.startsAtMs, cycle.endsAtMs, cycle.timeZone);
  const daysElapsed = wholeDays(cycle.startsAtMs, nowMs, cycle.timeZone);
  return {
    enterprise,
    name: settings.name,
    billingModel: settings.billingModel,
    unit,
    plan: settings.plan,
    suspended: settings.suspended,
    asOfMs: nowMs,
    seq: books.seq,
    cycle: {
      startsAtMs: cycle.startsAtMs,
      endsAtMs: cycle.endsAtMs,
      daysElapsed,
      daysRemaining: daysTotal - daysElapsed,
      daysTotal,
    },
    monthly: credits
      ? {
          allowanceMicros: cycle.allowanceMicros,
          usedMicros: cycle.monthlyUsedMicros,
          remainingMicros: monthlyRemaining(books),
        }
      : null,
    bonus: credits
      ? {
          usedMicros: cycle.bonusUsedMicros,
          remainingMicros: bonusRemaining(books, nowMs),
          nextExpiry: nextExpiry(books, nowMs),
        }
      : null,
    spend: credits ? null : { capMicros: books.capMicros, usedMicros: cycle.spendUsedMicros },
    usedMicros: balance.usedMicros,
    totalMicros: balance.totalMicros,
    remainingMicros: balance.remainingMicros,
    debtMicros: credits ? cycle.debtMicros : 0,
    heldMicros: balance.heldMicros,
    availableMicros: balance.availableMicros,
    usedPercent: percentOf(balance.usedMicros, balance.totalMicros),
    avgPerDayMicros: forecast.avgPerDayMicros,
    runOutDays: forecast.runOutDays === null ? null : roundToTwo(forecast.runOutDays),
    runOutAtMs: forecast.runOutAtMs,
    onTrackToRunOut: forecast.onTrackToRunOut,
    alerts: alertsOf(books, balance, forecast, nowMs),
  };
}

/** The forecast of the current cycle, in the unit of the billing model. */
export function currentForecast(books: Books, nowMs: AtMs): Forecast {
  const unit = unitOf(books.settings.billingModel);
  const { usedMicros } = balanceOf(books, unit, nowMs);
  return forecastOf(usedMicros, creditOf(books, unit, nowMs), books.cycle, nowMs);
}

function nextExpiry(books: Books, nowMs: AtMs): { atMs: AtMs; micros: Micros } | null {
  const [first] = eachExpiry(books.grants, nowMs);
  return first?.expiresAtMs == null ? null : { atMs: first.expiresAtMs, micros: first.micros };
}
