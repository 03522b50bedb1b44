/**
 * Formats dates for people, on the screens and in messages, always in the enterprise's time zone: "Sun 29 Nov". They are
 * assembled from parts, because a locale's order and commas differ between versions of the runtime.
 */
import type { AtMs } from "../ledger/time.ts";

type Part = "weekday" | "day" | "month" | "year" | "hour" | "minute" | "second";

/** Cached by time zone: creating a formatter is slow, using it is fast. */
const formatters = new Map<string, Intl.DateTimeFormat>();

/** "Sun 29 Nov" */
export function formatDate(atMs: AtMs, timeZone: string): string {
  const { weekday, day, month } = partsOf(atMs, timeZone);
  return `${weekday} ${day} ${month}`;
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

/** The parts of a time in a time zone, as text. */
export function partsOf(atMs: AtMs, timeZone: string): Record<Part, string> {
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
