// `npm run bench`: measures the built Worker on workerd, with its state on a disk and D1 included, from a client on the
// same machine, and prints a table. Each row is a ratio of two loads that took turns. Slow results never fail the
// benchmark; wrong answers and books that do not add up do. docs/benchmarks.md describes what is measured. This file is long
// because it runs all measurements in turn.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { reportFailure } from "../kit/failures.mjs";
import { buildWorker } from "../workerd/build.ts";
import { Runtime } from "../workerd/runtime.ts";
import { type Bill, countRows, LIST_PRICES, measureStorage, type StorageUse } from "./accounting.ts";
import { apartRows, measureApart } from "./apart.ts";
import { controlRows, measureControl } from "./control.ts";
import { measureDebits, measurePage, prepareGrowth } from "./growth.ts";
import { measureLag } from "./lag.ts";
import { BATCH_CONNECTIONS, CONNECTIONS, LoadRunner } from "./load-runner.ts";
import { measureOpenPages, openPagesRows } from "./open-pages.ts";
import { BENCH_HELP, type BenchOptions, type Plan, parseBenchOptions } from "./options.ts";
import { findPostgres, type Postgres, startPostgres } from "./postgres.ts";
import { printProfile } from "./profile.ts";
import { markdownOf, type Row, tableOf } from "./report.ts";
import {
  billTable,
  growthRows,
  lagRows,
  latencyRow,
  singlesPerSecond,
  statementTable,
  storageRows,
  throughputRows,
} from "./rows.ts";
import { measureWatchers, watcherRows } from "./watchers.ts";

const ENTERPRISE = "bench";
const LAG_DEBITS_PER_SECOND = 500;
/** The type that statfs reports for a file system in memory. */
const TMPFS = 0x01021994;
/** Above this, the client itself may have been the bottleneck. */
const MAX_CLIENT_BUSY = 0.85;
/** The machine counts as busy above this load average per core, before the benchmark starts. */
const MAX_LOAD_PER_CORE = 0.4;

/** What to stop at the end, in reverse order. */
const cleanups: (() => Promise<unknown>)[] = [];

try {
  const options = parseBenchOptions(process.argv.slice(2));
  if (options === null) console.log(BENCH_HELP);
  else await bench(options);
} catch (error) {
  reportFailure(error);
} finally {
  for (const cleanup of cleanups.reverse()) await cleanup();
}

async function bench({
  plan,
  profile,
  watchers,
  pages,
  apart,
  control,
  bill,
  markdown,
  json,
  dir,
}: BenchOptions): Promise<void> {
  // Listeners of "exit" stop child processes and remove files, so every signal has to end in an exit.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
  const startedMs = performance.now();
  const [loadBefore = 0] = loadavg();
  const directory = mkdtempSync(join(dir ?? tmpdir(), "fuelgauge-bench-"));
  // PostgreSQL may have to run as another user, who must reach its folder inside this one.
  chmodSync(directory, 0o711);
  process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  if (statfsSync(directory).type === TMPFS) {
    notice("the state is in memory, where commits cost nothing. Name a folder on a disk with --dir.");
  }
  if (loadBefore > cpus().length * MAX_LOAD_PER_CORE) {
    notice(`other processes are busy (load ${loadBefore.toFixed(1)}): trust only the ratios.`);
  }
  const bundle = buildWorker(join(directory, "bundle"));
  if (watchers || pages) return benchReaders(plan, bundle, directory, pages);
  if (bill) {
    const { bills, storage } = await account(bundle, join(directory, "counted"));
    return console.log(`${statementTable(bills)}\n\n${billTable(bills)}\n\n${tableOf(storageRows(storage))}`);
  }
  if (apart) return benchApart(plan, bundle, directory);
  if (control) return benchControl(plan, bundle, join(directory, "state"));
  if (profile !== null) return printProfile(bundle, join(directory, "state"), profile, cleanups);

  const measured = await measure(plan, bundle, directory);
  const {
    rounds,
    latencies,
    halfLoad,
    page,
    debits,
    lag,
    watched,
    watchers: watcherRounds,
    openPages,
    control: controlRounds,
    apart: apartRounds,
    storage,
    bills,
    postgres,
  } = measured;
  const rows: Row[] = [
    ...throughputRows(rounds),
    latencyRow(latencies, halfLoad),
    ...apartRows(apartRounds),
    ...growthRows(page, debits, plan.historyRuns),
    ...lagRows(lag, watched, LAG_DEBITS_PER_SECOND),
    ...watcherRows(watcherRounds, halfLoad / 2),
    ...openPagesRows(openPages, halfLoad / 2),
    ...controlRows(controlRounds),
    ...storageRows(storage),
  ];
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  const machine = describeMachine(postgres, loadBefore);
  console.log(`\n${tableOf(rows)}\n\n${billTable(bills)}\n`);
  console.log(
    `${CONNECTIONS} connections or sockets (${BATCH_CONNECTIONS} connections for batches), ${plan.rounds} rounds, ${seconds} s. The books add up.\n${machine}`,
  );
  const busiest = Math.max(...rounds.flatMap((round) => Object.values(round).map((turn) => turn.clientBusy)));
  if (busiest > MAX_CLIENT_BUSY) {
    notice(`the client was up to ${Math.round(busiest * 100)} % busy and may have been the bottleneck.`);
  }
  if (markdown) console.log(`\n${markdownOf(rows)}\n`);
  const file = resolve(json);
  mkdirSync(dirname(file), { recursive: true });
  const result = { at: new Date().toISOString(), machine, plan, rows, measured, listPrices: LIST_PRICES };
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`Written to ${file}`);
}

