/**
 * Local hours and days for the reference, from what Intl shows, without the library that the ledger uses. Zones whose
 * clock changes by half an hour are not simulated.
 */
import { firstInstantOf, localDateOf } from "../support/reference-calendar.ts";

const QUARTER_MS = 900_000;
const KNOWN_KEPT = 100_000;
const minutes = new Map<string, Intl.DateTimeFormat>();
const known = new Map<string, number>();

/** The start of the local hour of the instant. */
export function localHourStart(atMs: number, timeZone: string): number {
  return remembered(`hour ${timeZone}`, atMs, () => {
    const format = minutes.get(timeZone) ?? new Intl.DateTimeFormat("sv-SE", { timeZone, minute: "numeric" });
    minutes.set(timeZone, format);
    return atMs - Number(format.format(atMs)) * 60_000 - (atMs % 60_000);
  });
}

/** The start of the local day of the instant. */
export function localDayStart(atMs: number, timeZone: string): number {
  return remembered(`day ${timeZone}`, atMs, () => firstInstantOf(localDateOf(atMs, timeZone), timeZone));
}

/** Both are constant within a quarter of an hour. */
function remembered(what: string, atMs: number, find: () => number): number {
  const key = `${what} ${Math.floor(atMs / QUARTER_MS)}`;
  const start = known.get(key) ?? find();
  if (known.size > KNOWN_KEPT) known.clear();
  known.set(key, start);
  return start;
}
