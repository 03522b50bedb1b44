/**
 * Decides when the Durable Object's single alarm has to run. This is a pure function of the jobs' due times. It knows
 * neither the platform nor what the jobs do, and all times are by the real clock.
 */
import type { AtMs } from "../../ledger/time.ts";

export const NEVER: AtMs = Number.POSITIVE_INFINITY;

/** The platform drops an alarm after its handler has thrown six times. An alarm that is this late has been dropped. */
const DROPPED_AFTER_MS = 300_000;

export type AlarmState = {
  nowMs: AtMs;
  /** When the alarm is set to run; NEVER if this instance does not know. */
  alarmAtMs: AtMs;
  /** Whether the alarm's jobs are running. The alarm is set again when they are done. */
  running: boolean;
  /** When each job is due, by job name; NEVER for a job that has nothing to do. */
  dueAtMs: Readonly<Record<string, AtMs>>;
};

/** Returns the time to set the alarm to, or null if the alarm does not need to change. */
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

/**
 * Returns the pause before a job's next attempt: 1 s after one failure, then doubled each time in a row, up to 60 s.
 */
export function retryPauseMs(failures: number): number {
  return Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
}
