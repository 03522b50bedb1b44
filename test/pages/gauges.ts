/** Builds gauges for tests of the pages from a few numbers, with the ledger's own arithmetic. */
import { type Credit, forecastOf } from "../../src/ledger/forecast.ts";
import { percentOf, roundToTwo } from "../../src/ledger/micros.ts";
import type { ParsedGauge } from "../../src/wire/gauge.ts";

export const UNIT = 1_000_000;
const STARTS_AT_MS = Date.parse("2026-11-01T00:00:00.000Z");
const ENDS_AT_MS = Date.parse("2026-12-01T00:00:00.000Z");

type CreditsOptions = { now?: string; used?: number; monthly?: number; bonus?: number; alerts?: ParsedGauge["alerts"] };

/** An enterprise that is billed in credits. Amounts are credits; the monthly allowance is drawn before bonus. */
export function creditsGauge({
  now = "2026-11-23T12:00:00.000Z",
  used = 0,
  monthly = 1_500,
  bonus = 0,
  alerts = [],
}: CreditsOptions): ParsedGauge {
  const fromMonthly = Math.min(used, monthly);
  const fromBonus = Math.min(used - fromMonthly, bonus);
  return {
    ...timesOf(now, used * UNIT, (monthly + bonus) * UNIT),
    enterprise: "acme",
    name: "Acme",
    billingModel: "credits",
    unit: "credits",
    plan: "pro",
    suspended: false,
    seq: 1,
    monthly: {
      allowanceMicros: monthly * UNIT,
      usedMicros: fromMonthly * UNIT,
      remainingMicros: (monthly - fromMonthly) * UNIT,
    },
    bonus: { usedMicros: fromBonus * UNIT, remainingMicros: (bonus - fromBonus) * UNIT, nextExpiry: null },
    spend: null,
    debtMicros: (used - fromMonthly - fromBonus) * UNIT,
    alerts,
  };
}

/** An enterprise that brings its own model. Amounts are dollars. */
export function byomGauge({
  now = "2026-11-23T12:00:00.000Z",
  used = 0,
  cap = null as number | null,
  alerts = [] as ParsedGauge["alerts"],
}): ParsedGauge {
  const capMicros = cap === null ? null : cap * UNIT;
  return {
    ...timesOf(now, used * UNIT, capMicros),
    enterprise: "globex",
    name: "Globex",
    billingModel: "byom",
    unit: "usd",
    plan: "enterprise",
    suspended: false,
    seq: 1,
    monthly: null,
    bonus: null,
    spend: { capMicros, usedMicros: used * UNIT },
    debtMicros: 0,
    alerts,
  };
}

/** The gauge of the same enterprise if some of its bonus expires, and the ledger's forecast for it. */
export function withExpiry(gauge: ParsedGauge, grants: Credit["grants"] = []) {
  const remaining = gauge.remainingMicros;
  const bonus = grants.reduce((sum, { micros }) => sum + micros, 0);
  const lastingMicros = remaining === null ? null : remaining - bonus;
  const forecast = forecastOf(gauge.usedMicros, { lastingMicros, grants }, gauge.cycle, gauge.asOfMs);
  const { runOutAtMs, onTrackToRunOut } = forecast;
  const runOutDays = forecast.runOutDays === null ? null : roundToTwo(forecast.runOutDays);
  return { gauge: { ...gauge, runOutDays, runOutAtMs, onTrackToRunOut }, forecast };
}

function timesOf(now: string, usedMicros: number, totalMicros: number | null) {
  const nowMs = Date.parse(now);
  const cycle = { startsAtMs: STARTS_AT_MS, endsAtMs: ENDS_AT_MS };
  const remaining = totalMicros === null ? null : Math.max(0, totalMicros - usedMicros);
  const forecast = forecastOf(usedMicros, { lastingMicros: remaining, grants: [] }, cycle, nowMs);
  const elapsed = Math.floor((nowMs - cycle.startsAtMs) / 86_400_000);
  return {
    asOfMs: nowMs,
    cycle: { ...cycle, daysElapsed: elapsed, daysRemaining: 30 - elapsed, daysTotal: 30 },
    usedMicros,
    totalMicros,
    remainingMicros: remaining,
    heldMicros: 0,
    availableMicros: remaining,
    usedPercent: percentOf(usedMicros, totalMicros),
    avgPerDayMicros: forecast.avgPerDayMicros,
    runOutDays: forecast.runOutDays === null ? null : roundToTwo(forecast.runOutDays),
    runOutAtMs: forecast.runOutAtMs,
    onTrackToRunOut: forecast.onTrackToRunOut,
  };
}
