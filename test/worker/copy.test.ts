// The copy in D1: how late it is, how it recovers from failures of D1, and how it is rebuilt. Also what the object must
// survive: evictions, restarts, and alarms that run twice.
import { abortAllDurableObjects, evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  freshId,
  NOON,
  newEnterprise,
  objectOf,
  operator,
  projectNow,
  start,
} from "./api.ts";

const TABLES = ["usage_hourly", "usage_daily", "usage_by_dimension", "runs", "entries", "names"];

/** All rows of the copy for an enterprise, without revisions, which depend on how often a row was written. */
async function copyOf({ id }: Enterprise): Promise<Record<string, unknown[]>> {
  const read = async (table: string) => {
    const { results } = await env.DB.prepare(`SELECT * FROM ${table} WHERE enterprise = ?`).bind(id).all();
    return results.map(({ revision: _, ...row }) => JSON.stringify(row)).sort();
  };
  return Object.fromEntries(await Promise.all(TABLES.map(async (table) => [table, await read(table)] as const)));
}

/** A report of a known run, which needs no attribution. */
const laterReport = (run: string, credits: number) => {
  const { model, usage } = costing(credits);
  return { run, model, usage };
};

/** An enterprise with rows in every table. */
async function newBusyEnterprise(): Promise<Enterprise> {
  const e = await newEnterprise({ test_clock: "2026-03-31T22:30:00Z" });
  await operator("PUT", `${e.path}/directory`, {
    workspaces: [{ id: "w1", name: "Shop", group_id: "g1" }],
    groups: [{ id: "g1", name: "Web" }],
    users: [{ id: "u1", name: "Ada" }],
  });
  await e.grant({ id: "g" });
  const reports = (credits: number) =>
    Array.from({ length: 30 }, (_, i) =>
      costing(credits + i, { run: `r${i}`, workspace: `w${i % 4}`, user: `u${i % 5}`, surface: i % 2 ? "cli" : "web" }),
    );
  await e.debit({ reports: reports(1) });
  await e.moveTo("2026-04-01T00:30:00Z");
  await e.debit({ reports: reports(3) });
  await e.debit({ ...laterReport("r0", 1), final: true });
  await e.start(start({ run: "held", hold_micros: CREDIT }));
  return e;
}

/** All tests share `env`, so a test that replaces its binding must restore it. */
const D1 = env.DB;
afterEach(() => {
  env.DB = D1;
});

type Fault = "before" | "after" | "slow";

/** Makes the object's D1 fail before it writes or after it has written, or makes it slow until the gate opens. */
async function breakD1(e: Enterprise, fault: Fault, gate: Promise<void> = Promise.resolve()): Promise<void> {
  const batch = async (statements: D1PreparedStatement[]) => {
    if (fault === "before") throw new Error("D1_ERROR: Network connection lost.");
    if (fault === "slow") await gate;
    const results = await D1.batch(statements);
    if (fault === "after") throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout.");
    return results;
  };
  await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
}

const repairD1 = (e: Enterprise) => replaceD1(e, D1);

async function replaceD1(e: Enterprise, db: D1Database): Promise<void> {
  await runInDurableObject(objectOf(e.id), (object) => {
    (object as unknown as { env: { DB: D1Database } }).env.DB = db;
  });
}

const alarmOf = (e: Enterprise) => runInDurableObject(objectOf(e.id), (_, { storage }) => storage.getAlarm());

