/**
 * Formats dates and times for people, always in the enterprise's time zone: "Sun 29 Nov", "14:05", "1–30 Nov 2026".
 * They are assembled from parts, because a locale's order and commas differ between versions of the runtime.
 */
import type { AtMs } from "../../ledger/time.ts";

type Part = "weekday" | "day" | "month" | "year" | "hour" | "minute" | "second";

/** Cached by time zone: creating a formatter is slow, using it is fast. */
const formatters = new Map<string, Intl.DateTimeFormat>();

/** "Sun 29 Nov" */
export function formatDate(atMs: AtMs, timeZone: string): string {
  const { weekday, day, month } = partsOf(atMs, timeZone);
  return `${weekday} ${day} ${month}`;
}

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

/**
 * The first and last day of a half-open period: "1–30 Nov 2026", "15 Oct – 14 Nov 2026", "15 Dec 2025 – 14 Jan 2026".
 */
export function formatPeriod(startsAtMs: AtMs, endsAtMs: AtMs, timeZone: string): string {
  const from = partsOf(startsAtMs, timeZone);
  const to = partsOf(endsAtMs - 1, timeZone);
  if (from.year !== to.year) return `${from.day} ${from.month} ${from.year} – ${to.day} ${to.month} ${to.year}`;
  if (from.month !== to.month) return `${from.day} ${from.month} – ${to.day} ${to.month} ${to.year}`;
  return from.day === to.day ? `${to.day} ${to.month} ${to.year}` : `${from.day}–${to.day} ${to.month} ${to.year}`;
}

/** The day or days of a bucket, without the year: "Mon 23 Nov", "16–22 Nov", "28 Sep – 4 Oct". */
export function formatDaysOf(startsAtMs: AtMs, endsAtMs: AtMs, timeZone: string): string {
  const from = partsOf(startsAtMs, timeZone);
  const to = partsOf(endsAtMs - 1, timeZone);
  if (from.month !== to.month) return `${from.day} ${from.month} – ${to.day} ${to.month}`;
  return from.day === to.day ? formatDate(startsAtMs, timeZone) : `${from.day}–${to.day} ${to.month}`;
}

function partsOf(atMs: AtMs, timeZone: string): Record<Part, string> {
  const formatter = formatters.get(timeZone) ?? makeFormatter(timeZone);
  return Object.fromEntries(formatter.formatToParts(atMs).map(({ type, value }) => [type, value])) as Record<
    Part,
    string
  >;
}

function makeFormatter(timeZone: string): Intl.DateTimeFormat {
  const formatter = new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    hourCycle: "h23",
  });
  formatters.set(timeZone, formatter);
  return formatter;
}
