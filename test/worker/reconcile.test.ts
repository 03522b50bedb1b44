// Scheduled audits and the metrics, through which an operator learns of drift.
import { createExecutionContext, createScheduledController, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { catalogOf } from "../../src/catalog/object.ts";
import worker from "../../src/worker.ts";
import { CREDIT, costing, type Enterprise, newEnterprise, objectOf, operator, projectNow } from "./api.ts";

/** More than an audit reads within a call, which is 20,000. */
const MANY_METERS = 24_000;

afterEach(() => {
  vi.restoreAllMocks();
});

/** Runs the schedule once and returns what it logged. */
async function runSchedule(): Promise<Record<string, unknown>[]> {
  const lines: string[] = [];
  for (const level of ["log", "error"] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => lines.push(line));
  }
  await worker.scheduled(createScheduledController(), env, createExecutionContext());
  vi.restoreAllMocks();
  return lines.map((line) => JSON.parse(line));
}

/** Runs the schedule until every enterprise was audited. */
async function auditAll(): Promise<Record<string, unknown>[]> {
  const { counts } = await catalogOf(env).auditSummary();
  const enterprises = Object.values(counts).reduce((sum, count) => sum + count, 0);
  const lines = [];
  for (let seen = 0; seen < enterprises; ) {
    const logged = await runSchedule();
    seen += logged.at(-1)?.audited as number;
    lines.push(...logged);
  }
  return lines;
}

