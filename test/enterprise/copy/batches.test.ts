// How the copy is written while debits wait: in small batches with a rest after each, in larger ones when it is behind.
import { expect, it } from "vitest";
import type { Batch } from "../../../src/copy/batch.ts";
import { CopiedRuns } from "../../../src/enterprise/books/copied-runs.ts";
import { loadRunsOwed, putOutbox } from "../../../src/enterprise/books/outbox.ts";
import { setProgress } from "../../../src/enterprise/books/progress.ts";
import { CopyWriter } from "../../../src/enterprise/copy/copy-writer.ts";
import { MOVE, type MoveCursor } from "../../../src/enterprise/copy/move-cursor.ts";
import { confirmBatch, copyIsBehind, nextPortion, takeBatch } from "../../../src/enterprise/copy/projection.ts";
import { Projector } from "../../../src/enterprise/copy/projector.ts";
import { foldOutbox } from "../../../src/enterprise/copy/totals.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { CopyDb, type CopyRow } from "../../simulation/copy-db.ts";
import { debit, report, settings } from "../../support/books.ts";
import { takeWaiting } from "../../support/take-batch.ts";
import { stubPlatform } from "../stub-platform.ts";

/** How long D1 takes for a batch. */
const WRITE_MS = 30;

function open(runs: number, writeMs = WRITE_MS) {
  const hooks = { afterBatch: () => {} };
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
    hooks.afterBatch();
  });
  platform.copy = copy;
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings(), null);
  for (let i = 0; i < runs; i++) core.ledger.debit([report(1, { run: `r${i}` })]);
  const writer = new CopyWriter(core.ledger, platform, () => {});
  rests.length = 0;
  return { core, copy, hooks, rests, projector: new Projector(core.ledger, platform, writer, () => {}) };
}

/** How many runs each batch had, without the one that only ends a portion. */
const runsOf = (copy: CopyDb) =>
  copy.rows("SELECT count(*) AS n FROM runs WHERE enterprise = 'acme' GROUP BY revision ORDER BY revision");

it("sends the runs of a portion in batches of a hundred, and all totals at once with the last of them", async () => {
  const { copy, core, hooks, projector } = open(0);
  core.ledger.debit(Array.from({ length: 220 }, (_, i) => report(1, { run: `r${i}` })));
  const sums: CopyRow[][] = [];
  hooks.afterBatch = () => {
    sums.push(copy.rows("SELECT amount_micros AS n FROM usage_by_dimension WHERE dimension = 'all'"));
  };
  await projector.project();
  expect(runsOf(copy)).toEqual([{ n: 100 }, { n: 100 }, { n: 20 }]);
  expect(sums).toEqual([[], [], [{ n: 220 }]]);
});

it("sends the totals of a change that another call has folded all at once, too", async () => {
  const { copy, core, hooks, projector } = open(0);
  const { ledger } = core;
  ledger.debit(Array.from({ length: 220 }, (_, i) => report(1, { run: `r${i}` })));
  const sums: CopyRow[][] = [];
  hooks.afterBatch = () => {
    if (sums.length === 0) {
      ledger.debit([report(1, { run: "other", user: "other" })]);
      ledger.sql.transaction(() => foldOutbox(ledger.sql));
    }
    const statement = `SELECT sum(amount_micros) AS n FROM usage_by_dimension WHERE dimension IN ('all', 'user')
      GROUP BY dimension`;
    sums.push(copy.rows(statement));
  };
  await projector.project();
  expect(sums).toEqual([[], [], [{ n: 221 }, { n: 221 }]]);
});

it("rests between batches for three times as long as one took", async () => {
  const { copy, rests, projector } = open(220);
  await projector.project();
  expect(copy.rows("SELECT count(*) AS n FROM runs WHERE enterprise = 'acme'")).toEqual([{ n: 220 }]);
  expect(rests).toEqual([90, 90]);
});

it("rests for at most a tenth of a second, and not after the last batch", async () => {
  const { rests, projector } = open(120, 200);
  await projector.project();
  expect(rests).toEqual([100]);
});

it("writes larger batches when the copy is far behind", async () => {
  const { copy, projector } = open(2_000);
  await projector.project();
  const sizes = runsOf(copy).map(({ n }) => n as number);
  expect(sizes.slice(0, 7)).toEqual([100, 100, 100, 100, 100, 200, 200]);
  expect(sizes.length).toBeLessThan(15);
  expect(sizes.reduce((sum, n) => sum + n)).toBe(2_000);
});

it("stores at most 800 totals in one turn, however far the copy is behind", async () => {
  const { core, copy, projector } = open(0);
  for (let i = 0; i < 4_000; i++) core.ledger.debit([report(1, { run: `r${i}`, user: `u${i}` })]);
  await projector.project();
  const users = copy.rows(`SELECT count(*) AS n FROM usage_by_dimension WHERE dimension = 'user' GROUP BY revision`);
  // Each user has a total and a cell.
  expect(Math.max(...users.map(({ n }) => n as number))).toBeLessThanOrEqual(400);
  expect(users.reduce((sum, { n }) => sum + (n as number), 0)).toBe(4_000);
});

