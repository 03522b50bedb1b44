// How the copy is written while debits wait: in small batches with a rest after each, in larger ones when it is behind.
import { expect, it } from "vitest";
import type { Batch } from "../../../src/copy/batch.ts";
import { CopiedRuns } from "../../../src/enterprise/books/copied-runs.ts";
import { loadRunsOwed, putOutbox } from "../../../src/enterprise/books/outbox.ts";
import { setProgress } from "../../../src/enterprise/books/progress.ts";
import { CopyWriter } from "../../../src/enterprise/copy/copy-writer.ts";
import { MOVE, type MoveCursor } from "../../../src/enterprise/copy/move-cursor.ts";
import { confirmBatch, copyIsBehind, takeBatch } from "../../../src/enterprise/copy/projection.ts";
import { Projector } from "../../../src/enterprise/copy/projector.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { report, settings } from "../../support/books.ts";
import { stubPlatform } from "../stub-platform.ts";

/** How long D1 takes for a batch. */
const WRITE_MS = 30;

function open(runs: number, writeMs = WRITE_MS) {
  const rests: number[] = [];
  const platform = stubPlatform({
    defer: (act, delayMs) => {
      // The limit of a call of D1 never ends here.
      if (delayMs < 1_000) {
        rests.push(delayMs);
        queueMicrotask(act);
      }
      return () => {};
    },
  });
  const copy = new CopyDb(async (apply) => {
    apply();
    platform.nowMs += writeMs;
  });
  platform.copy = copy;
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  for (let i = 0; i < runs; i++) core.ledger.debit([report(1, { run: `r${i}` })]);
  const writer = new CopyWriter(core.ledger, platform, () => {});
  rests.length = 0;
  return { core, copy, rests, projector: new Projector(core.ledger, platform, writer, () => {}) };
}

it("takes at most a hundred runs into a batch, but all changes of one commit", () => {
  const { core } = open(250);
  expect(takeBatch(core.ledger)?.runs).toHaveLength(100);
  const { core: other } = open(0);
  other.ledger.debit(Array.from({ length: 250 }, (_, i) => report(1, { run: `r${i}` })));
  expect(takeBatch(other.ledger)?.runs).toHaveLength(250);
});

it("rests between batches for three times as long as one took", async () => {
  const { copy, rests, projector } = open(250);
  await projector.project();
  expect(copy.rows("SELECT count(*) AS n FROM runs WHERE enterprise = 'acme'")).toEqual([{ n: 250 }]);
  expect(rests).toEqual([90, 90]);
});

it("rests for at most a tenth of a second, and not after the last batch", async () => {
  const { rests, projector } = open(150, 200);
  await projector.project();
  expect(rests).toEqual([100]);
});

it("writes larger batches when the copy is far behind", async () => {
  const { copy, rests, projector } = open(2_000);
  await projector.project();
  expect(copy.rows("SELECT count(*) AS n FROM runs WHERE enterprise = 'acme'")).toEqual([{ n: 2_000 }]);
  expect(rests).toHaveLength(11);
});

/** The runs of each batch until nothing waits. */
function takeAll({ ledger }: EnterpriseCore, confirm = confirmBatch): string[][] {
  const taken: string[][] = [];
  while (copyIsBehind(ledger)) {
    const batch = takeBatch(ledger, 2) as Batch;
    taken.push(batch.runs.map(({ run }) => run));
    confirm(ledger, batch);
  }
  return taken;
}

it("writes a run once for all of its changes that wait, and again for a later one", () => {
  const { core } = open(3);
  ["r0", "r1", "r0", "r2"].forEach((run, i) => {
    core.ledger.debit([report(20 + i, { run })]);
  });
  expect(takeAll(core)).toEqual([["r0", "r1"], ["r2"], [], []]);
  core.ledger.debit([report(30, { run: "r1" })]);
  expect(takeAll(core)).toEqual([["r1"]]);
});

it("writes a run again for a change that was made while its row was on the way", () => {
  const { core } = open(1);
  const batch = takeBatch(core.ledger) as Batch;
  core.ledger.debit([report(20, { run: "r0" })]);
  confirmBatch(core.ledger, batch);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("writes a run for each of its changes if D1 has not confirmed it, or if it was changed without a seq", () => {
  const { core } = open(1);
  const { ledger } = core;
  ledger.debit([report(20, { run: "r1" })]);
  ledger.debit([report(30, { run: "r0" })]);
  takeBatch(ledger, 2);
  expect(takeBatch(ledger, 2)?.runs).toHaveLength(2);
  confirmBatch(ledger, takeBatch(ledger, 2) as Batch);
  ledger.recent.forget(["r0"]);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("writes all runs again into a new generation of the copy", () => {
  const { core } = open(1);
  const { ledger } = core;
  ledger.debit([report(20, { run: "r1" })]);
  ledger.debit([report(30, { run: "r0" })]);
  const batch = takeBatch(ledger, 2) as Batch;
  setProgress(ledger.sql, "generation", 1);
  confirmBatch(ledger, batch);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("writes a run again while the copy is moving, because the new database may lack it", () => {
  const { core } = open(1);
  const { ledger } = core;
  ledger.debit([report(20, { run: "r1" })]);
  ledger.debit([report(30, { run: "r0" })]);
  confirmBatch(ledger, takeBatch(ledger, 2) as Batch);
  const cursor: MoveCursor = { from: "DB", to: "DB_1", generation: 0, sinceRevision: null, batches: 0, place: "flip" };
  ledger.startJob(MOVE, cursor);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("knows of a bounded number of runs what the copy has", () => {
  const copied = new CopiedRuns().about("0");
  copied.note(["first"], 1);
  copied.note(
    Array.from({ length: 20_000 }, (_, n) => `r${n}`),
    2,
  );
  expect([copied.has("first", 1), copied.has("r0", 2), copied.has("r0", 3)]).toEqual([false, true, false]);
});

it("knows of which runs the copy lacks a change, and says all of them if it lacks more than is read at once", () => {
  const { core } = open(2);
  const { sql } = core.ledger;
  expect(["r0", "r1", "r2"].map(loadRunsOwed(sql))).toEqual([true, true, false]);
  const items = Array.from({ length: 15_000 }, (_, n) => ({ n: 100 + n, run: `${n}`.padEnd(120, "x"), debit: null }));
  putOutbox(sql, items, core.ledger.nowMs(), "UTC", null);
  expect(loadRunsOwed(sql)("r2")).toBe(true);
});
