// The audit in slices: it finds nothing wrong while the books change between its slices, and finds what is wrong.
import { expect, it } from "vitest";
import { setBudget } from "../../../src/enterprise/books/budget-commands.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import type { AuditResult } from "../../../src/enterprise/jobs/audit.ts";
import { AUDIT_CURSOR } from "../../../src/enterprise/jobs/audit.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { APRIL, grantRequest, HOUR_MS, NOON, report, settings, start } from "../../support/books.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

/** A source of numbers that are the same each time. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * sides);
  };
}

function openWorld(): { core: EnterpriseCore; platform: StubPlatform; copy: CopyDb } {
  const copy = new CopyDb(async (apply) => apply());
  const platform = stubPlatform({ copy: copy as never });
  const core = new EnterpriseCore(platform);
  const allowed = settings({ allowanceOverrideMicros: 20_000 });
  core.management.provision("acme", allowed, allowed, NOON);
  return { core, platform, copy };
}

/** One random change of the books. */
function change({ core, platform }: { core: EnterpriseCore; platform: StubPlatform }, roll: (sides: number) => number) {
  const { ledger } = core;
  const run = roll(4) === 0 ? `h${roll(40)}` : `r${roll(60)}`;
  const startedAtMs = ledger.nowMs();
  const act = roll(20);
  if (act < 10) ledger.debit([report(roll(400), { run, startedAtMs, final: roll(6) === 0 })]);
  else if (act < 12) ledger.addGrant(grantRequest(`g${roll(40)}`, 1 + roll(900)), "operator");
  else if (act < 14) {
    const who = { user: `u${roll(3)}`, workspace: `w${roll(3)}` };
    ledger.start(start({ run: `h${roll(40)}`, ...who, holdMicros: roll(200), startedAtMs }));
  } else if (act < 15) ledger.releaseHold(`h${roll(40)}`);
  else if (act < 16) ledger.voidGrant(`g${roll(40)}`, "operator");
  else if (act < 17) ledger.moveClock(ledger.nowMs() + roll(40) * HOUR_MS);
  else if (act < 18) prune(ledger);
  else if (act < 19) {
    const workspaces = roll(3) > 0 ? [] : [{ id: `w${roll(3)}`, name: "W", groupId: `g${roll(2)}` }];
    core.management.putDirectory({ workspaces, groups: [], users: [{ id: `u${roll(9)}`, name: `n${roll(99)}` }] });
  } else platform.nowMs += 1_000;
}

async function finish(core: EnterpriseCore, between: () => unknown = () => {}): Promise<AuditResult> {
  for (let slices = 0; slices < 5_000; slices++) {
    const job = await core.jobs.runSlices("audit", 1);
    if (job?.state !== "running") return job?.result as AuditResult;
    await between();
  }
  throw new Error("the audit does not end");
}

const failed = ({ checks }: AuditResult) => checks.filter(({ ok }) => !ok);

it.each(Array.from({ length: 25 }, (_, i) => i + 1))(
  "finds nothing wrong while the books change between its slices (seed %i)",
  async (seed) => {
    const world = openWorld();
    const roll = dice(seed);
    const { core, platform } = world;
    const key = { dimension: "user", id: "u1", period: "day" } as const;
    if (roll(2) === 0) setBudget(core.ledger, key, { limitMicros: 5_000, action: "warn" }, "operator");
    for (let changes = 0; changes < 300; changes++) change(world, roll);
    if (roll(2) === 0) await core.jobs.runNow("project");
    await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
    const result = await finish(core, async () => {
      for (let changes = roll(12); changes > 0; changes--) change(world, roll);
      if (roll(4) === 0) await core.jobs.runNow("project");
      platform.nowMs += 2_000;
    });
    expect(failed(result)).toEqual([]);
    expect(
      platform.sql.all("SELECT name FROM sqlite_master WHERE name LIKE 'before_%' OR name LIKE 'as_of_%'"),
    ).toEqual([]);
  },
);