async function metrics(): Promise<Record<string, string | undefined>> {
  const { status, text, headers } = await operator("GET", "/metrics");
  expect(status).toBe(200);
  expect(headers.get("Content-Type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const lines = text.trimEnd().split("\n");
  for (const line of lines) expect(line).toMatch(/^(# (HELP|TYPE) fuelgauge_\w+ .+|fuelgauge_\w+(\{.+\})? \S+)$/);
  return Object.fromEntries(
    lines.filter((line) => !line.startsWith("#")).map((line) => [line.replace(/ \S+$/, ""), line.split(" ").at(-1)]),
  );
}

/** Adds this to every charge that the ledger has stored, so that it is wrong. */
async function damage(e: Enterprise, micros: number): Promise<void> {
  await runInDurableObject(objectOf(e.id), (_, { storage }) =>
    storage.sql.exec("UPDATE meters SET charged_micros = charged_micros + ?", micros),
  );
}

// Each test audits every enterprise of the tests before it. So the test with many enterprises comes late.
describe("the scheduled reconciliation", () => {
  it("reports drift of a ledger and of a copy without changing them, until an audit passes", async () => {
    const [ledger, copy] = [await newEnterprise(), await newEnterprise()];
    for (const e of [ledger, copy]) {
      await e.debit(costing(3));
      await projectNow(e.id);
    }
    await damage(ledger, 1);
    await env.DB.prepare("UPDATE runs SET charged_micros = 1 WHERE enterprise = ?").bind(copy.id).run();
    for (let times = 0; times < 2; times++) {
      const lines = await auditAll();
      const drift = lines.filter(({ event }) => event === "audit_drift");
      expect(Object.fromEntries(drift.map(({ enterprise, detail }) => [enterprise, detail]))).toEqual({
        [ledger.id]: expect.stringMatching(/^meters_cost: run-1 on gpt-5: charged 3000001, costs 3000000/),
        [copy.id]: expect.stringMatching(/^copy_equals_ledger: runs .*charged_micros is 1, the ledger says 3000000/),
      });
    }
    const shown = await metrics();
    expect(shown['fuelgauge_audits{state="drift"}']).toBe("2");
    expect(shown[`fuelgauge_audit_not_ok{enterprise="${copy.id}",state="drift"}`]).toBe("1");
    await operator("POST", `${copy.path}/rebuild`);
    await auditAll();
    expect((await metrics())['fuelgauge_audits{state="drift"}']).toBe("1");
    await damage(ledger, -1);
  });

  it("records a copy that cannot be read as unreadable, not as drift", async () => {
    const e = await newEnterprise();
    await e.debit(costing(1));
    const { DB } = env;
    const prepare = () => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    const broken = { prepare, batch: () => Promise.reject(new Error("D1_ERROR")) } as unknown as D1Database;
    await runInDurableObject(objectOf(e.id), (object) => {
      (object as unknown as { env: Env }).env.DB = broken;
    });
    const events = (await auditAll()).map(({ event, enterprise }) => [enterprise, event]);
    await runInDurableObject(objectOf(e.id), (object) => {
      (object as unknown as { env: Env }).env.DB = DB;
    });
    expect(events).toContainEqual([e.id, "audit_unreadable"]);
    expect(events).not.toContainEqual([e.id, "audit_drift"]);
  });

  it("audits twenty enterprises at a time, in rotation, and logs only a summary if all are correct", async () => {
    const created = await Promise.all(Array.from({ length: 21 }, () => newEnterprise()));
    const first = await runSchedule();
    expect(first).toEqual([{ event: "reconciled", audited: 20, wrong: 0, ms: expect.any(Number) }]);
    expect((await runSchedule()).at(-1)).toMatchObject({ audited: 20, wrong: 0 });
    expect((await metrics())['fuelgauge_audits{state="never"}']).toBe("0");
    expect(Number((await metrics())['fuelgauge_audits{state="ok"}'])).toBeGreaterThanOrEqual(created.length);
  });

  it("stores the result of a large audit, which runs as a job, and continues with the others if one object fails", async () => {
    const [broken, large] = [await newEnterprise(), await newEnterprise()];
    await runInDurableObject(objectOf(broken.id), (_, { storage }) => {
      storage.sql.exec("DROP TABLE totals_time");
    });
    await large.debit(costing(1));
    // Nothing else is due, so the alarm runs no slices while the first call runs its part of them.
    await projectNow(large.id);
    await runInDurableObject(objectOf(large.id), (_, { storage }) => {
      const [meter] = storage.sql.exec("SELECT * FROM meters").toArray();
      const rest = Object.keys(meter ?? {}).filter((column) => column !== "run");
      storage.sql.exec(`INSERT INTO meters (run, ${rest}) SELECT 'many-' || value, ${rest} FROM meters,
        (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < ${MANY_METERS}) SELECT value FROM n)`);
    });
    const { status, body } = await operator("GET", `${large.path}/audit`);
    expect(status).toBe(202);
    const job = async () => (await operator("GET", `/v1/jobs/${body.job}`)).body;
    expect(await job()).toMatchObject({ name: "audit", enterprise: large.id });
    await expect.poll(async () => (await job()).state).toBe("done");
    const result = await operator("GET", `${large.path}/audit`);
    expect(result).toMatchObject({ status: 200, body: { ok: false, checked_at: "2026-03-10T12:00:00.000Z" } });
    const events = (await auditAll()).map(({ event, enterprise, detail }) => [enterprise, event, detail]);
    const sum = (MANY_METERS + 1) * CREDIT;
    const drift = expect.stringMatching(`monthly use is 1000000, the draws of this cycle sum to ${sum}`);
    expect(events).toContainEqual([large.id, "audit_drift", drift]);
    expect(events).toContainEqual([broken.id, "audit_failed", expect.stringContaining("totals_time")]);
  });
});

describe("the metrics", () => {
  it("sum what the ledgers recorded by billing model and plan", async () => {
    const label = '{billing_model="credits",plan="free"}';
    const e = await newEnterprise({ plan: "free" });
    await projectNow(e.id);
    const before = await metrics();
    await e.debit(costing(600));
    await e.debit(costing(601));
    await projectNow(e.id);
    const after = await metrics();
    const grown = (name: string) => Number(after[`${name}${label}`]) - Number(before[`${name}${label}`]);
    expect(grown("fuelgauge_ledger_steps_total")).toBe(2);
    expect(grown("fuelgauge_used_micros")).toBe(601 * CREDIT);
    expect(grown("fuelgauge_debt_micros")).toBe(101 * CREDIT);
    expect(grown("fuelgauge_enterprises_exhausted")).toBe(1);
    expect(after.fuelgauge_price_book_version).toBe("1");
    expect(after.fuelgauge_copy_readable).toBe("1");
  });

  it("say that the copy cannot be read and still report the audits", async () => {
    const { DB } = env;
    const prepare = () => {
      throw new Error("D1_ERROR: Network connection lost.");
    };
    env.DB = { prepare } as unknown as D1Database;
    try {
      const shown = await metrics();
      expect(shown.fuelgauge_copy_readable).toBe("0");
      expect(Object.keys(shown)).not.toContainEqual(expect.stringMatching(/^fuelgauge_enterprises/));
      expect(Object.keys(shown)).toContainEqual(expect.stringMatching(/^fuelgauge_audits/));
    } finally {
      env.DB = DB;
    }
  });
});
