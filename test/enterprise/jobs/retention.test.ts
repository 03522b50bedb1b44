// Retention: history ends after 400 days, in the object and in its copy, and the books still add up.
import { describe, expect, it } from "vitest";
import { findCycle, type ListedCycle } from "../../../src/enterprise/books/cycle-list.ts";
import { moveTo } from "../../../src/enterprise/copy/move.ts";
import { MOVE } from "../../../src/enterprise/copy/move-cursor.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import type { AuditResult } from "../../../src/enterprise/jobs/audit.ts";
import { AUDIT_CURSOR } from "../../../src/enterprise/jobs/audit.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { RETENTION } from "../../../src/enterprise/jobs/retention.ts";
import { isRefusal } from "../../../src/ledger/refusals.ts";
import { type EntryJson, isEntry } from "../../../src/wire/entry.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { DAY_MS, grantRequest, HOUR_MS, NOON, report, settings, start } from "../../support/books.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

const OPERATOR = { kind: "operator" } as const;

type World = { core: EnterpriseCore; platform: StubPlatform; copy: CopyDb };

/** @param carry what the network does with a batch for D1; by default it arrives */
function openWorld(carry: (apply: () => void) => Promise<void> = async (apply) => apply()): World {
  const copy = new CopyDb(carry);
  const platform = stubPlatform({ copy: copy as never });
  const core = new EnterpriseCore(platform);
  const allowed = settings({ allowanceOverrideMicros: 20_000, timeZone: "Europe/Berlin" });
  core.management.provision("acme", allowed, allowed, NOON);
  return { core, platform, copy };
}

/** Moves the clock, and runs everything that is due then to its end. */
async function pass({ core, platform }: World, ms: number): Promise<void> {
  core.ledger.moveClock(core.ledger.nowMs() + ms);
  await settleDown({ core, platform });
}

async function settleDown({ core, platform }: Pick<World, "core" | "platform">): Promise<void> {
  await core.jobs.runNow("project");
  await core.jobs.runNow("prune");
  while (prune(core.ledger));
  for (let tries = 0; tries < 200; tries++) {
    platform.nowMs += 60_000;
    const job = await core.jobs.runSlices(RETENTION, 200);
    if (job?.state !== "running") return;
  }
  throw new Error("retention does not end");
}

async function failedChecks({ core, platform }: World): Promise<string[]> {
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
  for (let slices = 0; slices < 5_000; slices++) {
    platform.nowMs += 1_000;
    const job = await core.jobs.runSlices("audit", 1);
    if (job === null) break;
    if (job.state === "running") continue;
    return (job.result as AuditResult).checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
  }
  throw new Error("the audit does not end");
}

const count = ({ platform }: World, table: string) =>
  Number(platform.sql.all(`SELECT count(*) AS n FROM ${table}`)[0]?.n);
const countCopy = ({ copy }: World, table: string) =>
  Number(copy.rows(`SELECT count(*) AS n FROM ${table} WHERE enterprise = 'acme'`)[0]?.n);

function entriesOf({ core }: World): EntryJson[] {
  const entries = core.entries(OPERATOR, Number.MAX_SAFE_INTEGER, 100_000);
  if (!Array.isArray(entries)) throw new Error("refused");
  return entries.filter(isEntry);
}

/** A day of traffic: runs that end, a run that only starts, a grant that expires, and a hold. */
function trafficOfADay({ core }: World, day: number): void {
  const { ledger } = core;
  const startedAtMs = ledger.nowMs();
  for (let n = 0; n < 4; n++) {
    const user = `u${n}`;
    ledger.debit([report(50 + n, { run: `d${day}-${n}`, user, startedAtMs, final: n % 2 === 0 })]);
  }
  ledger.start(start({ run: `silent-${day}`, holdMicros: null, startedAtMs }));
  ledger.start(start({ run: `held-${day}`, holdMicros: 10, holdTtlMs: HOUR_MS, startedAtMs }));
  if (day % 7 === 0) {
    ledger.addGrant({ ...grantRequest(`g${day}`, 90), expiresAtMs: startedAtMs + 20 * DAY_MS }, "operator");
  }
}

