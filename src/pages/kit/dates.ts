/** Formats the dates and times of the screens, always in the enterprise's time zone: "14:05", "16–22 Nov". */
import type { AtMs } from "../../ledger/time.ts";
import { formatDate, formatPeriod, partsOf } from "../../wire/dates.ts";

export { formatDate, formatPeriod };

/** "29 Nov" */
export function formatShortDate(atMs: AtMs, timeZone: string): string {
  const { day, month } = partsOf(atMs, timeZone);
  return `${day} ${month}`;
}

/** "Sun 29 Nov 2026, 14:05" */
export function formatMoment(atMs: AtMs, timeZone: string): string {
  return `${formatDate(atMs, timeZone)} ${partsOf(atMs, timeZone).year}, ${formatTime(atMs, timeZone)}`;
}

/** "14:05" */
export function formatTime(atMs: AtMs, timeZone: string): string {
  const { hour, minute } = partsOf(atMs, timeZone);
  return `${hour}:${minute}`;
}

/** The hours of a bucket: "14:00–15:00". The UTC offset is needed where the clock changes and an hour occurs twice. */
export function formatHours(startsAtMs: AtMs, endsAtMs: AtMs, timeZone: string, withOffset: boolean): string {
  const [from, to] = [formatTime(startsAtMs, timeZone), formatTime(endsAtMs, timeZone)];
  if (!withOffset) return `${from}–${to}`;
  const [before, after] = [offsetOf(startsAtMs, timeZone), offsetOf(endsAtMs, timeZone)];
  return before === after ? `${from}–${to} ${before}` : `${from} ${before} – ${to} ${after}`;
}

/** "UTC+2", "UTC+5:45" */
export function offsetOf(atMs: AtMs, timeZone: string): string {
  const formatter = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "shortOffset" });
  const name = formatter.formatToParts(atMs).find(({ type }) => type === "timeZoneName")?.value ?? "GMT";
  return name.replace("GMT", "UTC");
}

/** "14:05:12" */
export function formatClock(atMs: AtMs, timeZone: string): string {
  return `${formatTime(atMs, timeZone)}:${partsOf(atMs, timeZone).second}`;
}

/** The day or days of a bucket, without the year: "Mon 23 Nov", "16–22 Nov", "28 Sep – 4 Oct". */
export function formatDaysOf(startsAtMs: AtMs, endsAtMs: AtMs, timeZone: string): string {
  const from = partsOf(startsAtMs, timeZone);
  const to = partsOf(endsAtMs - 1, timeZone);
  if (from.month !== to.month) return `${from.day} ${from.month} – ${to.day} ${to.month}`;
  return from.day === to.day ? formatDate(startsAtMs, timeZone) : `${from.day}–${to.day} ${to.month}`;
}
