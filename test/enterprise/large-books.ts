/**
 * The worker of tools/large-books.ts: fills one enterprise with runs, and measures how long debits wait while an audit and
 * a rebuild are under way, next to the same debits without them. 50 debits arrive in each second. The ledger, its jobs and
 * D1 share one thread here, so the work of D1 counts too; on Cloudflare it does not. Other programs on the machine delay
 * debits as well, so the CPU time that a debit waits for is measured, not only the time by the clock.
 */
import { parseArgs } from "node:util";
import { REBUILD, REBUILD_START } from "../../src/enterprise/copy/copy-writer.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import { AUDIT_CURSOR, type AuditResult } from "../../src/enterprise/jobs/audit.ts";
import { CopyDb } from "../simulation/copy-db.ts";
import { NOON, report, settings } from "../support/books.ts";
import { stubPlatform } from "./stub-platform.ts";

const { values } = parseArgs({ options: { runs: { type: "string", default: "1000000" } } });
const BLOCK = 1_000;
const RUN_DIGITS = 7;
/** How many blocks one statement writes. */
const BLOCKS_AT_ONCE = 50;
/** A multiple of a thousand. */
const RUNS = Math.max(2, Math.ceil(Number(values.runs) / BLOCK)) * BLOCK;
const DEBIT_EVERY_MS = 20;
const QUIET_MS = 10_000;
const NOTE_EVERY_MS = 20_000;
const CREDIT = 1_000_000;

/** What runs, for how much CPU time without a pause, since the last turn of the event loop. */
type Stretch = { what: string; cpuMs: number };
let running = "idle";
let stretches: Stretch[] = [];
/** The turns of the event loop since the last debit: when each began, and the CPU time used until then. */
let turns: { atMs: number; cpuMs: number }[] = [];

const cpuMs = () => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
};
let lastCpuMs = cpuMs();
function turn(): void {
  const nowCpuMs = cpuMs();
  stretches.push({ what: running, cpuMs: nowCpuMs - lastCpuMs });
  lastCpuMs = nowCpuMs;
  turns.push({ atMs: performance.now(), cpuMs: nowCpuMs });
  if (stretches.length > 10_000) stretches = stretches.toSorted((a, b) => b.cpuMs - a.cpuMs).slice(0, 100);
  setImmediate(turn);
}
/** As with a database elsewhere, other calls run before D1 begins and before its answer is read. */
const pause = () => new Promise<void>((resolve) => setTimeout(resolve, 0));
const copy = new CopyDb(async (apply) => {
  await pause();
  const before = running;
  running = "batch in D1";
  apply();
  await pause();
  running = before;
});
const startedMs = performance.now();
const platform = stubPlatform({ copy: copy as never });
let fastForwardMs = 0;
platform.clock.realNowMs = () => NOON + Math.floor(performance.now() - startedMs) + fastForwardMs;
const core = new EnterpriseCore(platform);
const all = settings({ allowanceOverrideMicros: 1_000_000 * CREDIT });
core.management.provision("acme", all, all, null);
const { ledger, jobs } = core;

await fill();
turn();
await measure("no job", () => new Promise((resolve) => setTimeout(resolve, QUIET_MS)));
const audit = await measure("audit", () => run("audit", AUDIT_CURSOR));
const result = audit?.result as AuditResult | undefined;
const failed = result?.checks.filter(({ ok }) => !ok);
console.log(`failed checks: ${JSON.stringify(failed)}`);
const readers = watchReaders();
await measure("rebuild", () => run(REBUILD, REBUILD_START));
console.log(readers.end());
process.exit(0);

/**
 * Fills the object and the copy. Only the first and the last thousand runs are debited. The runs between them are copies of
 * the first ones, and the object's totals are multiplied to match. The last runs change every total, so the copy gets
 * these from the object.
 */
