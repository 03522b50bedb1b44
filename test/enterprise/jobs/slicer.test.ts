// Sliced jobs: their cursor survives what cuts them off, calls run between two slices, and failures are retried.
import { beforeEach, expect, it } from "vitest";
import type { Caller } from "../../../src/access/callers.ts";
import type { JobRecord } from "../../../src/catalog/job-record.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import type { JobDeps } from "../../../src/enterprise/jobs/jobs.ts";
import { JobRunner } from "../../../src/enterprise/jobs/runner.ts";
import type { SlicedJob } from "../../../src/enterprise/jobs/sliced-job.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { settings } from "../../support/books.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

const OPERATOR: Caller = { kind: "operator" };

let platform: StubPlatform;
let records: JobRecord[];
let catalogWorks: boolean;
/** The cursors of the slices that ran, in order. */
let slices: number[];

beforeEach(() => {
  records = [];
  slices = [];
  catalogWorks = true;
  const put = async (record: JobRecord) => {
    if (!catalogWorks) throw new Error("the catalog cannot be reached");
    records.push(record);
  };
  platform = stubPlatform({ jobRecords: { put }, copy: emptyCopy() });
});

/** Counts to `to`, one number a slice. */
function counting(to: number, over: Partial<SlicedJob<number, JobDeps>> = {}): SlicedJob<number, JobDeps> {
  return {
    listed: true,
    slice: (_, cursor) => {
      slices.push(cursor);
      if (cursor === to) return { done: `counted to ${to}`, result: { to } };
      return { next: cursor + 1, progress: cursor / to };
    },
    ...over,
  };
}

/** A runner of these jobs: a new instance of the object over the same storage. */
function openRunner(jobs: Record<string, SlicedJob<unknown, JobDeps>>): JobRunner {
  const core = new EnterpriseCore(platform);
  if (!core.ledger.provisioned) core.management.provision("acme", settings(), settings(), null);
  return new JobRunner(core.jobs.deps, jobs);
}

function jobRow(name: string) {
  return platform.sql.all("SELECT state, progress, failures, detail, due_at_ms FROM jobs WHERE name = ?", name)[0];
}

it("runs slice after slice, keeps what the job found, and records its start, its progress and its end", async () => {
  const runner = openRunner({ count: counting(5) });
  const { id } = await runner.start("count", 0);
  expect(records).toEqual([{ job: id, name: "count", enterprise: "acme", state: "running", progress: 0, detail: "" }]);
  expect(platform.alarms.at(-1)).toBe(platform.nowMs);
  const job = await runner.runSlices("count", 100);
  expect(slices).toEqual([0, 1, 2, 3, 4, 5]);
  expect(job).toMatchObject({ state: "done", progress: 1, detail: "counted to 5", result: { to: 5 }, dueAtMs: null });
  expect(records.map(({ progress }) => progress)).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  expect(records.at(-1)).toMatchObject({ job: id, state: "done", detail: "counted to 5" });
});

it("runs no slice again that a call ran while the alarm was at another job", async () => {
  let arrive = () => {};
  let started = false;
  const waiting: SlicedJob<number, JobDeps> = {
    slice: () => {
      started = true;
      return new Promise((resolve) => (arrive = () => resolve({ done: "waited" })));
    },
  };
  const runner = openRunner({ a_wait: waiting, count: counting(3) });
  await runner.start("a_wait", 0);
  await runner.start("count", 0);
  const alarm = runner.runNow("slices");
  await expect.poll(() => started).toBe(true);
  await runner.runSlices("count", 1);
  arrive();
  await alarm;
  expect(slices).toEqual([0, 1, 2, 3]);
});

it("continues from its cursor in a new instance, and repeats the slice whose outcome was not stored", async () => {
  const first = openRunner({ count: counting(5) });
  await first.start("count", 0);
  await first.runSlices("count", 2);
  const stuck = openRunner({
    count: {
      slice: (_: JobDeps, cursor: number) => {
        slices.push(cursor);
        return new Promise<never>(() => {});
      },
    },
  });
  void stuck.runSlices("count", 1);
  await openRunner({ count: counting(5) }).runSlices("count", 100);
  expect(slices).toEqual([0, 1, 2, 2, 3, 4, 5]);
});

it("runs a limited number of slices for each alarm", async () => {
  const runner = openRunner({ count: counting(1_000) });
  await runner.start("count", 0);
  await runner.runAll();
  await expect.poll(() => slices.length).toBe(200);
  for (let alarms = 2; alarms <= 6; alarms++) {
    await runner.runNow("slices");
    expect(slices).toHaveLength(Math.min(1_001, 200 * alarms));
    if (alarms < 6) expect(platform.alarms.at(-1)).toBe(platform.nowMs);
  }
});

it("lets waiting calls run between two slices", async () => {
  const seen: string[] = [];
  const slice = (_: JobDeps, cursor: number) => {
    seen.push(`slice ${cursor}`);
    if (cursor === 0) platform.defer(() => seen.push("call"), 0);
    return cursor === 2 ? { done: "" } : { next: cursor + 1 };
  };
  const runner = openRunner({ count: { slice } });
  await runner.start("count", 0);
  await runner.runSlices("count", 100);
  expect(seen).toEqual(["slice 0", "call", "slice 1", "slice 2"]);
});

