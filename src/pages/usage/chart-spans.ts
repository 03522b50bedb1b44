/** The buckets of the chart for each window: how long they are, and when each starts and ends. */
import { dayStart, daysBetween, type Granularity, type Span, spansOf, windowSpans } from "../../ledger/calendar.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { UsageQuery } from "./query.ts";

const HOUR_MS = 3_600_000;
const MAX_HOURLY_DAYS = 2;
const MAX_DAILY_DAYS = 45;
const MAX_WEEKLY_DAYS = 200;

/** The buckets of the chart: those of the window; for a cycle, its days so far. */
export function chartSpans(
  view: { nowMs: AtMs; timeZone: string },
  cycle: Span,
  { range, dates }: UsageQuery,
): { granularity: Granularity; spans: Span[] } {
  if (range === "cycle") {
    const lastMs = Math.min(view.nowMs, cycle.endsAtMs - 1);
    return { granularity: "day", spans: daysOf(cycle.startsAtMs, lastMs, view.timeZone) };
  }
  if (range !== "dates" || dates === null) {
    return spansOf(range === "dates" ? "7d" : range, view.nowMs, view.timeZone);
  }
  const days = daysBetween(dates.from, dates.to) + 1;
  const granularity = granularityOf(days);
  return { granularity, spans: windowSpans(dates.from, dates.to, granularity, view.timeZone) };
}

function granularityOf(days: number): Granularity {
  if (days <= MAX_HOURLY_DAYS) return "hour";
  return days <= MAX_DAILY_DAYS ? "day" : days <= MAX_WEEKLY_DAYS ? "week" : "month";
}

/** The local days from `fromMs` to the day that contains `toMs`. */
export function daysOf(fromMs: AtMs, toMs: AtMs, timeZone: string): Span[] {
  const spans: Span[] = [];
  for (let startsAtMs = fromMs; startsAtMs <= toMs; ) {
    // 25 hours later is in the next local day, whether this day has 23, 24 or 25 hours.
    const endsAtMs = dayStart(startsAtMs + 25 * HOUR_MS, timeZone);
    spans.push({ startsAtMs, endsAtMs });
    startsAtMs = endsAtMs;
  }
  return spans;
}