async function fill(): Promise<void> {
  await debitBlock(0);
  const copies = Math.max(0, RUNS / BLOCK - 2);
  for (let from = 1; from <= copies; from += BLOCKS_AT_ONCE) {
    const to = Math.min(copies, from + BLOCKS_AT_ONCE - 1);
    ledger.sql.transaction(() => {
      for (const table of ["runs", "meters"]) ledger.sql.run(copyOfRows(ledger.sql.all, table, from, to));
    });
    for (const table of ["runs", "run_models"]) copy.rows(copyOfRows(copy.rows.bind(copy), table, from, to));
    note(`wrote ${(to + 1) * BLOCK} of ${RUNS} runs`);
  }
  multiplyTotals(1 + copies);
  await debitBlock(1 + copies);
  note(`${RUNS} runs are in the object and in the copy`);
}

async function debitBlock(block: number): Promise<void> {
  ledger.debit(Array.from({ length: BLOCK }, (_, i) => reportOf(block * BLOCK + i)));
  while (ledger.sql.all("SELECT 1 FROM outbox_items LIMIT 1").length > 0) await project();
}

function reportOf(n: number) {
  return report(1 + (n % 50), { run: runName(n), user: `u${n % 50}`, workspace: `w${n % 20}` });
}

function runName(n: number): string {
  return `run-${String(n).padStart(RUN_DIGITS, "0")}`;
}

/** Returns a statement that copies the rows of the first thousand runs, once for each block of runs. */
function copyOfRows(all: (sql: string) => object[], table: string, fromBlock: number, toBlock: number): string {
  const columns = Object.keys(all(`SELECT * FROM ${table} LIMIT 1`)[0] ?? {});
  const name = `printf('run-%0${RUN_DIGITS}d', block * ${BLOCK} + substr(run, 5))`;
  return `WITH RECURSIVE blocks (block) AS (VALUES (${fromBlock}) UNION ALL SELECT block + 1 FROM blocks WHERE block < ${toBlock})
    INSERT INTO ${table} (${columns.join(", ")})
    SELECT ${columns.map((column) => (column === "run" ? name : column)).join(", ")}
    FROM blocks CROSS JOIN (SELECT * FROM ${table} WHERE run LIKE 'run-%' ORDER BY run LIMIT ${BLOCK})`;
}

/** Multiplies what the first thousand runs came to, in the enterprise's row and in the totals. */
function multiplyTotals(by: number): void {
  const { sql } = ledger;
  const times = (columns: string[]) => columns.map((column) => `${column} = ${column} * ${by}`).join(", ");
  const cubeSums = ["cycle_micros", "model_requests", "savings_micros"];
  /** Multiplies each number of a JSON object whose values are numbers or lists of numbers. */
  const json = (column: string) => `${column} = (SELECT json_group_object(key, json(iif(type = 'array',
    json_array((value ->> 0) * ${by}, (value ->> 1) * ${by}), value * ${by}))) FROM json_each(${column}))`;
  sql.transaction(() => {
    sql.run(`UPDATE enterprise SET ${times(["monthly_used_micros"])}, seq = 1 + (seq - 1) * ${by}`);
    sql.run(`UPDATE progress SET ${times(["value"])} WHERE name = 'items_folded'`);
    sql.run("UPDATE progress SET value = (SELECT seq FROM enterprise) WHERE name IN ('folded', 'cube_folded')");
    sql.run(`UPDATE totals_time SET ${times(["amount_micros"])}`);
    sql.run(`UPDATE totals_cycle SET ${times(["requests", "amount_micros", "day_micros"])}`);
    sql.run(`UPDATE totals_model SET ${times(cubeSums)}, ${json("kinds")}`);
    const sums = ["amount_micros", "requests", "meter_requests", ...cubeSums];
    sql.run(`UPDATE cube SET ${times(sums)}, ${json("kinds")}, ${json("hours")}`);
  });
  ledger.forget();
}

/** Says on stderr how far the measurement is. */
function note(text: string): void {
  console.error(`${Math.round((performance.now() - startedMs) / 1_000)} s: ${text}`);
}

async function project(): Promise<void> {
  fastForwardMs += 3_000;
  await jobs.runNow("project");
}