async function measure(plan: Plan, bundle: string, directory: string) {
  logStep("counting rows written");
  const { bills, storage } = await account(bundle, join(directory, "counted"));

  logStep(`writing a history of ${plan.historyRuns.toLocaleString("en-US")} runs`);
  const state = join(directory, "state");
  const runtime = new Runtime(bundle, state);
  cleanups.push(() => runtime.stop());
  await runtime.start();
  await runtime.migrate();
  const historyKeys = await prepareGrowth(runtime, state, plan.historyRuns);
  const key = await runtime.provision(ENTERPRISE);
  const postgres = await tryPostgres(join(directory, "postgres"), key);

  const loads = new LoadRunner(runtime, postgres, { enterprise: ENTERPRISE, key });
  logStep("warming up");
  await loads.round(plan.measureMs / 4);
  const rounds = [];
  for (let round = 1; round <= plan.rounds; round++) {
    logStep(`round ${round} of ${plan.rounds}`);
    rounds.push(await loads.round(plan.measureMs));
  }

  logStep("measuring latency at half the speed of single debits");
  const halfLoad = singlesPerSecond(rounds) / 2;
  const latencies = [];
  for (let round = 0; round < plan.latencyRounds; round++) {
    latencies.push(await loads.latencyRound(halfLoad, plan.measureMs));
  }

  logStep("measuring with D1 in its own process");
  const apart = await measureApart(bundle, directory, plan, postgres, cleanups);
  await postgres?.stop();

  logStep("measuring pages and debits after a long history");
  await runtime.drain(ENTERPRISE);
  const page = await measurePage(runtime, plan.rounds, plan.pageRequests);
  const debits = await measureDebits(runtime, historyKeys, plan.rounds, plan.measureMs);

  logStep("measuring the projection lag");
  const lagPlan = { enterprise: ENTERPRISE, key, perSecond: LAG_DEBITS_PER_SECOND, measureMs: plan.lagMs };
  const lag = await measureLag(runtime, { ...lagPlan, watched: false });
  const watched = await measureLag(runtime, { ...lagPlan, watched: true });

  logStep("measuring debits with watchers and with a webhook receiver that never answers");
  const watchers = await measureWatchers(runtime, { ...plan, enterprise: ENTERPRISE, key, perSecond: halfLoad / 2 });

  logStep("measuring debits and starts with budgets and channels");
  const control = await measureControl(runtime, plan.rounds, plan.measureMs);

  logStep("comparing the books");
  await assertBooks(runtime);

  logStep("measuring debits with a hundred open pages");
  await runtime.stop();
  const openPages = await measureOpenPages(
    ...([bundle, join(directory, "pages"), { ...plan, perSecond: halfLoad / 2 }, stopAtEnd] as const),
  );
  return {
    openPages,
    apart,
    rounds,
    latencies,
    halfLoad,
    page,
    debits,
    lag,
    watched,
    watchers,
    control,
    storage,
    bills,
    postgres,
  };
}

