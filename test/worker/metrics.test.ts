// What the metrics say about single enterprises, and why ledgers were busy.
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, it, vi } from "vitest";
import { app } from "../../src/app.tsx";
import { catalogOf } from "../../src/catalog/object.ts";
import { costing, newEnterprise, OPERATOR_KEY, operator, projectNow } from "./api.ts";
import { sessionCookie } from "./sessions.ts";

afterEach(() => {
  vi.restoreAllMocks();
  Object.assign(env, { METRICS_ENTERPRISES: undefined });
});

/** The value of each series whose name starts like this. */
async function series(prefix: string): Promise<Record<string, number>> {
  const { text } = await operator("GET", "/metrics");
  const lines = text.split("\n").filter((line) => line.startsWith(prefix));
  return Object.fromEntries(lines.map((line) => [line.replace(/ \S+$/, ""), Number(line.split(" ").at(-1))]));
}

const busy = (cause: string) => `fuelgauge_ledger_busy_total{cause="${cause}"}`;

/** Skips the pause of ten seconds between two reports to the catalog. */
function skipPauses(): void {
  const { setTimeout: original } = globalThis;
  vi.spyOn(globalThis, "setTimeout").mockImplementation(((act: () => void, delayMs = 0) =>
    original(act, delayMs > 5_000 && delayMs <= 10_000 ? 0 : delayMs)) as never);
}

/** The deployment, in which every call to an enterprise's object fails with this error. */
function failingWith(error: Error): Env {
  const fail = () => {
    throw error;
  };
  const stub = new Proxy({}, { get: () => async () => fail() });
  const { ENTERPRISE } = env;
  const idOf = (name: string) => ENTERPRISE.idFromName(name);
  return { ...env, ENTERPRISE: { idFromName: idOf, get: () => stub, getByName: () => stub } } as unknown as Env;
}

it("counts restarts, overload, full objects and unfinished work separately, in the log too", async () => {
  const e = await newEnterprise();
  const before = await series("fuelgauge_ledger_busy_total");
  expect(Object.keys(before).sort()).toEqual(["full", "overload", "restart", "working"].map(busy));
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => lines.push(line));
  skipPauses();
  const causes: Record<string, Error> = {
    overload: Object.assign(new Error("Too many requests"), { overloaded: true, retryable: true }),
    restart: Object.assign(new Error("Network connection lost"), { retryable: true }),
    full: new Error("database or disk is full: SQLITE_FULL"),
    working: new Error("LedgerBusy: the outbox is not folded"),
  };
  for (const error of Object.values(causes)) {
    const request = new Request(`https://fuelgauge.test${e.path}/gauge`, {
      headers: { Authorization: `Bearer ${OPERATOR_KEY}` },
    });
    const context = createExecutionContext();
    const response = await app.fetch(request, failingWith(error), context);
    expect([response.status, await response.json()]).toEqual([503, expect.objectContaining({ code: "ledger_busy" })]);
    await waitOnExecutionContext(context);
  }
  const logged = lines.map((line) => JSON.parse(line)).filter(({ event }) => event === "ledger_busy");
  expect(logged.map(({ cause }) => cause)).toEqual(Object.keys(causes));
  const after = await series("fuelgauge_ledger_busy_total");
  for (const cause of Object.keys(causes)) {
    expect([cause, (after[busy(cause)] ?? 0) - (before[busy(cause)] ?? 0)]).toEqual([cause, 1]);
  }
});

it("counts and logs pages for which a ledger was busy", async () => {
  const e = await newEnterprise();
  const cookie = await sessionCookie(e.id);
  const before = (await series("fuelgauge_ledger_busy_total"))[busy("overload")] ?? 0;
  const lines: string[] = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => lines.push(line));
  skipPauses();
  const context = createExecutionContext();
  const overloaded = Object.assign(new Error("Too many requests"), { overloaded: true });
  const request = new Request("https://fuelgauge.test/settings/usage", { headers: { ...cookie, Accept: "text/html" } });
  expect((await app.fetch(request, failingWith(overloaded), context)).status).toBe(503);
  await waitOnExecutionContext(context);
  vi.restoreAllMocks();
  expect(lines.map((line) => JSON.parse(line).cause)).toEqual(["overload"]);
  expect((await series("fuelgauge_ledger_busy_total"))[busy("overload")]).toBe(before + 1);
});