describe("a run that never reported", () => {
  const receiptOf = ({ core }: World, run: string) => core.receipt(OPERATOR, run);

  it("is forgotten 35 days after its start, in the object and in the copy", async () => {
    const world = openWorld();
    world.core.ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
    world.core.ledger.debit([report(5, { run: "talking", startedAtMs: NOON })]);
    await pass(world, 35 * DAY_MS - HOUR_MS);
    expect(receiptOf(world, "silent")).toMatchObject({ run: "silent" });
    expect(countCopy(world, "runs")).toBe(2);
    await pass(world, 2 * HOUR_MS);
    expect(receiptOf(world, "silent")).toMatchObject({ refusal: { code: "not_found" } });
    await pass(world, DAY_MS);
    expect(world.platform.sql.all("SELECT run FROM runs")).toEqual([{ run: "talking" }]);
    expect(countCopy(world, "runs")).toBe(1);
    expect(await failedChecks(world)).toEqual([]);
  });

  it("is forgotten 35 days after its hold ended, if that is later", async () => {
    const world = openWorld();
    const { ledger } = world.core;
    ledger.start(start({ run: "held", holdMicros: 10, holdTtlMs: 24 * HOUR_MS, startedAtMs: NOON }));
    await pass(world, 20 * HOUR_MS);
    // A larger hold restarts its time to live, so it ends 44 hours after the start.
    ledger.start(start({ run: "held", holdMicros: 20, holdTtlMs: 24 * HOUR_MS, startedAtMs: NOON }));
    await pass(world, 35 * DAY_MS);
    expect(receiptOf(world, "held")).toMatchObject({ run: "held" });
    expect(count(world, "late_runs")).toBe(1);
    await pass(world, 2 * DAY_MS);
    expect(receiptOf(world, "held")).toMatchObject({ refusal: { code: "not_found" } });
    expect(count(world, "runs") + count(world, "late_runs") + countCopy(world, "runs")).toBe(0);
    expect(await failedChecks(world)).toEqual([]);
  });

  it("is also deleted from the database to which its copy is moving, if a start finds its row", async () => {
    const { core, platform, copy } = openWorld();
    const other = new CopyDb(async (apply) => apply());
    platform.database = () => other;
    const countRuns = () => [copy, other].map((db) => db.rows("SELECT run FROM runs WHERE enterprise = 'acme'").length);
    core.ledger.startJob(MOVE, { ...moveTo(core.ledger, "DB_2"), generation: 1 });
    core.ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
    await core.jobs.runNow("project");
    expect(countRuns()).toEqual([1, 1]);
    core.ledger.moveClock(NOON + 35 * DAY_MS + HOUR_MS);
    const refused = core.ledger.start(start({ run: "silent", user: "somebody else", holdMicros: null }));
    if (!isRefusal(refused)) throw new Error("the start is not refused");
    expect(await core.jobs.forgetRun("silent", refused)).toBe(true);
    expect(countRuns()).toEqual([0, 0]);
  });

  it("stays while the copy lacks a change of it, because a batch that D1 applies late would write its row again", async () => {
    let isDown = true;
    const world = openWorld(async (apply) => {
      if (isDown) throw new Error("D1_ERROR: down");
      apply();
    });
    world.core.ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
    world.core.ledger.moveClock(NOON + 35 * DAY_MS + HOUR_MS);
    const refused = world.core.ledger.start(start({ run: "silent", user: "somebody else", holdMicros: null }));
    if (!isRefusal(refused)) throw new Error("the start is not refused");
    expect(await world.core.jobs.forgetRun("silent", refused)).toBe(false);
    expect(count(world, "runs")).toBe(1);
    isDown = false;
    expect(await world.core.jobs.forgetRun("silent", refused)).toBe(true);
    expect(count(world, "runs") + countCopy(world, "runs")).toBe(0);
  });

  it("is deleted only if it is old, because D1 may apply a deletion late when the id names a new run", async () => {
    let late: (() => void) | null = null;
    let isSlow = false;
    const world = openWorld(async (apply) => {
      if (!isSlow) return apply();
      late = apply;
      throw new Error("CopyTimeout: D1 has not answered");
    });
    const { ledger, jobs } = world.core;
    const startNow = () => ledger.start(start({ run: "silent", user: "somebody else", holdMicros: null }));
    ledger.start(start({ run: "silent", holdMicros: null, startedAtMs: NOON }));
    await jobs.runNow("project");
    ledger.moveClock(NOON + 35 * DAY_MS + HOUR_MS);
    const refused = startNow();
    if (!isRefusal(refused)) throw new Error("the start is not refused");
    isSlow = true;
    expect(await jobs.forgetRun("silent", refused)).toBe(false);
    isSlow = false;
    expect(await jobs.forgetRun("silent", refused)).toBe(true);
    expect(isRefusal(startNow())).toBe(false);
    await jobs.runNow("project");
    (late as (() => void) | null)?.();
    expect(world.copy.rows("SELECT user FROM runs WHERE enterprise = 'acme'")).toEqual([{ user: "somebody else" }]);
  });

  it("stays if it reports while D1 deletes it, and comes back to the copy", async () => {
    let meanwhile = () => {};
    const world = openWorld(async (apply) => {
      apply();
      meanwhile();
    });
    const { ledger } = world.core;
    ledger.start(start({ run: "late", holdMicros: null, startedAtMs: NOON + DAY_MS }));
    await pass(world, 36 * DAY_MS - HOUR_MS);
    ledger.moveClock(ledger.nowMs() + 2 * HOUR_MS);
    meanwhile = () => {
      meanwhile = () => {};
      ledger.start(start({ run: "late", holdMicros: 5, startedAtMs: ledger.nowMs() - DAY_MS }));
    };
    await settleDown(world);
    await pass(world, HOUR_MS);
    expect(await failedChecks(world)).toEqual([]);
  });
});