it("gathers a backlog in slices, between which calls go first", async () => {
  const { core, rests, projector } = open(0);
  for (let n = 1; n <= 1_000; n++) core.ledger.debit([report(n)]);
  await projector.project();
  expect(rests).toEqual([1, 1, 1]);
});

it("changes a total once for a long backlog", async () => {
  const { core, copy, hooks, projector } = open(0);
  for (let n = 1; n <= 1_000; n++) core.ledger.debit([report(n)]);
  let batches = 0;
  hooks.afterBatch = () => {
    batches += 1;
  };
  await projector.project();
  expect(batches).toBe(1);
  const { seq } = core.ledger.books;
  expect(copy.rows("SELECT amount_micros, revision FROM usage_by_dimension WHERE dimension = 'user'")).toEqual([
    { amount_micros: 1_000, revision: seq },
  ]);
});

it("gathers a portion again if a part of it was folded meanwhile, and sends what all of it was folded into", () => {
  const { core } = open(0);
  const { ledger } = core;
  const gathered = () => {
    const portion = nextPortion(ledger, { items: 1_000, runs: 100, totals: 100 });
    while (portion.gather(100));
    return portion;
  };
  debit(ledger, report(10));
  const first = gathered();
  debit(ledger, report(30));
  const second = gathered();
  ledger.sql.transaction(() => foldOutbox(ledger.sql));
  expect(takeBatch(ledger, second)?.totals.cycle[0]).toMatchObject({ amountMicros: 30 });
  debit(ledger, report(60));
  const third = gathered();
  debit(ledger, report(100));
  const fourth = gathered();
  expect(takeBatch(ledger, third)?.totals.cycle[0]).toMatchObject({ amountMicros: 60 });
  expect(takeBatch(ledger, fourth)).toBeNull();
  expect(takeBatch(ledger, gathered())?.totals.cycle[0]).toMatchObject({ amountMicros: 100 });
  expect(takeBatch(ledger, first)?.totals.cycle[0]).toMatchObject({ amountMicros: 100 });
});

it("gathers a portion again if an erasure has looked through the outbox meanwhile", () => {
  const { core } = open(1);
  const { ledger } = core;
  const portion = nextPortion(ledger, { items: 1_000, runs: 100, totals: 100 });
  portion.gather(100);
  ledger.store.erasures.outboxRewrites += 1;
  expect(takeBatch(ledger, portion)).toBeNull();
});

it("ends a portion at its limits of changes, runs and totals, but takes all changes of one commit", () => {
  const { core } = open(0);
  const { ledger } = core;
  ledger.debit(Array.from({ length: 30 }, (_, i) => report(1, { run: `r${i}`, user: `u${i}` })));
  for (let i = 30; i < 60; i++) debit(ledger, report(1, { run: `r${i}`, user: `u${i}` }));
  const most = { items: 1_000, runs: 1_000, totals: 1_000 };
  const itemsWith = (limits: Partial<typeof most>) => {
    const portion = nextPortion(ledger, { ...most, ...limits });
    while (portion.gather(10));
    return portion.items;
  };
  expect(itemsWith({})).toBe(60);
  expect(itemsWith({ items: 10 })).toBe(30);
  expect(itemsWith({ items: 40 })).toBe(40);
  expect(itemsWith({ runs: 50 })).toBe(50);
  // Each user has a total and a cell.
  expect(itemsWith({ totals: 84 })).toBeLessThan(45);
});

/** The runs of each batch until nothing waits. */
function takeAll({ ledger }: EnterpriseCore, confirm = confirmBatch): string[][] {
  const taken: string[][] = [];
  while (copyIsBehind(ledger)) {
    const batch = takeWaiting(ledger, 2) as Batch;
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
  const batch = takeWaiting(core.ledger) as Batch;
  core.ledger.debit([report(20, { run: "r0" })]);
  confirmBatch(core.ledger, batch);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("writes a run for each of its changes if D1 has not confirmed it, or if it was changed without a seq", () => {
  const { core } = open(1);
  const { ledger } = core;
  ledger.debit([report(20, { run: "r1" })]);
  ledger.debit([report(30, { run: "r0" })]);
  takeWaiting(ledger, 2);
  expect(takeWaiting(ledger, 2)?.runs).toHaveLength(2);
  confirmBatch(ledger, takeWaiting(ledger, 2) as Batch);
  ledger.recent.forget(["r0"]);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("writes all runs again into a new generation of the copy", () => {
  const { core } = open(1);
  const { ledger } = core;
  ledger.debit([report(20, { run: "r1" })]);
  ledger.debit([report(30, { run: "r0" })]);
  const batch = takeWaiting(ledger, 2) as Batch;
  setProgress(ledger.sql, "generation", 1);
  confirmBatch(ledger, batch);
  expect(takeAll(core)).toEqual([["r0"]]);
});

it("writes a run again while the copy is moving, because the new database may lack it", () => {
  const { core } = open(1);
  const { ledger } = core;
  ledger.debit([report(20, { run: "r1" })]);
  ledger.debit([report(30, { run: "r0" })]);
  confirmBatch(ledger, takeWaiting(ledger, 2) as Batch);
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
