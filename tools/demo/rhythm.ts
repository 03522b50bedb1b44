// When people work: the hours of the past in an enterprise's own time zone, how busy each of them was, and the steps
// in which the seed plays them. Pure; the machine's own time zone plays no part.
// A charge stands in the hour of its arrival, so a step's reports arrive at its last second, never past midnight.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Older history is shown by days and weeks only: fewer, longer steps make the seed quick. */
const HOURLY_FOR_MS = 3 * DAY_MS;
/** The longest step; an interrupted seed looks this far back for hours that it may not have sent. */
export const LONGEST_STEP_MS = 4 * HOUR_MS;
const ARRIVES_BEFORE_END_MS = 1000;

const BUSYNESS_BY_HOUR = [
  0.02, 0.01, 0, 0, 0, 0.01, 0.05, 0.2, 0.5, 0.9, 1, 0.95, 0.7, 0.8, 1, 1, 0.95, 0.8, 0.5, 0.3, 0.25, 0.2, 0.12, 0.05,
];
const WEEKEND_RATIO = 0.12;

/** What a clock and a calendar on the wall show. */
export interface LocalTime {
  /** YYYY-MM-DD */
  date: string;
  hour: number;
  minute: number;
  isWeekend: boolean;
}

/** One local hour of the past; the last one ends now. */
export interface PastHour extends LocalTime {
  startsAtMs: number;
  endsAtMs: number;
}

/** Hours whose reports arrive together. */
export interface HistoryStep {
  arriveAtMs: number;
  hours: PastHour[];
}

/** The local time of an instant. */
export function localTime(atMs: number, timeZone: string): LocalTime {
  const parts = Object.fromEntries(
    formatterOf(timeZone)
      .formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  );
  return {
    date: `${parts.year}-${parts.month}-${parts.day}`,
    hour: Number(parts.hour),
    minute: Number(parts.minute),
    isWeekend: parts.weekday === "Sat" || parts.weekday === "Sun",
  };
}

/** The local hours from one instant to another; the first begins on a full local hour, also in half-hour zones. */
export function pastHours(fromMs: number, nowMs: number, timeZone: string): PastHour[] {
  const fullMinuteMs = Math.ceil(fromMs / 60_000) * 60_000;
  const hours: PastHour[] = [];
  let startsAtMs = fullMinuteMs + ((60 - localTime(fullMinuteMs, timeZone).minute) % 60) * 60_000;
  for (; startsAtMs < nowMs; startsAtMs += HOUR_MS) {
    hours.push({ ...localTime(startsAtMs, timeZone), startsAtMs, endsAtMs: Math.min(startsAtMs + HOUR_MS, nowMs) });
  }
  return hours;
}

/** How busy an hour is, from 0 to 1; a part of an hour has its part of it. */
export function busyness({ hour, isWeekend, startsAtMs, endsAtMs }: PastHour): number {
  const share = (endsAtMs - startsAtMs) / HOUR_MS;
  return BUSYNESS_BY_HOUR[hour]! * (isWeekend ? WEEKEND_RATIO : 1) * share;
}

/** The hours in steps: single ones lately, up to four of one local day before that. */
export function historySteps(hours: readonly PastHour[], nowMs: number): HistoryStep[] {
  const steps: HistoryStep[] = [];
  for (const hour of hours) {
    const step = steps.at(-1);
    const first = step?.hours[0];
    const arriveAtMs = hour.endsAtMs - ARRIVES_BEFORE_END_MS;
    const isOld = hour.startsAtMs < nowMs - HOURLY_FOR_MS;
    if (step && first && isOld && first.date === hour.date && hour.endsAtMs - first.startsAtMs <= LONGEST_STEP_MS) {
      step.hours.push(hour);
      step.arriveAtMs = arriveAtMs;
    } else {
      steps.push({ arriveAtMs, hours: [hour] });
    }
  }
  return steps;
}

/**
 * The local date on which the cycle with this anchor day began. Anchor days up to 28 need no care for short months;
 * half days because a whole one could step over a day of 23 hours.
 */
export function cycleStartDate(nowMs: number, timeZone: string, anchorDay: number): string {
  let atMs = nowMs;
  while (Number(localTime(atMs, timeZone).date.slice(8)) !== anchorDay) atMs -= DAY_MS / 2;
  return localTime(atMs, timeZone).date;
}

/** The anchor day with which the cycle is about this many days old. */
export function anchorDayFor(nowMs: number, timeZone: string, daysIntoCycle: number): number {
  return Math.min(28, Number(localTime(nowMs - daysIntoCycle * DAY_MS, timeZone).date.slice(8)));
}

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatterOf(timeZone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(timeZone);
  if (!formatter) {
    formatter = new Intl.DateTimeFormat("en-US", {
      timeZone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      weekday: "short",
    });
    formatters.set(timeZone, formatter);
  }
  return formatter;
}
