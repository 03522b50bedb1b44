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
const RUNS = Number(values.runs);
const DEBIT_EVERY_MS = 20;
const QUIET_MS = 10_000;
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

async function fill(): Promise<void> {
  for (let made = 0; made < RUNS; made += 1_000) {
    ledger.debit(Array.from({ length: 1_000 }, (_, i) => reportOf(made + i)));
    if (made % 10_000 === 0) while (ledger.sql.all("SELECT 1 FROM outbox_items LIMIT 1").length > 0) await project();
  }
  while (ledger.sql.all("SELECT 1 FROM outbox_items LIMIT 1").length > 0) await project();
  console.log(`${RUNS} runs after ${Math.round((performance.now() - startedMs) / 1_000)} s`);
}

function reportOf(n: number) {
  return report(1 + (n % 50), { run: `run-${n}`, user: `u${n % 50}`, workspace: `w${n % 20}` });
}

async function project(): Promise<void> {
  fastForwardMs += 3_000;
  await jobs.runNow("project");
}

async function run(name: string, cursor: unknown) {
  ledger.startJob(name, cursor);
  for (;;) {
    const job = await jobs.runSlices(name, 1);
    const cursor = job?.cursor as { phase?: string; place?: unknown } | null;
    running = `${name} ${cursor?.phase ?? JSON.stringify(cursor?.place)?.slice(0, 50)}`;
    if (job?.state !== "running") return job;
    await new Promise<void>((resolve) =>
      setTimeout(resolve, Math.max(0, (job.dueAtMs ?? 0) - platform.clock.realNowMs())),
    );
  }
}

/** Runs `act` while debits arrive, and prints how long each of them waited, from when it was due until its commit. */
async function measure<T>(what: string, act: () => Promise<T>): Promise<T> {
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

function watchReaders() {
  const count = () => Number(copy.rows("SELECT count(*) AS n FROM runs")[0]?.n);
  const sum = () =>
    Number(copy.rows("SELECT sum(amount_micros) AS n FROM usage_by_dimension WHERE dimension = 'all'")[0]?.n);
  const before = count();
  let [least, last, fell] = [before, sum(), 0];
  const timer = setInterval(() => {
    const now = sum();
    if (now < last) fell += 1;
    last = now;
  }, 500);
  return {
    end: () => {
      clearInterval(timer);
      least = Math.min(least, count());
      return `rows of runs before ${before}, after ${count()}; the total of the copy fell ${fell} times`;
    },
  };
}