it("names the enterprises whose copy is late, and those whose messages were given up, a hundred at most", async () => {
  const catalog = catalogOf(env);
  await catalog.noteLateCopy("late-1", true);
  expect(await series("fuelgauge_copy_late{")).toEqual({ 'fuelgauge_copy_late{enterprise="late-1"}': 1 });
  await catalog.noteLateCopy("late-1", false);
  expect(await series("fuelgauge_copy_late{")).toEqual({});
  for (let i = 0; i < 110; i++) await catalog.noteFailedDeliveries(`failed-${i}`, i + 1);
  const failed = await series("fuelgauge_enterprise_deliveries_failed_total{");
  expect(Object.keys(failed)).toHaveLength(100);
  expect(failed['fuelgauge_enterprise_deliveries_failed_total{enterprise="failed-109"}']).toBe(110);
});

it("names what waits for a price", async () => {
  const e = await newEnterprise();
  await e.debit({ ...costing(1), model: "nobody-prices-this" });
  await expect
    .poll(
      async () =>
        (await series("fuelgauge_unpriced_names{"))[
          'fuelgauge_unpriced_names{name="nobody-prices-this",tier="standard"}'
        ],
    )
    .toBe(1);
});

it("has every job in every state from the start, so that the first failure is an increase", async () => {
  const { SLICED_JOBS } = await import("../../src/enterprise/jobs/jobs.ts");
  const jobs = await series("fuelgauge_jobs{");
  const listed = Object.entries(SLICED_JOBS).filter(([, job]) => "listed" in job && job.listed);
  for (const name of [...listed.map(([key]) => key), "delete"]) {
    expect(jobs[`fuelgauge_jobs{name="${name}",state="failed"}`]).toBe(0);
  }
});

it("names the jobs that have failed, with the enterprise of each", async () => {
  const record = { job: "job-7", name: "audit", enterprise: "acme", progress: 0.5, detail: "D1_ERROR" } as const;
  await catalogOf(env).putJob({ ...record, state: "running" });
  expect(await series("fuelgauge_job_failed{")).toEqual({});
  await catalogOf(env).putJob({ ...record, state: "failed" });
  const labels = '{job="job-7",name="audit",enterprise="acme"}';
  expect(await series("fuelgauge_job_failed{")).toEqual({ [`fuelgauge_job_failed${labels}`]: 1 });
});

it("has series of single enterprises only if METRICS_ENTERPRISES asks for them, the busiest first", async () => {
  const [idle, busiest] = [await newEnterprise(), await newEnterprise({ billing_model: "byom" })];
  for (let i = 0; i < 40; i++) await busiest.debit(costing(1, { run: `r${i}` }));
  for (const e of [idle, busiest]) await projectNow(e.id);
  expect(await series("fuelgauge_enterprise_used_micros")).toEqual({});
  for (const [wanted, expected] of [
    ["1", 1],
    ["2", 2],
    ["-1", 0],
    ["many", 0],
  ] as const) {
    Object.assign(env, { METRICS_ENTERPRISES: wanted });
    expect([wanted, Object.keys(await series("fuelgauge_enterprise_used_micros"))]).toEqual([
      wanted,
      expect.objectContaining({ length: expected }),
    ]);
  }
  Object.assign(env, { METRICS_ENTERPRISES: "1" });
  const labels = `{enterprise="${busiest.id}",unit="usd"}`;
  expect(Object.keys(await series("fuelgauge_enterprise_ledger_steps_total"))).toEqual([
    `fuelgauge_enterprise_ledger_steps_total${labels}`,
  ]);
  // Without a cap nothing limits what is available.
  expect(await series("fuelgauge_enterprise_available_micros")).toEqual({});
  expect(
    (await series("fuelgauge_enterprise_used_micros"))[`fuelgauge_enterprise_used_micros${labels}`],
  ).toBeGreaterThan(0);
});
