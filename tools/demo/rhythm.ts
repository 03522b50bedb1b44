// When people work: past hours in an enterprise's time zone, how busy each hour was, and the steps in which the seed
// sends them. Pure, and independent of the machine's time zone.
// A charge counts in the hour of its arrival, so a step's reports arrive in its last second, never after midnight.

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Older history appears only as days and weeks, so fewer and longer steps suffice and make seeding quick. */
const HOURLY_FOR_MS = 3 * DAY_MS;
const FOUR_HOURLY_FOR_MS = 34 * DAY_MS;
/** The maximum length of a step: a local day. A resumed seed sends the hours of this last stretch again. */
export const MAX_STEP_MS = 25 * HOUR_MS;
const ARRIVES_BEFORE_END_MS = 1000;

const BUSYNESS_BY_HOUR = [
  0.02, 0.01, 0, 0, 0, 0.01, 0.05, 0.2, 0.5, 0.9, 1, 0.95, 0.7, 0.8, 1, 1, 0.95, 0.8, 0.5, 0.3, 0.25, 0.2, 0.12, 0.05,
];
const WEEKEND_RATIO = 0.12;

/** What a local clock and calendar show. */
export interface LocalTime {
  /** YYYY-MM-DD */
  date: string;
  hour: number;
  minute: number;
  isWeekend: boolean;
}

/** One past hour in local time. The last one ends now. */
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

/** The local hours between two instants. The first begins on a full local hour, in half-hour zones too. */
export function pastHours(fromMs: number, nowMs: number, timeZone: string): PastHour[] {
  const fullMinuteMs = Math.ceil(fromMs / 60_000) * 60_000;
  const hours: PastHour[] = [];
  let startsAtMs = fullMinuteMs + ((60 - localTime(fullMinuteMs, timeZone).minute) % 60) * 60_000;
  for (; startsAtMs < nowMs; startsAtMs += HOUR_MS) {
    hours.push({ ...localTime(startsAtMs, timeZone), startsAtMs, endsAtMs: Math.min(startsAtMs + HOUR_MS, nowMs) });
  }
  return hours;
}

/** How busy an hour is, from 0 to 1. An incomplete hour counts in proportion. */
export function busyness({ hour, isWeekend, startsAtMs, endsAtMs }: PastHour): number {
  const share = (endsAtMs - startsAtMs) / HOUR_MS;
  return BUSYNESS_BY_HOUR[hour]! * (isWeekend ? WEEKEND_RATIO : 1) * share;
}

/** Groups hours into steps: one hour each for recent days, before that up to four of the same local day, and then whole days. */
export function historySteps(hours: readonly PastHour[], nowMs: number): HistoryStep[] {
  const steps: HistoryStep[] = [];
  for (const hour of hours) {
    const step = steps.at(-1);
    const first = step?.hours[0];
    const arriveAtMs = hour.endsAtMs - ARRIVES_BEFORE_END_MS;
    const maxStepMs = maxStepAt(nowMs - hour.startsAtMs);
    if (step && first && first.date === hour.date && hour.endsAtMs - first.startsAtMs <= maxStepMs) {
      step.hours.push(hour);
      step.arriveAtMs = arriveAtMs;
    } else {
      steps.push({ arriveAtMs, hours: [hour] });
    }
  }
  return steps;
}

function maxStepAt(ageMs: number): number {
  if (ageMs <= HOURLY_FOR_MS) return HOUR_MS;
  return ageMs <= FOUR_HOURLY_FOR_MS ? 4 * HOUR_MS : MAX_STEP_MS;
}

/** The anchor day that makes the current cycle about this many days old. */
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
