// When the object's alarm has to ring, and how long a failed job waits, with literal times.
import { describe, expect, it } from "vitest";
import { type AlarmState, NEVER, nextAlarmAt, retryPauseMs } from "../../../src/enterprise/jobs/next-alarm.ts";

const MINUTE_MS = 60_000;
const state = (over: Partial<AlarmState>): AlarmState => ({
  nowMs: 1_000_000,
  alarmAtMs: NEVER,
  running: false,
  dueAtMs: { settle: NEVER, project: NEVER, deliver: NEVER },
  ...over,
});

describe("the next alarm", () => {
  it("is not set while nothing is due", () => {
    expect(nextAlarmAt(state({}))).toBeNull();
    expect(nextAlarmAt(state({ alarmAtMs: 1_002_000 }))).toBeNull();
  });

  it("is set to the first of all that is due", () => {
    const dueAtMs = { settle: 1_900_000, project: 1_002_500, deliver: 1_030_000 };
    expect(nextAlarmAt(state({ dueAtMs }))).toBe(1_002_500);
  });

  it("is never set to a time in the past", () => {
    expect(nextAlarmAt(state({ dueAtMs: { settle: 0, project: 999_000 } }))).toBe(1_000_000);
  });

  it("replaces an alarm that is later, and leaves one that is as early or earlier", () => {
    const dueAtMs = { project: 1_002_500 };
    expect(nextAlarmAt(state({ dueAtMs, alarmAtMs: 1_002_501 }))).toBe(1_002_500);
    expect(nextAlarmAt(state({ dueAtMs, alarmAtMs: 1_002_500 }))).toBeNull();
    expect(nextAlarmAt(state({ dueAtMs, alarmAtMs: 1_000_001 }))).toBeNull();
  });

  it("is left as it is while it is a little late, also when something is overdue", () => {
    const dueAtMs = { settle: 0, project: 700_001 };
    expect(nextAlarmAt(state({ dueAtMs, alarmAtMs: 1_000_000 - 5 * MINUTE_MS + 1 }))).toBeNull();
  });

  it("is set again when it is five minutes late, because the platform has dropped it", () => {
    const dueAtMs = { settle: 0, project: 1_002_500 };
    expect(nextAlarmAt(state({ dueAtMs, alarmAtMs: 1_000_000 - 5 * MINUTE_MS }))).toBe(1_000_000);
  });

  it("is not set while its jobs run: it is set when they are done", () => {
    expect(nextAlarmAt(state({ dueAtMs: { settle: 0 }, running: true }))).toBeNull();
  });
});

it("waits a second after the first failure of a job, then twice as long each time, at most a minute", () => {
  expect([1, 2, 3, 4, 5, 6, 7, 8, 100].map(retryPauseMs)).toEqual([
    ...[1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000],
  ]);
});
