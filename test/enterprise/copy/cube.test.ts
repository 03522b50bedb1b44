// R11: the usage cube adds what was used since the last batch to what it has.
import { expect, it } from "vitest";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { getProgress, setProgress } from "../../../src/enterprise/books/progress.ts";
import { cubeGap } from "../../../src/enterprise/copy/cube-gap.ts";
import { confirmBatch } from "../../../src/enterprise/copy/projection.ts";
import { DAY_MS, debit, HOUR_MS, MARCH, NOON, openBooks, openByClock, report } from "../../support/books.ts";
import { takeWaiting } from "../../support/take-batch.ts";

/** Sends what the copy lacks. Returns the cells of the cube and the totals of models that were sent. */
function send(ledger: Ledger) {
  const batch = takeWaiting(ledger);
  if (batch === null) throw new Error("there is nothing to send");
  confirmBatch(ledger, batch);
  const { cells, models } = batch.totals;
  return { cells, models };
}

it("adds later usage of the same day and combination to the cell that was sent before", () => {
  const ledger = openBooks();
  debit(ledger, report(100));
  expect(send(ledger)).toMatchObject({
    cells: [{ amountMicros: 100, requests: 1, kinds: { input: [100, 100] }, hours: { 720: 100 } }],
    models: [{ cycleMicros: 100, modelRequests: 1, kinds: { input: [100, 100] } }],
  });
  debit(ledger, report(250));
  debit(ledger, report(40, { run: "another" }));
  expect(send(ledger)).toMatchObject({
    cells: [{ amountMicros: 290, cycleMicros: 290, requests: 2, kinds: { input: [290, 290] }, hours: { 720: 290 } }],
    models: [{ cycleMicros: 290, modelRequests: 2, kinds: { input: [290, 290] } }],
  });
});

it("notes until which day an earlier release left usage out", () => {
  const clock = { nowMs: NOON };
  const ledger = openByClock(clock);
  debit(ledger, report(100));
  send(ledger);
  expect(cubeGap(ledger)).toBeNull();
  // A release without a cube folds what it sends into the totals alone.
  setProgress(ledger.sql, "cube_folded", getProgress(ledger.sql, "cube_folded") - 1);
  clock.nowMs = NOON + HOUR_MS;
  debit(ledger, report(250));
  send(ledger);
  expect(cubeGap(ledger)).toEqual({ fromMs: MARCH, untilMs: NOON + DAY_MS / 2 });
  clock.nowMs = NOON + 2 * DAY_MS;
  debit(ledger, report(400));
  send(ledger);
  expect(cubeGap(ledger)?.untilMs).toBe(NOON + DAY_MS / 2);
});
