/**
 * Local hours and days, and the spans that a chart shows. Hours follow the local clock, so in a zone with an offset of
 * half an hour they start at half past UTC hours, and a day has 23 or 25 hours when daylight saving changes.
 */
import { Temporal } from "temporal-polyfill";
import type { Cycle } from "./books.ts";
import type { AtMs } from "./time.ts";

export const RANGES = ["24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];
export const GRANULARITIES = ["hour", "day", "week", "month"] as const;
export type Granularity = (typeof GRANULARITIES)[number];
export type Span = { startsAtMs: AtMs; endsAtMs: AtMs };

/** Every offset in use is a multiple of a quarter of an hour. */
const QUARTER_MS = 900_000;
const WINDOW_DAYS = 30;
const WEEKS = 5;
const MAX_DAY_COUNTS = 1_000;
const MAX_QUARTERS = 1_000;

const dayCounts = new Map<string, number>();
const MAX_ZONES = 1_000;
const calendars = new Map<string, Calendar>();

/** The start of the local hour that contains the instant. */
export function hourStart(atMs: AtMs, timeZone: string): AtMs {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).round({
    smallestUnit: "hour",
    roundingMode: "floor",
  }).epochMilliseconds;
}

/** The start of the local day that contains the instant. */
export function dayStart(atMs: AtMs, timeZone: string): AtMs {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).startOfDay().epochMilliseconds;
}

/** The end of the local day that contains the instant: the start of the next one. */
export function dayEnd(atMs: AtMs, timeZone: string): AtMs {
  const today = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).toPlainDate();
  return today.add({ days: 1 }).toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds;
}

/**
 * The start of the local day in which a charge counts, in the zone of its cycle. If a cycle starts within a local day,
 * because the zone has changed, its first day starts with it. So a day belongs to one cycle.
 */
export function dayOf({ startsAtMs, timeZone }: Pick<Cycle, "startsAtMs" | "timeZone">, atMs: AtMs): AtMs {
  return Math.max(startsAtMs, calendarOf(timeZone).dayStart(atMs));
}

/** When the day of `dayOf` ends: at the next local midnight, or with the cycle. */
export function dayEndOf({ endsAtMs, timeZone }: Pick<Cycle, "endsAtMs" | "timeZone">, atMs: AtMs): AtMs {
  return Math.min(endsAtMs, calendarOf(timeZone).dayEnd(atMs));
}

/**
 * The number of whole local days between two instants, of which the first starts an hour. A day of 23 or 25 hours counts
 * as one. The results are cached, because every gauge needs them and they are constant within a quarter of an hour.
 */
export function wholeDays(fromMs: AtMs, toMs: AtMs, timeZone: string): number {
  const key = `${timeZone} ${fromMs} ${Math.floor(toMs / QUARTER_MS)}`;
  const known = dayCounts.get(key);
  if (known !== undefined) return known;
  const days = countDays(fromMs, toMs, timeZone);
  if (dayCounts.size >= MAX_DAY_COUNTS) dayCounts.clear();
  dayCounts.set(key, days);
  return days;
}

function countDays(fromMs: AtMs, toMs: AtMs, timeZone: string): number {
  const from = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timeZone);
  const to = Temporal.Instant.fromEpochMilliseconds(toMs).toZonedDateTimeISO(timeZone);
  // Count dates if the first instant starts a day: a day without midnight starts at 01:00, and is a whole day too.
  if (from.startOfDay().equals(from)) return from.toPlainDate().until(to.toPlainDate()).days;
  return from.until(to, { largestUnit: "day" }).days;
}

type Calendar = { hourStart(atMs: AtMs): AtMs; dayStart(atMs: AtMs): AtMs; dayEnd(atMs: AtMs): AtMs };

/** hourStart, dayStart and dayEnd with a cache. All are constant within a quarter of an hour. */
export function makeCalendar(timeZone: string): Calendar {
  const hours = new Map<number, AtMs>();
  const days = new Map<number, AtMs>();
  const ends = new Map<number, AtMs>();
  return {
    dayEnd: (atMs) => cached(ends, atMs, (ms) => dayEnd(ms, timeZone)),
    hourStart: (atMs) => cached(hours, atMs, (ms) => hourStart(ms, timeZone)),
    dayStart: (atMs) => cached(days, atMs, (ms) => dayStart(ms, timeZone)),
  };
}

/**
 * The spans of a range, oldest first: 24 local hours, 7 local days, or 5 weeks that end today. The oldest week has only
 * two days, because the window is 30 days. The last span includes the present, so it may end in the future.
 */
export function spansOf(range: Range, nowMs: AtMs, timeZone: string): { granularity: Granularity; spans: Span[] } {
  if (range === "24h") return { granularity: "hour", spans: hourSpans(nowMs, timeZone) };
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate();
  if (range === "7d") return { granularity: "day", spans: daySpans(today, timeZone, [6, 5, 4, 3, 2, 1, 0, -1]) };
  const weekEnds = Array.from({ length: WEEKS }, (_, week) => (WEEKS - 1 - week) * 7 - 1);
  return { granularity: "week", spans: daySpans(today, timeZone, [WINDOW_DAYS - 1, ...weekEnds]) };
}