describe("the copy", () => {
  it("has a debit within five seconds without being asked", async () => {
    const e = await newEnterprise();
    const sinceMs = Date.now();
    await e.debit(costing(3));
    let rows: unknown[] = [];
    while (rows.length === 0 && Date.now() - sinceMs < 5_000) {
      await new Promise((resolve) => setTimeout(resolve, 100));
      rows = (await e.get("runs")).rows;
    }
    expect(rows).toMatchObject([{ run: "run-1", charged_micros: 3 * CREDIT }]);
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
    await env.DB.batch(TABLES.map((table) => env.DB.prepare(`DELETE FROM ${table} WHERE enterprise = ?`).bind(e.id)));
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

  // Without an index this comparison takes most of a minute.
  it("with thousands of workspaces, groups and users is audited within seconds", { timeout: 15_000 }, async () => {
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
      await runDurableObjectAlarm(objectOf(e.id));
      expect(await alarmOf(e)).not.toBeNull();
    }
    expect((await copyOf(e)).runs).toEqual([]);
    // Agents are not affected.
    expect((await e.debit(laterReport("r2", 9))).status).toBe(200);
    expect(Date.parse((await e.get("usage/timeseries")).as_of)).toBeLessThan(Date.parse((await e.gauge()).as_of));
    await repairD1(e);
    await runDurableObjectAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("catches up after D1 timed out having written", async () => {
    const e = await newBusyEnterprise();
    await breakD1(e, "after");
    await runDurableObjectAlarm(objectOf(e.id));
    const once = await copyOf(e);
    expect(once.runs?.length).toBe(31);
    await runDurableObjectAlarm(objectOf(e.id));
    expect(await copyOf(e)).toEqual(once);
    await e.debit(laterReport("r2", 9));
    await runDurableObjectAlarm(objectOf(e.id));
    await repairD1(e);
    await runDurableObjectAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("catches up after a slow write, and debits do not wait for that write", async () => {
    const e = await newBusyEnterprise();
    const gate = Promise.withResolvers<void>();
    await breakD1(e, "slow", gate.promise);
    const projecting = runDurableObjectAlarm(objectOf(e.id));
    // One run is in the batch already, the other is not.
    expect((await e.debit(laterReport("r3", 9))).body.charged_micros).toBe(3 * CREDIT);
    expect((await e.debit(costing(9, { run: "new" }))).status).toBe(200);
    gate.resolve();
    await projecting;
    await repairD1(e);
    await runDurableObjectAlarm(objectOf(e.id));
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
    await runDurableObjectAlarm(objectOf(e.id));
    await repairD1(e);
    await operator("PUT", `${e.path}/directory`, { users: [{ id: "u1", name: "Ada L." }] });
    await e.debit({ reports: Array.from({ length: 30 }, (_, i) => laterReport(`r${i}`, 50)) });
    await runDurableObjectAlarm(objectOf(e.id));
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
    await runDurableObjectAlarm(objectOf(e.id));
    await evictDurableObject(objectOf(e.id));
    await repairD1(e);
    await runDurableObjectAlarm(objectOf(e.id));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("fails the audit while it cannot be reached, and a rebuild is answered 503 until then", async () => {
    const e = await newBusyEnterprise();
    await breakD1(e, "before");
    expect(await auditFailures(e)).toEqual([expect.stringMatching(/^copy_equals_ledger: /)]);
    const rebuild = await operator("POST", `${e.path}/rebuild`);
    expect(expectProblem(rebuild, 503, "ledger_busy")).toBeDefined();
    expect(rebuild.headers.get("Retry-After")).toMatch(/^\d+$/);
    await repairD1(e);
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect(await auditFailures(e)).toEqual([]);
  });
});

describe("a rebuild", () => {
  /** Lets this many batches reach D1 and fails the later ones. */
  async function failAfter(e: Enterprise, batches: number): Promise<void> {
    let passed = 0;
    const batch = (statements: D1PreparedStatement[]) => {
      if (++passed > batches) throw new Error("D1_ERROR: Network connection lost.");
      return D1.batch(statements);
    };
    await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
  }

  it("that fails halfway is repeated by the alarm, also after an eviction", async () => {
    for (const evicted of [false, true]) {
      const e = await newBusyEnterprise();
      await projectNow(e.id);
      const before = await copyOf(e);
      await failAfter(e, 2);
      expectProblem(await operator("POST", `${e.path}/rebuild`), 503, "ledger_busy");
      expect((await copyOf(e)).runs).toEqual([]);
      if (evicted) await evictDurableObject(objectOf(e.id));
      await repairD1(e);
      expect(await alarmOf(e)).not.toBeNull();
      await projectNow(e.id);
      expect(await copyOf(e)).toEqual(before);
      expect(await auditFailures(e)).toEqual([]);
    }
  });

  it("requested twice at once runs twice, one after the other", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    const answers = await Promise.all([1, 2].map(() => operator("POST", `${e.path}/rebuild`)));
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(await copyOf(e)).toEqual(before);
  });

  it("is not undone by an earlier rebuild's deletion that arrives late", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    let late: D1PreparedStatement[] = [];
    const batch = async (statements: D1PreparedStatement[]) => {
      if (late.length > 0) return D1.batch(statements);
      late = statements;
      throw new Error("D1_ERROR: D1 DB storage operation exceeded timeout.");
    };
    await replaceD1(e, { prepare: (sql: string) => D1.prepare(sql), batch } as D1Database);
    expectProblem(await operator("POST", `${e.path}/rebuild`), 503, "ledger_busy");
    await projectNow(e.id);
    await runInDurableObject(objectOf(e.id), () => D1.batch(late));
    expect(await copyOf(e)).toEqual(before);
  });

  it("replaces a copy that is ahead of the ledger, as after a restore to an earlier time", async () => {
    const e = await newBusyEnterprise();
    await projectNow(e.id);
    const before = await copyOf(e);
    await env.DB.prepare("UPDATE enterprises SET revision = revision + 1000, name = 'Later' WHERE id = ?")
      .bind(e.id)
      .run();
    await operator("POST", `${e.path}/rebuild`);
    expect(await copyOf(e)).toEqual(before);
    const { name } = (await env.DB.prepare("SELECT name FROM enterprises WHERE id = ?").bind(e.id).first()) ?? {};
    expect(name).toBe("Acme");
    await e.debit(laterReport("r1", 9));
    await projectNow(e.id);
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
    // D1 itself fails here, and the query builder wraps that error in one of its own.
    ["while answering", () => statement],
  ])("reads of the copy answer 503 with Retry-After, and everything else works (D1 fails %s)", async (_, prepare) => {
    const e = await newBusyEnterprise();
    env.DB = { prepare, batch: fail } as unknown as D1Database;
    for (const route of ["runs", "usage/timeseries", "usage/top/users"]) {
      const answer = await e.agent("GET", `${e.path}/${route}`);
      expectProblem(answer, 503, "ledger_busy");
      expect(answer.headers.get("Retry-After")).toMatch(/^\d+$/);
    }
    expect((await e.debit(laterReport("r1", 9))).body.charged_micros).toBe(5 * CREDIT);
    expect((await e.start(start({ run: "another" }))).status).toBe(201);
    expect(await e.receipt("r1")).toMatchObject({ charged_micros: 9 * CREDIT });
    expect((await e.entries()).length).toBeGreaterThan(0);
  });
});

describe("the object", () => {
  it("keeps everything when it is evicted or the process restarts", async () => {
    const e = await newBusyEnterprise();
    const shown = async () => [await e.gauge(), await e.receipt("r1"), await e.entries(), await e.get("grants")];
    const before = await shown();
    await evictDurableObject(objectOf(e.id));
    expect(await shown()).toEqual(before);
    await abortAllDurableObjects();
    expect(await shown()).toEqual(before);
    expect((await e.debit(laterReport("r1", 9))).body.charged_micros).toBe(5 * CREDIT);
    expect((await e.gauge()).held_micros).toBe(CREDIT);
    await e.moveTo("2026-04-01T00:45:00Z");
    expect((await e.gauge()).held_micros).toBe(0);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("changes nothing when an alarm runs twice or concurrently", async () => {
    const e = await newBusyEnterprise();
    await runInDurableObject(objectOf(e.id), async (object) => {
      await Promise.all([object.alarm(), object.alarm()]);
      await object.alarm();
    });
    const before = [await e.gauge(), await e.entries(), await copyOf(e)];
    await runInDurableObject(objectOf(e.id), (object) => object.alarm());
    expect([await e.gauge(), await e.entries(), await copyOf(e)]).toEqual(before);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("keeps a receipt after it has forgotten the run's meters, 35 days later", async () => {
    const e = await newEnterprise();
    await e.debit(costing(4, { run: "old", final: true }));
    await e.start(start({ run: "silent" }));
    await e.moveTo("2026-05-10T12:00:00Z");
    await projectNow(e.id);
    await runInDurableObject(objectOf(e.id), (object) => object.alarm());
    expect(await e.receipt("old")).toMatchObject({
      run: "old",
      charged_micros: 4 * CREDIT,
      final: true,
      started_at: NOON,
    });
    const gauge = await e.gauge();
    expectProblem(await e.debit(costing(5, { run: "old" })), 410, "run_too_old");
    expect(await e.gauge()).toEqual(gauge);
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect((await e.get("runs")).rows.map(({ run }: { run: string }) => run).sort()).toEqual(["old", "silent"]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("answers not_found for an unknown run, grant or enterprise", async () => {
    const e = await newEnterprise();
    expectProblem(await e.agent("GET", `${e.path}/runs/${freshId()}`), 404, "not_found");
    expectProblem(await operator("POST", `${e.path}/grants/${freshId()}/void`), 404, "not_found");
    expectProblem(await operator("GET", `/v1/enterprises/${freshId()}/audit`), 404, "not_found");
  });
});