it("checks the books as they were when it started", async () => {
  const { core, platform } = openWorld();
  for (let n = 0; n < 30; n++) core.ledger.debit([report(100 + n, { run: `r${n}` })]);
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 1);
  platform.sql.run("UPDATE meters SET charged_micros = charged_micros + 5 WHERE run = 'r7'");
  expect(failed(await finish(core))).toEqual([]);
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
  expect(failed(await finish(core)).map(({ name }) => name)).toEqual(
    expect.arrayContaining(["meters_cost", "meters_drawn"]),
  );
});

it("counts a hold for the group that its run had when the audit started", async () => {
  const { core } = openWorld();
  const key = { dimension: "group", id: "none", period: "cycle" } as const;
  setBudget(core.ledger, key, { limitMicros: 5_000, action: "warn" }, "operator");
  core.ledger.start(start({ run: "h1", holdMicros: 50 }));
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 1);
  // The first report moves the hold to another group. It costs nothing, so the hold stays what it is.
  core.ledger.debit([report(0, { run: "h1", group: "g9" })]);
  expect(failed(await finish(core))).toEqual([]);
});

it("allows D1 a row that a refund has removed, until the refund is written", async () => {
  const { core } = openWorld();
  const startedAtMs = NOON;
  core.ledger.debit([report(100, { startedAtMs })]);
  core.ledger.moveClock(APRIL);
  core.ledger.debit([report(150, { startedAtMs })]);
  await core.jobs.runNow("project");
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
  let refunded = false;
  const result = await finish(core, () => {
    const cursor = core.jobs.find("audit")?.cursor as { phase: string } | null;
    if (refunded || cursor?.phase !== "run_models") return;
    // Nothing is left of the charge in April, so D1 has no more reason to list March separately.
    core.ledger.debit([report(100, { startedAtMs, final: true })]);
    refunded = true;
  });
  expect([refunded, failed(result)]).toEqual([true, []]);
  await core.jobs.runNow("project");
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
  expect(failed(await finish(core))).toEqual([]);
});

it("finds single rows that D1 has lost, or that only D1 has, among many", async () => {
  const { core, copy } = openWorld();
  for (let n = 0; n < 950; n++) core.ledger.debit([report(1, { run: `run-${n}` })]);
  await core.jobs.runNow("project");
  const auditNow = async () => {
    await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
    return failed(await finish(core)).map(({ detail }) => detail);
  };
  expect(await auditNow()).toEqual([]);
  copy.rows("DELETE FROM runs WHERE run = 'run-417'");
  expect(await auditNow()).toEqual(['runs ["run-417"]: missing']);
  copy.rows(
    "INSERT INTO runs SELECT enterprise, 'run-500x', surface, workspace, group_id, user, started_at_ms, last_report_at_ms, models, unit, charged_micros, cycle_starts_at_ms, cycle_micros, final, revision, generation, usage, price_book_versions FROM runs WHERE run = 'run-500'",
  );
  expect(await auditNow()).toEqual(['runs ["run-417"]: missing; runs ["run-500x"]: the ledger has no such row']);
});

it("says that a copy cannot be read, and keeps what it found in the books", async () => {
  const { core, platform } = openWorld();
  core.ledger.debit([report(10)]);
  const prepare = () => {
    throw new Error("D1_ERROR: Network connection lost.");
  };
  Object.assign(platform, { copy: { prepare, batch: () => Promise.reject(new Error("D1_ERROR")) } });
  await core.jobs.runInCall("audit", AUDIT_CURSOR, 0);
  const result = await finish(core);
  expect(result.copyUnreadable).toBe(true);
  expect(failed(result)).toMatchObject([{ name: "copy_equals_ledger" }]);
});

it("continues after an eviction, and ends with the same result", async () => {
  const world = openWorld();
  const roll = dice(77);
  for (let changes = 0; changes < 200; changes++) change(world, roll);
  await world.core.jobs.runInCall("audit", AUDIT_CURSOR, 2);
  for (let instances = 0; instances < 30; instances++) {
    const core = new EnterpriseCore(world.platform);
    for (let changes = 0; changes < 5; changes++) change({ core, platform: world.platform }, roll);
    world.platform.nowMs += 5_000;
    const job = await core.jobs.runSlices("audit", 1);
    if (job?.state === "done") {
      expect(failed(job.result as AuditResult)).toEqual([]);
      return;
    }
  }
  throw new Error("the audit does not end");
});