async function run(name: string, cursor: unknown) {
  ledger.startJob(name, cursor);
  let notedMs = performance.now();
  for (;;) {
    const job = await jobs.runSlices(name, 1);
    const cursor = job?.cursor as { phase?: string; place?: unknown } | null;
    const isOver = job?.state !== "running";
    if (isOver || performance.now() - notedMs > NOTE_EVERY_MS) {
      note(`${name} ${isOver ? "has ended" : `${cursor?.phase ?? ""} ${Math.round(100 * job.progress)} %`}`);
      notedMs = performance.now();
    }
    running = `${name} ${cursor?.phase ?? JSON.stringify(cursor?.place)?.slice(0, 50)}`;
    if (job?.state !== "running") return job;
    await new Promise<void>((resolve) =>
      setTimeout(resolve, Math.max(0, (job.dueAtMs ?? 0) - platform.clock.realNowMs())),
    );
  }
}

/** Runs `act` while debits arrive, and prints how long each of them waited, from when it was due until its commit. */
async function measure<T>(what: string, act: () => Promise<T>): Promise<T> {
  note(`measures debits: ${what}`);
  const fromMs = performance.now();
  const waits: { wallMs: number; cpuMs: number }[] = [];
  let ended = false;
  stretches = [];
  turns = [];
  const debits = (async () => {
    for (let due = fromMs; !ended; due += DEBIT_EVERY_MS) {
      const leftMs = due - performance.now();
      if (leftMs > 0) await new Promise<void>((resolve) => setTimeout(resolve, leftMs));
      const before = running;
      ledger.debit([report(100 + waits.length, { run: `live-${waits.length % 100}` })]);
      running = before;
      const last = turns.findLast(({ atMs }) => atMs <= due) ?? turns[0];
      waits.push({ wallMs: performance.now() - due, cpuMs: last === undefined ? 0 : cpuMs() - last.cpuMs });
      turns = turns.slice(-50);
      if (waits.length % 125 === 0) void jobs.runNow("project");
    }
  })();
  const result = await act();
  ended = true;
  await debits;
  const show = (of: number[]) => {
    of.sort((a, b) => a - b);
    const at = (part: number) => of[Math.min(of.length - 1, Math.floor(part * of.length))]?.toFixed(1);
    return `p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)} ms`;
  };
  const seconds = Math.round((performance.now() - fromMs) / 1_000);
  console.log(`${what}: ${seconds} s, ${waits.length} debits`);
  console.log(
    `  wait in CPU time ${show(waits.map((wait) => wait.cpuMs))}; by the clock ${show(waits.map((wait) => wait.wallMs))}`,
  );
  const worst = stretches.toSorted((a, b) => b.cpuMs - a.cpuMs).slice(0, 12);
  console.log(`  longest stretches in CPU time: ${worst.map((of) => `${of.what} ${of.cpuMs.toFixed(1)}`).join(", ")}`);
  return result;
}

/** Twice a second reads what pages show: totals of the cycle, days, hours and the cube, and a hundred runs by their ids. */
function watchReaders() {
  const count = () => Number(copy.rows("SELECT count(*) AS n FROM runs")[0]?.n);
  const before = count();
  const sums = [
    "usage_by_dimension WHERE dimension = 'all'",
    "usage_by_dimension WHERE dimension = 'user'",
    "usage_daily",
    "usage_hourly",
    "usage_cube",
  ];
  const last = new Map<string, number>();
  let [fell, looks, missing] = [0, 0, 0];
  const timer = setInterval(() => {
    looks += 1;
    for (const from of sums) {
      const now = Number(copy.rows(`SELECT sum(amount_micros) AS n FROM ${from}`)[0]?.n);
      if (now < (last.get(from) ?? 0)) fell += 1;
      last.set(from, now);
    }
    const step = Math.floor(RUNS / 100);
    const ids = Array.from({ length: 100 }, (_, i) => runName(i * step + ((looks * 7_919) % step)));
    const found = copy.rows(
      "SELECT count(*) AS n FROM runs WHERE enterprise = 'acme' AND run IN (SELECT value FROM json_each(?))",
      JSON.stringify(ids),
    );
    missing += ids.length - Number(found[0]?.n);
  }, 500);
  return {
    end: () => {
      clearInterval(timer);
      return (
        `rows of runs before ${before}, after ${count()}; in ${looks} looks, a total of the copy fell ${fell} times, ` +
        `and ${missing} of ${looks * 100} runs were missing`
      );
    },
  };
}
