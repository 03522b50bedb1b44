/**
 * Billing cycles (rule R4). A cycle starts at 00:00 in the enterprise's time zone on its anchor day; in a month
 * without that day, on the month's last day. Bounds are always computed from the anchor, so they never drift.
 * If the zone skips midnight, the day starts at its first instant.
 */
import { Temporal } from "temporal-polyfill";
import { type AtMs, DAY_MS } from "./time.ts";

export type CycleBounds = { startsAtMs: AtMs; endsAtMs: AtMs };

/** The cycle that contains the instant. */
export function cycleAt(atMs: AtMs, timeZone: string, anchorDay: number): CycleBounds {
  const month = Temporal.Instant.fromEpochMilliseconds(atMs)
    .toZonedDateTimeISO(timeZone)
    .toPlainDate()
    .toPlainYearMonth();
  const thisMs = anchorOf(month, timeZone, anchorDay);
  if (atMs >= thisMs) return { startsAtMs: thisMs, endsAtMs: anchorOf(month.add({ months: 1 }), timeZone, anchorDay) };
  return { startsAtMs: anchorOf(month.subtract({ months: 1 }), timeZone, anchorDay), endsAtMs: thisMs };
}

/**
 * The cycle that contains the instant, if the previous one ended at `endedAtMs`. If zone or anchor changed at that turn,
 * the first cycle is shorter: it lasts from the old end to the next anchor. If that is less than a day (because only the
 * zone changed), it lasts to the anchor after that.
 */
export function cycleAfter(endedAtMs: AtMs, atMs: AtMs, timeZone: string, anchorDay: number): CycleBounds {
  const first = cycleAt(endedAtMs, timeZone, anchorDay);
  const endsAtMs =
    first.endsAtMs - endedAtMs < DAY_MS ? cycleAt(first.endsAtMs, timeZone, anchorDay).endsAtMs : first.endsAtMs;
  return atMs < endsAtMs ? { startsAtMs: endedAtMs, endsAtMs } : cycleAt(atMs, timeZone, anchorDay);
}

/** True for the IANA name of a time zone that this runtime knows ("UTC", "Asia/Kolkata"). Offsets are not names. */
export function isTimeZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return false;
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

function anchorOf(month: Temporal.PlainYearMonth, timeZone: string, anchorDay: number): AtMs {
  // A `day` after the end of the month becomes its last day.
  return month.toPlainDate({ day: anchorDay }).toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds;
}
