/**
 * Local hours and days, and the spans that a chart shows. Hours are counted on the local clock of the zone, so a
 * half-hour zone has its own boundaries, and a day has 23, 24 or 25 of them around daylight saving.
 */
import { Temporal } from "temporal-polyfill";
import type { AtMs } from "./time.ts";

export const RANGES = ["24h", "7d", "30d"] as const;
export type Range = (typeof RANGES)[number];
export const GRANULARITIES = ["hour", "day", "week"] as const;
export type Granularity = (typeof GRANULARITIES)[number];
export type Span = { startsAtMs: AtMs; endsAtMs: AtMs };

const QUARTER_MS = 900_000;
const WINDOW_DAYS = 30;
const WEEKS = 5;
const DAY_COUNTS_KEPT = 1_000;

const dayCounts = new Map<string, number>();

/** The instant at which the local hour of `atMs` began. No zone in use is off by less than a quarter of an hour. */
export function hourStart(atMs: AtMs, timeZone: string): AtMs {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).round({
    smallestUnit: "hour",
    roundingMode: "floor",
  }).epochMilliseconds;
}

/** The instant at which the local day of `atMs` began. */
export function dayStart(atMs: AtMs, timeZone: string): AtMs {
  return Temporal.Instant.fromEpochMilliseconds(atMs).toZonedDateTimeISO(timeZone).startOfDay().epochMilliseconds;
}

/**
 * Whole days on the local clock from the start of an hour to a later instant: days around daylight saving count as one.
 * Every gauge asks, and the answer is the same for a quarter of an hour: so it is remembered.
 */
export function wholeDays(fromMs: AtMs, toMs: AtMs, timeZone: string): number {
  const key = `${timeZone} ${fromMs} ${Math.floor(toMs / QUARTER_MS)}`;
  const known = dayCounts.get(key);
  if (known !== undefined) return known;
  const days = countDays(fromMs, toMs, timeZone);
  if (dayCounts.size >= DAY_COUNTS_KEPT) dayCounts.clear();
  dayCounts.set(key, days);
  return days;
}

function countDays(fromMs: AtMs, toMs: AtMs, timeZone: string): number {
  const from = Temporal.Instant.fromEpochMilliseconds(fromMs).toZonedDateTimeISO(timeZone);
  const to = Temporal.Instant.fromEpochMilliseconds(toMs).toZonedDateTimeISO(timeZone);
  // From the start of a day, dates are counted: a day whose midnight the zone skips starts at 01:00 and is whole.
  if (from.startOfDay().equals(from)) return from.toPlainDate().until(to.toPlainDate()).days;
  return from.until(to, { largestUnit: "day" }).days;
}

/** hourStart and dayStart with a memory: both are constant within a quarter of an hour. */
export function makeCalendar(timeZone: string): { hourStart(atMs: AtMs): AtMs; dayStart(atMs: AtMs): AtMs } {
  const hours = new Map<number, AtMs>();
  const days = new Map<number, AtMs>();
  return {
    hourStart: (atMs) => remembered(hours, atMs, (ms) => hourStart(ms, timeZone)),
    dayStart: (atMs) => remembered(days, atMs, (ms) => dayStart(ms, timeZone)),
  };
}

/**
 * The buckets of a range, oldest first, all ending with the current one: 24 local hours, 7 local days, or five 7-day
 * weeks of which the oldest is cut to the 30-day window (2 days and 4 weeks). The last one's end may lie ahead.
 */
export function spansOf(range: Range, nowMs: AtMs, timeZone: string): { granularity: Granularity; spans: Span[] } {
  if (range === "24h") return { granularity: "hour", spans: hourSpans(nowMs, timeZone) };
  const today = Temporal.Instant.fromEpochMilliseconds(nowMs).toZonedDateTimeISO(timeZone).toPlainDate();
  if (range === "7d") return { granularity: "day", spans: daySpans(today, timeZone, [6, 5, 4, 3, 2, 1, 0, -1]) };
  const weekEnds = Array.from({ length: WEEKS }, (_, week) => (WEEKS - 1 - week) * 7 - 1);
  return { granularity: "week", spans: daySpans(today, timeZone, [WINDOW_DAYS - 1, ...weekEnds]) };
}

function remembered(memory: Map<number, AtMs>, atMs: AtMs, compute: (atMs: AtMs) => AtMs): AtMs {
  const quarter = Math.floor(atMs / QUARTER_MS);
  const known = memory.get(quarter);
  if (known !== undefined) return known;
  const start = compute(atMs);
  memory.set(quarter, start);
  return start;
}

function hourSpans(nowMs: AtMs, timeZone: string): Span[] {
  // Back from the current hour by its start, minus a moment: a change of offset may make an hour longer or shorter.
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

/** Spans between days counted back from today: [6, 5, …, 0, −1] are the seven days up to tomorrow's start. */
function daySpans(today: Temporal.PlainDate, timeZone: string, daysBack: number[]): Span[] {
  const edges = daysBack.map(
    (days) => today.subtract({ days }).toZonedDateTime({ timeZone }).startOfDay().epochMilliseconds,
  );
  return edges.slice(0, -1).map((startsAtMs, i) => ({ startsAtMs, endsAtMs: edges[i + 1] as AtMs }));
}
