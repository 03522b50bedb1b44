/**
 * The spend cap as people write it, and what a cap means at today's pace: pure functions of text and gauge.
 */
import { type Forecast, forecastOf } from "../../ledger/forecast.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Micros } from "../../ledger/micros.ts";
import { DAY_MS } from "../../ledger/time.ts";
import { formatDate } from "./dates.ts";
import { formatAmount, formatExactDecimal } from "./format.ts";

const CENT: Micros = 10_000;
const LEAST_CAP: Micros = 1_000_000;
const MOST_CAP: Micros = 1_000_000_000_000;
const CAP_TEXT = /^\$?(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{1,2}))?$/;

/** "600", "$600.50", "1,200.00" → micros; a text says what is wrong. */
export function parseCap(text: string): Micros | string {
  const match = CAP_TEXT.exec(text.trim());
  if (match === null) return "Write an amount in dollars, such as 500.00.";
  const dollars = Number((match[1] ?? "").replaceAll(",", ""));
  const cents = Number((match[2] ?? "").padEnd(2, "0"));
  const micros = (dollars * 100 + cents) * CENT;
  if (micros < LEAST_CAP || micros > MOST_CAP) {
    return `The cap must lie between ${formatAmount(LEAST_CAP, "usd")} and ${formatAmount(MOST_CAP, "usd")}.`;
  }
  return micros;
}

/** A cap as the text field shows it: "1,500.00". One that was set through the interface may be finer than a cent. */
export function capText(capMicros: Micros): string {
  return formatExactDecimal(BigInt(capMicros), 6, 2);
}

/** True when runs stop at once under this cap. */
export function isSpent(gauge: Gauge, capMicros: Micros | null): boolean {
  return capMicros !== null && gauge.usedMicros > 0 && capMicros <= gauge.usedMicros;
}

/** How long a cap lasts at today's pace, as one sentence. */
export function previewOf(gauge: Gauge, capMicros: Micros | null, timeZone: string): string {
  const { asOfMs: nowMs, cycle } = gauge;
  const reset = formatDate(cycle.endsAtMs, timeZone);
  if (capMicros === null) return "Without a cap nothing stops the spending.";
  const cap = formatAmount(capMicros, "usd");
  if (isSpent(gauge, capMicros)) {
    return `${formatAmount(gauge.usedMicros, "usd")} is spent already: with a cap of ${cap} no new run starts until ${reset}.`;
  }
  if (gauge.usedMicros === 0) return `Nothing is spent yet: all of ${cap} is there until ${reset}.`;
  const forecast = forecastOf(gauge.usedMicros, capMicros - gauge.usedMicros, cycle, nowMs);
  return `At today's pace of ${formatAmount(forecast.avgPerDayMicros, "usd")} a day, ${cap} ${lastingOf(forecast, cycle.endsAtMs, nowMs, timeZone)}`;
}

/** A cap as text: "$500.00", or "no cap". */
export function capName(capMicros: Micros | null): string {
  return capMicros === null ? "no cap" : formatAmount(capMicros, "usd");
}

function lastingOf(forecast: Forecast, endsAtMs: number, nowMs: number, timeZone: string): string {
  const { runOutAtMs, onTrackToRunOut, avgPerDayMicros, runOutDays } = forecast;
  if (onTrackToRunOut && runOutAtMs !== null) return `is reached about ${formatDate(runOutAtMs, timeZone)}.`;
  const leftMicros = Math.max(0, Math.round(avgPerDayMicros * ((runOutDays ?? 0) - (endsAtMs - nowMs) / DAY_MS)));
  return `lasts beyond the reset on ${formatDate(endsAtMs, timeZone)}, with about ${formatAmount(leftMicros, "usd")} to spare.`;
}