it("does not start a job that is running, and starts one that has ended again under a new id", async () => {
  const runner = openRunner({ count: counting(1) });
  const first = await runner.start("count", 0);
  expect((await runner.start("count", 0)).id).toBe(first.id);
  await runner.runSlices("count", 100);
  const second = await runner.start("count", 0);
  expect(second).toMatchObject({ generation: 2, state: "running", progress: 0, result: null });
  expect(second.id).not.toBe(first.id);
});

it("retries a slice that fails after growing pauses, and fails for good after too many failures in a row", async () => {
  let abandoned = 0;
  const broken: SlicedJob<number, JobDeps> = {
    slice: () => Promise.reject(new Error("broken")),
    abandon: () => {
      abandoned += 1;
    },
    maxFailures: 4,
    listed: true,
  };
  const runner = openRunner({ count: broken });
  await runner.start("count", 0);
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    await runner.runSlices("count", 100);
    const dueAtMs = jobRow("count")?.due_at_ms as number;
    pauses.push(dueAtMs - platform.nowMs);
    platform.nowMs = dueAtMs;
  }
  expect(pauses).toEqual([1_000, 2_000, 4_000]);
  expect(abandoned).toBe(0);
  await runner.runSlices("count", 100);
  expect(jobRow("count")).toMatchObject({ state: "failed", failures: 4, detail: "Error: broken" });
  expect(abandoned).toBe(1);
  expect(records.at(-1)).toMatchObject({ state: "failed", detail: "Error: broken" });
});

it("stores what a slice commits exactly once, together with its cursor", async () => {
  let fails = true;
  const slice = (_: JobDeps, cursor: number) => {
    if (cursor === 3) return { done: "" };
    const commit = () => {
      platform.sql.run("INSERT INTO links_used (id, expires_at_ms) VALUES (?, 0)", `slice-${cursor}`);
      if (cursor === 1 && fails) throw new Error("storage is full");
    };
    return { next: cursor + 1, commit };
  };
  const runner = openRunner({ count: { slice } });
  await runner.start("count", 0);
  await runner.runSlices("count", 100);
  expect(platform.sql.all("SELECT id FROM links_used")).toEqual([{ id: "slice-0" }]);
  fails = false;
  platform.nowMs += 1_000;
  await runner.runSlices("count", 100);
  expect(platform.sql.all("SELECT id FROM links_used")).toHaveLength(3);
  expect(jobRow("count")).toMatchObject({ state: "done", failures: 0 });
});

it("does not run a slice twice at once, and clears the mark of a slice that fails", async () => {
  let release = () => {};
  const slice = (_: JobDeps, cursor: number) => {
    slices.push(cursor);
    return new Promise<{ done: string }>((_resolve, reject) => {
      release = () => reject(new Error("D1 is gone"));
    });
  };
  const runner = openRunner({ count: { slice } });
  await runner.start("count", 7);
  const running = runner.runSlices("count", 1);
  await runner.runSlices("count", 1);
  expect(slices).toEqual([7]);
  release();
  await running;
  slices = [];
  platform.nowMs += 1_000;
  void runner.runSlices("count", 1);
  expect(slices).toEqual([7]);
});

it("runs while the catalog cannot be reached, and records its end later", async () => {
  catalogWorks = false;
  const runner = openRunner({ count: counting(3) });
  await runner.start("count", 0);
  await runner.runSlices("count", 100);
  expect(jobRow("count")).toMatchObject({ state: "done" });
  expect(platform.logged.filter(({ event }) => event === "job_not_recorded")).toHaveLength(1);
  catalogWorks = true;
  platform.nowMs = jobRow("count")?.due_at_ms as number;
  await runner.runSlices("count", 100);
  await runner.runAll();
  await expect.poll(() => records).toMatchObject([{ state: "done", detail: "counted to 3" }]);
});

it("does not let a job that fails delay the others", async () => {
  const runner = openRunner({ broken: { slice: () => Promise.reject(new Error("broken")) }, count: counting(3) });
  await runner.start("broken", 0);
  await runner.start("count", 0);
  await runner.runAll();
  await expect.poll(() => jobRow("count")).toMatchObject({ state: "done" });
});

it("starts with a change of the books, in its transaction", async () => {
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", settings(), settings(), null);
  const { ledger } = core;
  const act = () =>
    ledger.sql.transaction(() => {
      ledger.startJob("count", 0);
      throw new Error("the change fails");
    });
  expect(act).toThrow("the change fails");
  expect(platform.sql.all("SELECT * FROM jobs")).toEqual([]);
  ledger.sql.transaction(() => ledger.startJob("count", 0));
  core.gauge(OPERATOR);
  expect(platform.alarms.at(-1)).toBe(platform.nowMs);
});

/** A copy that accepts every batch. */
const emptyCopy = () => new CopyDb(async (apply) => apply());
