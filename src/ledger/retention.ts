/**
 * How long history is kept (rule R10): runs, totals and entries for 400 days, hourly totals for 15 days, and a run that
 * never reported for as long as a meter. The rules for meters are in meter.ts. This file does not know where rows are
 * stored.
 */
import type { Run } from "./books.ts";
import { METER_RETENTION_MS } from "./meter.ts";
import { type AtMs, DAY_MS } from "./time.ts";

const HISTORY_MS = 400 * DAY_MS;
const HOURS_MS = 15 * DAY_MS;
/** A chart may begin with the local day that contains the limit, and may be read shortly before midnight. */
const MARGIN_MS = 2 * DAY_MS;

/** From when each kind of row is kept. A row that is older may be deleted at any time. */
export type KeptSince = {
  /** The start of an hourly total. */
  hoursMs: AtMs;
  /** The start of a daily total. */
  daysMs: AtMs;
  /** The start of a run, and the time of an entry. */
  historyMs: AtMs;
  /** The last report of a run whose start is older. */
  metersMs: AtMs;
};

export function keptSince(nowMs: AtMs): KeptSince {
  return {
    hoursMs: nowMs - HOURS_MS - MARGIN_MS,
    daysMs: nowMs - HISTORY_MS - MARGIN_MS,
    historyMs: nowMs - HISTORY_MS,
    metersMs: nowMs - METER_RETENTION_MS,
  };
}

/** Whether a run that never reported is forgotten: 35 days after its start or its hold's end, whichever is later. */
export function isForgotten(run: Run, nowMs: AtMs): boolean {
  if (run.reported || run.hold !== null) return false;
  return nowMs - Math.max(run.startedAtMs, run.holdEndedAtMs ?? 0) > METER_RETENTION_MS;
}
