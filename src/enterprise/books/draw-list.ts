/** How a draw is stored, in a meter's row and in the pages of its older draws. */
import type { Draw } from "../../ledger/books.ts";

/** A draw as it is stored. A list is half as long as an object, and a debit rewrites all draws of its meter. */
export type DrawList = [
  bucket: Draw["bucket"],
  grantId: string | null,
  cycleStartsAtMs: number,
  micros: number,
  lapsedMicros: number,
  dayStartsAtMs?: number | null,
  lateMicros?: number,
];

export function drawToList(draw: Draw): DrawList {
  const { bucket, grantId, cycleStartsAtMs, micros, lapsedMicros, dayStartsAtMs, lateMicros } = draw;
  if (lateMicros !== undefined) {
    return [bucket, grantId, cycleStartsAtMs, micros, lapsedMicros, dayStartsAtMs ?? null, lateMicros];
  }
  if (dayStartsAtMs === undefined) return [bucket, grantId, cycleStartsAtMs, micros, lapsedMicros];
  return [bucket, grantId, cycleStartsAtMs, micros, lapsedMicros, dayStartsAtMs];
}

export function drawOfList(list: DrawList): Draw {
  const [bucket, grantId, cycleStartsAtMs, micros, lapsedMicros, dayStartsAtMs = null, lateMicros] = list;
  const day = dayStartsAtMs === null ? {} : { dayStartsAtMs };
  const late = lateMicros === undefined ? {} : { lateMicros };
  return { bucket, grantId, cycleStartsAtMs, micros, lapsedMicros, ...day, ...late };
}
