/**
 * Pure functions that parse and format the spend cap of the forms, and describe how long a cap lasts at the current
 * pace.
 */
import { type Forecast, forecastOf } from "../../ledger/forecast.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Micros } from "../../ledger/micros.ts";
import { formatDate } from "./dates.ts";
import { formatAmount, formatExactDecimal } from "./format.ts";

const CENT_MICROS: Micros = 10_000;
const MIN_CAP_MICROS: Micros = 1_000_000;
const MAX_CAP_MICROS: Micros = 1_000_000_000_000;
const CAP_TEXT = /^\$?(\d{1,3}(?:,\d{3})+|\d{1,9})(?:\.(\d{1,2}))?$/;

/** Parses "600", "$600.50" or "1,200.00" into micros. Returns an error message if the text is not a valid cap. */
export function parseCap(text: string): Micros | string {
  const match = CAP_TEXT.exec(text.trim());
  if (match === null) return "Enter an amount in dollars, such as 500.00.";
  const dollars = Number((match[1] ?? "").replaceAll(",", ""));
  const cents = Number((match[2] ?? "").padEnd(2, "0"));
  const micros = (dollars * 100 + cents) * CENT_MICROS;
  if (micros < MIN_CAP_MICROS || micros > MAX_CAP_MICROS) {
    return `The cap must be between ${formatAmount(MIN_CAP_MICROS, "usd")} and ${formatAmount(MAX_CAP_MICROS, "usd")}.`;
  }
  return micros;
}

/** A cap as the text field shows it: "1,500.00". A cap set through the API may have fractions of a cent. */
export function capText(capMicros: Micros): string {
  return formatExactDecimal(BigInt(capMicros), 6, 2);
}

/** True if this cap would stop new runs at once, because that much is already spent. */
export function isSpent(gauge: Gauge, capMicros: Micros | null): boolean {
  return capMicros !== null && gauge.usedMicros > 0 && capMicros <= gauge.usedMicros;
}

/** One sentence that says how long a cap lasts at the current pace. */
export function previewOf(gauge: Gauge, capMicros: Micros | null, timeZone: string): string {
  const { asOfMs: nowMs, cycle } = gauge;
  const reset = formatDate(cycle.endsAtMs, timeZone);
  if (capMicros === null) return "Without a cap, spending has no limit.";
  const cap = formatAmount(capMicros, "usd");
  if (isSpent(gauge, capMicros)) {
    return `${formatAmount(gauge.usedMicros, "usd")} is already spent: with a cap of ${cap}, no new run starts until ${reset}.`;
  }
  if (gauge.usedMicros === 0) return `Nothing is spent yet: all of ${cap} is available until ${reset}.`;
  const forecast = forecastOf(
    gauge.usedMicros,
    { lastingMicros: capMicros - gauge.usedMicros, grants: [] },
    cycle,
    nowMs,
  );
  return `At the current pace of ${formatAmount(forecast.avgPerDayMicros, "usd")} a day, ${cap} ${describeEnd(forecast, cycle.endsAtMs, timeZone)}`;
}

/** "$500.00" or "no cap". */
export function capName(capMicros: Micros | null): string {
  return capMicros === null ? "no cap" : formatAmount(capMicros, "usd");
}

function describeEnd(forecast: Forecast, endsAtMs: number, timeZone: string): string {
  const { runOutAtMs, onTrackToRunOut, leftAtResetMicros } = forecast;
  if (onTrackToRunOut && runOutAtMs !== null) return `is reached around ${formatDate(runOutAtMs, timeZone)}.`;
  return `lasts beyond the reset on ${formatDate(endsAtMs, timeZone)}, with about ${formatAmount(leftAtResetMicros ?? 0, "usd")} to spare.`;
}
