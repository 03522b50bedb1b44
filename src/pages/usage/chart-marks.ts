/** The marks of the chart: resets, grants, the next expiry, and changes of the cap, each at the place of its time. */
import type { TimeBucket } from "../../copy/read.ts";
import type { Entry } from "../../ledger/entries.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { formatDate } from "../kit/dates.ts";
import { formatCharge } from "../kit/format.ts";
import type { Tick } from "./chart-shape.ts";
import type { Outlook } from "./outlook.ts";

/** The changes that have a place in the chart, oldest first. */
export function marksOf(changes: readonly Entry[], timeZone: string, placeOf: (atMs: AtMs) => number | null): Tick[] {
  return [...changes].reverse().flatMap(({ atMs, facts }) => {
    const at = placeOf(atMs);
    const text = markText(facts);
    return at === null || text === null ? [] : [{ at, label: `${formatDate(atMs, timeZone)}: ${text}` }];
  });
}

type Expiry = { atMs: AtMs; micros: Micros };

/** The next expiry of bonus credits, unless it is after the end of the cycle. It may be to the right of all buckets. */
export function expiryMarks(
  expiry: Expiry | null,
  { startsAtMs, endsAtMs }: Pick<Outlook, "startsAtMs" | "endsAtMs">,
  daysTotal: number,
  timeZone: string,
): Tick[] {
  if (expiry === null || expiry.atMs > endsAtMs) return [];
  const at = ratioOf(expiry.atMs, startsAtMs, endsAtMs) * daysTotal;
  const credits = formatCharge(expiry.micros, "credits");
  return [{ at, label: `${formatDate(expiry.atMs, timeZone)}: ${credits} expire` }];
}

function markText(facts: Entry["facts"]): string | null {
  switch (facts.type) {
    case "cycle_started":
      return facts.previous === null ? "first cycle" : "reset";
    case "grant_added":
      return `grant of ${formatCharge(facts.amountMicros, "credits")}`;
    case "cap_changed":
      return facts.toMicros === null ? "cap removed" : `cap set to ${formatCharge(facts.toMicros, "usd")}`;
    default:
      return null;
  }
}

/** The place of an instant between the points of the buckets, each of which is drawn in the middle of its bucket. */
export function positionIn(buckets: readonly TimeBucket[], atMs: AtMs): number | null {
  const i = buckets.findIndex(({ startsAtMs, endsAtMs }) => startsAtMs <= atMs && atMs < endsAtMs);
  const bucket = buckets[i];
  return bucket === undefined ? null : i - 0.5 + ratioOf(atMs, bucket.startsAtMs, bucket.endsAtMs);
}

export function positionInDays(buckets: readonly TimeBucket[], atMs: AtMs): number | null {
  const at = positionIn(buckets, atMs);
  return at === null ? null : at + 0.5;
}

/** How much of a span has passed, 0 … 1. */
export function ratioOf(atMs: AtMs, startsAtMs: AtMs, endsAtMs: AtMs): number {
  return Math.min(1, Math.max(0, (atMs - startsAtMs) / (endsAtMs - startsAtMs)));
}
