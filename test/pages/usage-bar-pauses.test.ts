// How long usage bars wait before they connect again after a deployment has closed the sockets of all of them.
import { expect, it } from "vitest";
import { reconnectPauseMs } from "../../src/browser/usage-bar/pauses.ts";

it("waits at most 1 s after the first failure, twice as long after each further one, and at most 30 s", () => {
  const longest = [0, 1, 2, 3, 4, 5, 1_000].map((failures) => reconnectPauseMs(failures, 1));
  expect(longest).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

it("spreads the return of a thousand bars over the whole window", () => {
  const pauses = Array.from({ length: 1_000 }, (_, bar) => reconnectPauseMs(0, bar / 1_000));
  const inQuarter = [0, 1, 2, 3].map((quarter) => pauses.filter((ms) => Math.floor(ms / 250) === quarter).length);
  expect(inQuarter).toEqual([250, 250, 250, 250]);
});
