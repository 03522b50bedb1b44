// How long agents are asked to collect usage: longer the more of them there are, and shorter near a limit.
import { describe, expect, it } from "vitest";
import { isNearLimit, reportAfterMs, Senders } from "../../src/ledger/pace.ts";
import { NOON } from "../support/books.ts";

/** Lets agents call at the pace that they are asked for, and returns the pause and the calls of the last second. */
function run(agents: number, seconds: number, near = false) {
  const senders = new Senders();
  const dueMs = Array.from({ length: agents }, (_, i) => (i * 997) % 1_000);
  const calls: number[] = new Array(seconds).fill(0);
  let pauseMs = 0;
  for (let ms = 0; ms < seconds * 1_000; ms += 10) {
    for (let i = 0; i < agents; i++) {
      if ((dueMs[i] as number) > ms) continue;
      senders.note(`r${i}`, NOON + ms);
      pauseMs = reportAfterMs(senders.count(), near);
      dueMs[i] = ms + pauseMs;
      calls[Math.floor(ms / 1_000)] = (calls[Math.floor(ms / 1_000)] ?? 0) + 1;
    }
  }
  const last = calls.slice(-5);
  return {
    pauseMs,
    callsPerSecond: last.reduce((sum, n) => sum + n, 0) / last.length,
    most: Math.max(...calls.slice(1)),
  };
}

describe("the pause between two reports", () => {
  it("is the shortest for up to a hundred agents", () => {
    expect(run(10, 20).pauseMs).toBe(250);
    expect(run(90, 20).pauseMs).toBe(250);
  });

  it("grows with the number of agents, so that together they send what the object should take", () => {
    for (const agents of [200, 1_000, 1_900]) {
      const { pauseMs, callsPerSecond } = run(agents, 30);
      expect(pauseMs / ((agents / 400) * 1_000)).toBeGreaterThan(0.8);
      expect(pauseMs / ((agents / 400) * 1_000)).toBeLessThan(1.2);
      expect(callsPerSecond).toBeLessThan(480);
    }
  });

  it("is at most five seconds", () => {
    expect(run(5_000, 30)).toMatchObject({ pauseMs: 5_000 });
    expect(reportAfterMs(1e9, true)).toBe(5_000);
  });

  it("is half as long near a limit, and the shortest if the object can take that", () => {
    expect(reportAfterMs(1_000, false)).toBe(2_500);
    expect(reportAfterMs(1_000, true)).toBe(1_250);
    expect(reportAfterMs(150, true)).toBe(250);
  });

  it("becomes short again once most agents are gone", () => {
    const senders = new Senders();
    for (let i = 0; i < 3_000; i++) senders.note(`r${i}`, NOON);
    expect(reportAfterMs(senders.count(), false)).toBeGreaterThan(1_000);
    senders.note("r1", NOON + 6_000);
    expect(reportAfterMs(senders.count(), false)).toBe(250);
  });

  it("is not changed by a clock that steps back, or by a sender of many runs", () => {
    const senders = new Senders();
    senders.note("r1", NOON + 60_000);
    senders.note("r1", NOON);
    for (let ms = 0; ms < 10_000; ms += 250) senders.note(`many-${(ms / 250) % 500}`, NOON + ms);
    expect(reportAfterMs(senders.count(), false)).toBe(250);
  });
});

it("is near a limit if a few further reports would reach it, or if the run should end", () => {
  expect(isNearLimit("continue", 100, 5)).toBe(true);
  expect(isNearLimit("continue", 101, 5)).toBe(false);
  expect(isNearLimit("continue", null, 5)).toBe(false);
  expect(isNearLimit("wind_down", 1_000_000, 0)).toBe(true);
  expect(isNearLimit("continue", 10, -7)).toBe(false);
});
