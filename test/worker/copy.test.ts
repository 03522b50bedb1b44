// The copy in D1: how late it is, how it recovers when D1 fails, and what the Worker answers while D1 is unavailable.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  expectProblem,
  newEnterprise,
  objectOf,
  operator,
  projectNow,
  runAlarm,
  start,
} from "./api.ts";
import {
  alarmOf,
  breakD1,
  copyOf,
  D1,
  laterReport,
  loseCopy,
  newBusyEnterprise,
  repairD1,
  replaceD1,
  TABLES,
} from "./copy-fixture.ts";

describe("the copy", () => {
  it("has a debit within five seconds without being asked", async () => {
    const e = await newEnterprise();
    await projectNow(e.id);
    await e.debit(costing(3));
    const debitedMs = Date.now();
    const alarmAtMs = await alarmOf(e);
    // The alarm is no longer set if it has already fired.
    if (alarmAtMs !== null) expect(alarmAtMs).toBeLessThanOrEqual(debitedMs + 5_000);
    await expect
      .poll(async () => (await e.get("runs")).rows)
      .toMatchObject([{ run: "run-1", charged_micros: 3 * CREDIT }]);
    expect((await e.get("usage/timeseries")).buckets.at(-1).web_micros).toBe(3 * CREDIT);
  });

  it("answers as of its first missing change, or as of now if none is missing", async () => {
    const e = await newEnterprise();
    await projectNow(e.id);
    await e.moveTo("2026-03-10T12:10:00Z");
    await e.debit(costing(3));
    await e.moveTo("2026-03-10T12:20:00Z");
    expect((await e.get("usage/timeseries")).as_of).toBe("2026-03-10T12:10:00.000Z");
    await projectNow(e.id);
    expect((await e.get("usage/timeseries")).as_of).toBe("2026-03-10T12:20:00.000Z");
  });

  it("is rebuilt to the same rows after all were deleted", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    for (const table of TABLES) expect(before[table]?.length).toBeGreaterThan(0);
    const shown = async () => [
      await e.get("runs?limit=100"),
      await e.get("usage/timeseries?range=30d"),
      await e.get("usage/top/users"),
      (await e.agent("GET", `${e.path}/runs.csv`)).text,
    ];
    const shownBefore = await shown();
    await loseCopy(e);
    expect(await auditFailures(e)).toEqual([expect.stringMatching(/^copy_equals_ledger: .*missing/)]);
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect(await copyOf(e)).toEqual(before);
    expect(await shown()).toEqual(shownBefore);
    expect(await auditFailures(e)).toEqual([]);
    await e.debit(laterReport("r1", 9));
    await projectNow(e.id);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("is rebuilt without the wrong and unknown rows that it had", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    const damage = (sql: string) => env.DB.prepare(sql).bind(e.id).run();
    await damage(
      "UPDATE usage_by_dimension SET amount_micros = amount_micros + 1, revision = 9000000000000000 WHERE enterprise = ?",
    );
    await damage("UPDATE runs SET workspace = 'nowhere', revision = 9000000000000000 WHERE enterprise = ?");
    await damage("INSERT INTO names (enterprise, kind, id, name, revision) VALUES (?, 'user', 'ghost', 'Ghost', 1)");
    await operator("POST", `${e.path}/rebuild`);
    expect(await copyOf(e)).toEqual(before);
  });

  it("with thousands of workspaces, groups and users equals the ledger", async () => {
    const e = await newEnterprise();
    const reports = Array.from({ length: 1_000 }, (_, i) =>
      costing(0.001, { run: `run-${i}`, workspace: `workspace-${i}`, group: `group-${i}`, user: `user-${i}` }),
    );
    expect((await e.debit({ reports })).status).toBe(200);
    await projectNow(e.id);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("catches up after D1 failed before writing, because the alarm is set again", async () => {
    const e = await newBusyEnterprise();
    await breakD1(e, "before");
    for (let i = 0; i < 3; i++) {
      await runAlarm(objectOf(e.id));
      expect(await alarmOf(e)).not.toBeNull();
    }
    expect((await copyOf(e)).runs).toEqual([]);
    // Agents are not affected.
    expect((await e.debit(laterReport("r2", 9))).status).toBe(200);
    expect(Date.parse((await e.get("usage/timeseries")).as_of)).toBeLessThan(Date.parse((await e.gauge()).as_of));
    await repairD1(e);
    await runAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("catches up after D1 timed out having written", async () => {
    const e = await newBusyEnterprise();
    await breakD1(e, "after");
    await runAlarm(objectOf(e.id));
    const once = await copyOf(e);
    expect(once.runs?.length).toBe(31);
    await runAlarm(objectOf(e.id));
    expect(await copyOf(e)).toEqual(once);
    await e.debit(laterReport("r2", 9));
    await runAlarm(objectOf(e.id));
    await repairD1(e);
    await runAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("catches up after a slow write, and debits do not wait for that write", async () => {
    const e = await newBusyEnterprise();
    const gate = Promise.withResolvers<void>();
    await breakD1(e, "slow", gate.promise);
    const projecting = runAlarm(objectOf(e.id));
    // One run is in the batch already, the other is not.
    expect((await e.debit(laterReport("r3", 9))).body.charged_micros).toBe(3 * CREDIT);
    expect((await e.debit(costing(9, { run: "new" }))).status).toBe(200);
    gate.resolve();
    await projecting;
    await repairD1(e);
    await runAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
    const { rows } = await e.get("runs?limit=100");
    expect(rows.find(({ run }: { run: string }) => run === "r3").charged_micros).toBe(9 * CREDIT);
  });

  it("keeps newer rows when an older write arrives late", async () => {
    const e = await newBusyEnterprise();
    let late: D1PreparedStatement[] = [];
    const batch = async (statements: D1PreparedStatement[]) => {
      late = statements;
      throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout.");
    };
    await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as unknown as D1Database);
    await runAlarm(objectOf(e.id));
    await repairD1(e);
    await operator("PUT", `${e.path}/directory`, { users: [{ id: "u1", name: "Ada L." }] });
    await e.debit({ reports: Array.from({ length: 30 }, (_, i) => laterReport(`r${i}`, 50)) });
    await runAlarm(objectOf(e.id));
    const before = await copyOf(e);
    const { gauge } = (await env.DB.prepare("SELECT gauge FROM enterprises WHERE id = ?").bind(e.id).first()) ?? {};
    await runInDurableObject(objectOf(e.id), () => D1.batch(late));
    expect(await copyOf(e)).toEqual(before);
    expect(await env.DB.prepare("SELECT gauge FROM enterprises WHERE id = ?").bind(e.id).first()).toEqual({ gauge });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("catches up after an eviction in the middle of a write", async () => {
    const e = await newBusyEnterprise();
    await breakD1(e, "after");
    await runAlarm(objectOf(e.id));
    await evictDurableObject(objectOf(e.id));
    await repairD1(e);
    await runAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("fails the audit while it cannot be reached, and a rebuild is answered with its job until then", async () => {
    const e = await newBusyEnterprise();
    await breakD1(e, "before");
    expect(await auditFailures(e)).toEqual([expect.stringMatching(/^copy_equals_ledger: /)]);
    const rebuild = await operator("POST", `${e.path}/rebuild`);
    expect([rebuild.status, rebuild.body]).toEqual([202, { job: expect.any(String) }]);
    await repairD1(e);
    const job = () => operator("GET", `/v1/jobs/${rebuild.body.job}`);
    await expect.poll(async () => (await job()).body.state).toBe("done");
    expect(await auditFailures(e)).toEqual([]);
  });
});

describe("while D1 is unavailable", () => {
  const fail = () => {
    throw new Error("D1_ERROR: Network connection lost.");
  };
  const failLater = async () => fail();
  const statement = { bind: () => statement, all: failLater, raw: failLater, first: failLater, run: failLater };

  it.each([
    ["while preparing", fail],
    // D1 itself fails here, and the query builder wraps that error in another one.
    ["while answering", () => statement],
  ])("reads of the copy answer 503 with Retry-After, and everything else works (D1 fails %s)", async (_, prepare) => {
    const e = await newBusyEnterprise();
    env.DB = { prepare, batch: fail } as unknown as D1Database;
    for (const route of ["runs", "usage/timeseries", "usage/top/users"]) {
      const answer = await e.agent("GET", `${e.path}/${route}`);
      expectProblem(answer, 503, "copy_unavailable");
      expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    }
    expect((await e.debit(laterReport("r1", 9))).body.charged_micros).toBe(5 * CREDIT);
    expect((await e.start(start({ run: "another" }))).status).toBe(201);
    expect(await e.receipt("r1")).toMatchObject({ charged_micros: 9 * CREDIT });
    expect((await e.entries()).length).toBeGreaterThan(0);
  });
});
