/**
 * Billing cycles (rule R4). A cycle starts at 00:00 in the enterprise's time zone on its anchor day; in a month
 * without that day, on the month's last day. Bounds are always computed from the anchor, so they never drift.
 * Where the zone skips midnight, a day starts at the first instant that it has.
 */
import { Temporal } from "temporal-polyfill";
import { type AtMs, DAY_MS } from "./time.ts";

export type CycleBounds = { startsAtMs: AtMs; endsAtMs: AtMs };

/** The cycle that holds the instant. */
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
 * The cycle that holds the instant, when the one before ended at `endedAtMs`. Zone and anchor may have changed at that
 * turn: then the first cycle is shorter, from the old end to the next anchor; where less than a day would be left of
 * it (a change of zone alone), it runs on to the anchor after.
 */
export function cycleAfter(endedAtMs: AtMs, atMs: AtMs, timeZone: string, anchorDay: number): CycleBounds {
  const first = cycleAt(endedAtMs, timeZone, anchorDay);
  const endsAtMs =
    first.endsAtMs - endedAtMs < DAY_MS ? cycleAt(first.endsAtMs, timeZone, anchorDay).endsAtMs : first.endsAtMs;
  return atMs < endsAtMs ? { startsAtMs: endedAtMs, endsAtMs } : cycleAt(atMs, timeZone, anchorDay);
}

/** True for an IANA name of a time zone that this runtime knows ("UTC", "Asia/Kolkata"); offsets are not names. */
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
  // `day` past the month's end is constrained to its last day.
  return month.toPlainDate({ day: anchorDay }).toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds;
}