it("keeps and lists a cycle with all its totals until it ended 400 days ago, and then lists it no longer", async () => {
  const world = openWorld();
  const { core } = world;
  const { startsAtMs, endsAtMs } = core.ledger.books.cycle;
  core.ledger.debit([report(50, { run: "first", startedAtMs: NOON })]);
  const listed = () => (core.cycles(OPERATOR, Number.MAX_SAFE_INTEGER, 100) as ListedCycle[]).map((c) => c.startsAtMs);
  await pass(world, endsAtMs - NOON);
  await pass(world, 31 * DAY_MS);
  await pass(world, 369 * DAY_MS - HOUR_MS);
  expect(listed()).toContain(startsAtMs);
  expect(findCycle(core.ledger, startsAtMs)).toEqual({ startsAtMs, endsAtMs });
  expect([count(world, "cube"), countCopy(world, "usage_cube"), countCopy(world, "usage_by_model")]).toEqual([1, 1, 1]);
  await pass(world, 3 * DAY_MS);
  expect(listed()).not.toContain(startsAtMs);
  expect(findCycle(core.ledger, startsAtMs)).toBe(null);
  expect([count(world, "cube"), countCopy(world, "usage_cube"), countCopy(world, "usage_by_model")]).toEqual([0, 0, 0]);
  expect(await failedChecks(world)).toEqual([]);
});

it("keeps the files of object and copy at the same size after two years of the same traffic", {
  timeout: 900_000,
}, async () => {
  const world = openWorld();
  const sizes: { rows: number; bytes: number; inCopy: number }[] = [];
  const { sql } = world.platform;
  const measure = () => ({
    rows: ["runs", "meters", "entries", "totals_time", "totals_cycle", "late_runs"].reduce(
      (sum, table) => sum + count(world, table),
      0,
    ),
    bytes: Number(sql.all("PRAGMA page_count")[0]?.page_count),
    inCopy: ["runs", "entries", "usage_hourly", "usage_daily", "usage_by_dimension"].reduce(
      (sum, table) => sum + countCopy(world, table),
      0,
    ),
  });
  for (let day = 0; day < 2 * 365; day += 3) {
    trafficOfADay(world, day);
    await pass(world, 3 * DAY_MS);
    if (day > 470 && day % 60 === 0) sizes.push(measure());
  }
  const first = sizes[0] as (typeof sizes)[number];
  for (const size of sizes) {
    expect(size.rows).toBeLessThan(first.rows * 1.05);
    expect(size.bytes).toBeLessThan(first.bytes * 1.1);
    expect(size.inCopy).toBeLessThan(first.inCopy * 1.05);
  }
  expect(await failedChecks(world)).toEqual([]);
  const entries = entriesOf(world);
  expect(entries.at(-1)?.facts.type).toBe("checkpoint");
  expect(entries.slice(0, -1).every(({ facts }) => facts.type !== "checkpoint")).toBe(true);
  expect(world.copy.rows("SELECT seq, facts FROM entries WHERE enterprise = 'acme' ORDER BY seq LIMIT 1")).toEqual([
    { seq: entries.at(-1)?.seq, facts: JSON.stringify(entries.at(-1)?.facts) },
  ]);
});

it("keeps the books right when it is cut off between any two slices, and D1 fails", async () => {
  let fails = 0;
  const world = openWorld(async (apply) => {
    fails += 1;
    if (fails % 3 === 0) throw new Error("D1_ERROR: Network connection lost.");
    apply();
    if (fails % 7 === 0) throw new Error("the answer was lost");
  });
  for (let day = 0; day < 440; day += 2) {
    trafficOfADay(world, day);
    world.core.ledger.moveClock(world.core.ledger.nowMs() + 2 * DAY_MS);
    await world.core.jobs.runNow("project");
  }
  await world.core.jobs.runNow("prune");
  for (let instances = 0; instances < 200; instances++) {
    world.platform.nowMs += 600_000;
    world.core = new EnterpriseCore(world.platform);
    const job = await world.core.jobs.runSlices(RETENTION, 1);
    if (job?.state !== "running") break;
  }
  fails = Number.NEGATIVE_INFINITY;
  await pass(world, DAY_MS);
  await settleDown(world);
  expect(entriesOf(world).at(-1)?.facts.type).toBe("checkpoint");
  expect(await failedChecks(world)).toEqual([]);
});

it("waits with old entries while an audit reads them", async () => {
  const world = openWorld();
  for (let day = 0; day < 420; day += 3) {
    trafficOfADay(world, day);
    world.core.ledger.moveClock(world.core.ledger.nowMs() + 3 * DAY_MS);
  }
  await world.core.jobs.runNow("project");
  await world.core.jobs.runInCall("audit", AUDIT_CURSOR, 4);
  const before = entriesOf(world).length;
  await settleDown(world);
  expect(entriesOf(world)).toHaveLength(before);
  expect(await failedChecks(world)).toEqual([]);
  await pass(world, DAY_MS);
  expect(entriesOf(world).length).toBeLessThan(before);
  expect(await failedChecks(world)).toEqual([]);
});
