/**
 * When the object's one alarm has to ring, as a pure function of what is due. It knows no platform and no job: it only
 * compares times of the real clock.
 */
import type { AtMs } from "../../ledger/time.ts";

export const NEVER: AtMs = Number.POSITIVE_INFINITY;

/** The platform drops an alarm whose handler throws six times. One that is this late was dropped. */
const DROPPED_AFTER_MS = 300_000;

export type AlarmState = {
  nowMs: AtMs;
  /** What the alarm is set to, as far as this instance knows; NEVER when it does not know. */
  alarmAtMs: AtMs;
  /** The alarm's jobs are running: it is set again when they are done. */
  running: boolean;
  /** When each job is due, by its name; NEVER for a job that has nothing to do. */
  dueAtMs: Readonly<Record<string, AtMs>>;
};

/** The time to set the alarm to; null when it may stay as it is. */
export function nextAlarmAt({ nowMs, alarmAtMs, running, dueAtMs }: AlarmState): AtMs | null {
  if (running) return null;
  const firstAtMs = Math.min(...Object.values(dueAtMs));
  if (firstAtMs === NEVER) return null;
  const atMs = Math.max(firstAtMs, nowMs);
  const dropped = alarmAtMs <= nowMs - DROPPED_AFTER_MS;
  return dropped || atMs < alarmAtMs ? atMs : null;
}

const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 60_000;

/** The pause before a job that has failed so many times in a row is tried again: 1 s, doubling up to 60 s. */
export function retryPauseMs(failures: number): number {
  return Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
}
