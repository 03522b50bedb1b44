/**
 * The calendar of the reference model: local dates according to Intl, and the first instant of a date, found by trying
 * every quarter of an hour. It is slow and simple, and does not use the ledger's calendar library.
 * It knows days and anchor days, but not what a cycle means.
 */
type LocalDate = { year: number; month: number; day: number };

const QUARTER_MS = 900_000;
const formats = new Map<string, Intl.DateTimeFormat>();
const starts = new Map<string, number>();

export function localDateOf(atMs: number, timeZone: string): LocalDate {
  const [year = 0, month = 0, day = 0] = formatOf(timeZone).format(atMs).split("-").map(Number);
  return { year, month, day };
}

/** The first instant of this date in the zone, or of the next date if the zone skipped this one. */
export function firstInstantOf({ year, month, day }: LocalDate, timeZone: string): number {
  const key = `${timeZone} ${year} ${month} ${day}`;
  const known = starts.get(key);
  if (known !== undefined) return known;
  const date = numberOf({ year, month, day });
  let atMs = Date.UTC(year, month - 1, day) - 16 * 3_600_000;
  while (numberOf(localDateOf(atMs, timeZone)) < date) atMs += QUARTER_MS;
  starts.set(key, atMs);
  return atMs;
}

/** The anchor day in a month, or its last day if the month is too short. `month` may be above 12 or below 1. */
function anchorDate(year: number, month: number, anchorDay: number): LocalDate {
  const first = new Date(Date.UTC(year, month - 1, 1));
  const [trueYear, trueMonth] = [first.getUTCFullYear(), first.getUTCMonth() + 1];
  const lastDay = new Date(Date.UTC(trueYear, trueMonth, 0)).getUTCDate();
  return { year: trueYear, month: trueMonth, day: Math.min(anchorDay, lastDay) };
}

/** The first start of a cycle at or after an instant. */
export function nextAnchor(atMs: number, timeZone: string, anchorDay: number): number {
  const { year, month } = localDateOf(atMs, timeZone);
  for (let ahead = -1; ; ahead++) {
    const startMs = firstInstantOf(anchorDate(year, month + ahead, anchorDay), timeZone);
    if (startMs >= atMs) return startMs;
  }
}

/** The cycle that contains an instant. */
export function cycleHolding(
  atMs: number,
  timeZone: string,
  anchorDay: number,
): { startsAtMs: number; endsAtMs: number } {
  const { year, month } = localDateOf(atMs, timeZone);
  const around = [-2, -1, 0, 1, 2].map((ahead) => firstInstantOf(anchorDate(year, month + ahead, anchorDay), timeZone));
  const startsAtMs = Math.max(...around.filter((startMs) => startMs <= atMs));
  return { startsAtMs, endsAtMs: Math.min(...around.filter((startMs) => startMs > atMs)) };
}

/** How many local days there are between the dates of two instants. */
export function datesBetween(fromMs: number, toMs: number, timeZone: string): number {
  const utc = ({ year, month, day }: LocalDate) => Date.UTC(year, month - 1, day);
  return (utc(localDateOf(toMs, timeZone)) - utc(localDateOf(fromMs, timeZone))) / 86_400_000;
}

function numberOf({ year, month, day }: LocalDate): number {
  return year * 10_000 + month * 100 + day;
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  const options = { timeZone, year: "numeric", month: "2-digit", day: "2-digit" } as const;
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat("sv-SE", options);
  formats.set(timeZone, format);
  return format;
}