/** Measures debits at a quarter of the speed that single debits reach, so that hardly any of them queue. */
async function benchReaders(plan: Plan, bundle: string, directory: string, pages: boolean): Promise<void> {
  const runtime = new Runtime(bundle, join(directory, "state"));
  stopAtEnd(runtime);
  await runtime.start();
  await runtime.migrate();
  const key = await runtime.provision(ENTERPRISE);
  const loads = new LoadRunner(runtime, null, { enterprise: ENTERPRISE, key });
  await loads.run("single", { leadMs: plan.measureMs, measureMs: plan.measureMs });
  const { perSecond: maxPerSecond } = await loads.run("single", { leadMs: plan.measureMs, measureMs: plan.measureMs });
  const perSecond = maxPerSecond / 4;
  if (pages) {
    await runtime.stop();
    const rounds = await measureOpenPages(bundle, join(directory, "pages"), { ...plan, perSecond }, stopAtEnd);
    return console.log(tableOf(openPagesRows(rounds, perSecond)));
  }
  const rounds = await measureWatchers(runtime, { ...plan, enterprise: ENTERPRISE, key, perSecond });
  await assertBooks(runtime);
  console.log(tableOf(watcherRows(rounds, perSecond)));
}

function stopAtEnd(runtime: Runtime): void {
  cleanups.push(() => runtime.stop());
}

async function benchApart(plan: Plan, bundle: string, directory: string): Promise<void> {
  const postgres = await tryPostgres(join(directory, "postgres"), "any");
  console.log(tableOf(apartRows(await measureApart(bundle, directory, plan, postgres, cleanups))));
}

async function benchControl(plan: Plan, bundle: string, directory: string): Promise<void> {
  const runtime = new Runtime(bundle, directory);
  cleanups.push(() => runtime.stop());
  await runtime.start();
  await runtime.migrate();
  console.log(tableOf(controlRows(await measureControl(runtime, plan.rounds, plan.measureMs))));
}

/** Counts rows in a separate runtime, because counting takes time. */
async function account(bundle: string, directory: string): Promise<{ bills: Bill[]; storage: StorageUse }> {
  const runtime = new Runtime(bundle, directory, { variables: { COUNT: "1" } });
  cleanups.push(() => runtime.stop());
  await runtime.start();
  await runtime.migrate();
  const bills = await countRows(runtime);
  const objectId = await (await runtime.ask("id?billed")).text();
  await runtime.stop();
  return { bills, storage: measureStorage(directory, objectId) };
}

async function tryPostgres(directory: string, key: string): Promise<Postgres | null> {
  const binaries = findPostgres();
  if (binaries === null) {
    notice("PostgreSQL (postgres, initdb) was not found; comparisons with it are skipped.");
    return null;
  }
  const postgres = await startPostgres(binaries, directory, key);
  cleanups.push(() => postgres.stop());
  return postgres;
}

/** Checks that the gauge, the sum over all meters and the copy agree. Tests run the full audit, which reads every row. */
async function assertBooks(runtime: Runtime): Promise<void> {
  await runtime.drain(ENTERPRISE);
  const [used, charged, inCopy] = [
    await runtime.usedMicros(ENTERPRISE, "gauge"),
    await runtime.usedMicros(ENTERPRISE, "charged"),
    await runtime.usedMicros(ENTERPRISE, "copied"),
  ];
  if (used !== charged || used !== inCopy) {
    throw new Error(`the books do not add up: used ${used}, charged ${charged}, in the copy ${inCopy}`);
  }
}

function describeMachine(postgres: Postgres | null, loadBefore: number): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const database = postgres === null ? "no PostgreSQL" : `PostgreSQL ${postgres.version}`;
  const hardware = `${cpus().length} cores (${cpu?.model.trim()}), ${memory} GB, ${process.platform}`;
  return `${hardware}, load ${loadBefore.toFixed(1)} at the start; Node ${process.versions.node}, ${database}`;
}

function notice(text: string): void {
  console.error(`Notice: ${text}`);
}

function logStep(step: string): void {
  console.error(`· ${step} …`);
}