/** How far back hours can be shown: this many local days, of which the last is today. */
export const HOURLY_DAYS = 15;
/** The longest window, and how far back windows may start, in days. */
export const MAX_WINDOW_DAYS = 400;

/** A local date that exists, as in "2026-03-31". */
export function isDate(text: string): boolean {
  try {
    return Temporal.PlainDate.from(text).toString() === text;
  } catch {
    return false;
  }
}

/** The instant as local time with the offset, as in "2026-03-31T14:00:00+02:00" or "2026-03-31T14:00:00.740+02:00". */
export function localTime(atMs: AtMs, timeZone: string): string {
  const local = Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone);
  return local.toString({ timeZoneName: "never", smallestUnit: local.millisecond === 0 ? "second" : "millisecond" });
}

/** The number of days from one local date to another. */
export function daysBetween(from: string, to: string): number {
  return Temporal.PlainDate.from(from).until(Temporal.PlainDate.from(to), { largestUnit: "day" }).days;
}

/** The local date of an instant. */
export function dateOf(atMs: AtMs, timeZone: string): string {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).toPlainDate().toString();
}

/** The time from the start of one local date to the end of another. */
export function windowOf(from: string, to: string, timeZone: string): Span {
  const start = (date: Temporal.PlainDate) => date.toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds;
  return {
    startsAtMs: start(Temporal.PlainDate.from(from)),
    endsAtMs: start(Temporal.PlainDate.from(to).add({ days: 1 })),
  };
}

/**
 * The spans of a window of local dates, both included, oldest first. Weeks are seven days and end with the last date;
 * months are calendar months. The first and the last span are cut to the window.
 */
export function windowSpans(from: string, to: string, granularity: Granularity, timeZone: string): Span[] {
  const { startsAtMs, endsAtMs } = windowOf(from, to, timeZone);
  if (granularity === "hour") {
    const starts = [startsAtMs];
    for (let at = hourEnd(startsAtMs, timeZone); at < endsAtMs; at = hourEnd(at, timeZone)) starts.push(at);
    return starts.map((start, i) => ({ startsAtMs: start, endsAtMs: starts[i + 1] ?? endsAtMs }));
  }
  const first = Temporal.PlainDate.from(from);
  const after = Temporal.PlainDate.from(to).add({ days: 1 });
  const edges = [after];
  for (let edge = after; Temporal.PlainDate.compare(edge, first) > 0; edges.unshift(edge)) {
    const before = edge.subtract({ days: granularity === "week" ? 7 : 1 });
    edge = granularity === "month" ? before.with({ day: 1 }) : before;
    if (Temporal.PlainDate.compare(edge, first) < 0) edge = first;
  }
  const starts = edges.map((date) => date.toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds);
  return starts.slice(0, -1).map((start, i) => ({ startsAtMs: start, endsAtMs: starts[i + 1] as AtMs }));
}

/** Returns the calendar of a time zone. All callers share its cache. */
export function calendarOf(timeZone: string): Calendar {
  const known = calendars.get(timeZone);
  if (known !== undefined) return known;
  if (calendars.size >= MAX_ZONES) calendars.clear();
  const calendar = makeCalendar(timeZone);
  calendars.set(timeZone, calendar);
  return calendar;
}

function cached(cache: Map<number, AtMs>, atMs: AtMs, compute: (atMs: AtMs) => AtMs): AtMs {
  const quarter = Math.floor(atMs / QUARTER_MS);
  const known = cache.get(quarter);
  if (known !== undefined) return known;
  const start = compute(atMs);
  if (cache.size >= MAX_QUARTERS) cache.clear();
  cache.set(quarter, start);
  return start;
}

function hourSpans(nowMs: AtMs, timeZone: string): Span[] {
  // Step back to the millisecond before each hour: when the offset changes, an hour can be longer or shorter.
  const starts = [hourStart(nowMs, timeZone)];
  while (starts.length < 24) starts.unshift(hourStart((starts[0] as AtMs) - 1, timeZone));
  const lastEnd = hourEnd(starts[23] as AtMs, timeZone);
  return starts.map((startsAtMs, i) => ({ startsAtMs, endsAtMs: starts[i + 1] ?? lastEnd }));
}

function hourEnd(startsAtMs: AtMs, timeZone: string): AtMs {
  let endsAtMs = startsAtMs + QUARTER_MS;
  while (hourStart(endsAtMs, timeZone) === startsAtMs) endsAtMs += QUARTER_MS;
  return endsAtMs;
}

/** Spans between the starts of days, given as days before today: [6, 5, …, 0, −1] are the last seven days. */
function daySpans(today: Temporal.PlainDate, timeZone: string, daysBack: number[]): Span[] {
  const edges = daysBack.map(
    (days) => today.subtract({ days }).toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds,
  );
  return edges.slice(0, -1).map((startsAtMs, i) => ({ startsAtMs, endsAtMs: edges[i + 1] as AtMs }));
}
