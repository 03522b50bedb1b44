// `npm run bench`: the table of QUALITY, measured with the built Worker on workerd itself, state on a disk and D1
// included, by a client on the same machine. Each row is a ratio that was measured in turns. Speed never fails it;
// a wrong answer or books that do not add up do.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { cpus, loadavg, tmpdir, totalmem } from "node:os";
import { dirname, join, resolve } from "node:path";
import { reportFailure } from "../kit/failures.mjs";
import { type Bill, countRows, LIST_PRICES, measureStorage, type StorageUse } from "./accounting.ts";
import { measureDebits, measurePages, prepareGrowth } from "./growth.ts";
import { measureLag } from "./lag.ts";
import { BENCH_HELP, type BenchOptions, type Plan, parseBenchOptions } from "./options.ts";
import { findPostgres, type Postgres, startPostgres } from "./postgres.ts";
import { printProfile } from "./profile.ts";
import { type Row, tableOf } from "./report.ts";
import { BATCH_CONNECTIONS, CONNECTIONS, Contest } from "./rounds.ts";
import { billTable, growthRows, lagRows, latencyRow, singlesPerSecond, storageRows, throughputRows } from "./rows.ts";
import { buildWorker, Runtime } from "./runtime.ts";
import { measureOnlookers, onlookerRows } from "./watchers.ts";

const ENTERPRISE = "bench";
const LAG_DEBITS_PER_SECOND = 500;
const TMPFS = 0x01021994;
/** A client this busy may have been what was slow. */
const CLIENT_TOO_BUSY = 0.85;
/** A load average of so much per core, before anything of ours runs. */
const BUSY_LOAD = 0.4;

/** What has to be stopped in good order, last made first. */
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

async function bench({ plan, profile, watchers, json, dir }: BenchOptions): Promise<void> {
  // However this process ends, what it has started and written goes with it: see the listeners of "exit".
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
  const startedMs = performance.now();
  const [loadBefore = 0] = loadavg();
  const directory = mkdtempSync(join(dir ?? tmpdir(), "fuelgauge-bench-"));
  // PostgreSQL may have to run as another user, who must get through to its own directory in here.
  chmodSync(directory, 0o711);
  process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  if (statfsSync(directory).type === TMPFS) {
    notice("the state lies in memory, where commits cost nothing. Name a directory on a disk with --dir.");
  }
  if (loadBefore > cpus().length * BUSY_LOAD) {
    notice(`other processes are busy (load ${loadBefore.toFixed(1)}): only what is measured in turns says something.`);
  }
  const bundle = buildWorker(join(directory, "bundle"));
  if (watchers) return benchWatchers(plan, bundle, join(directory, "state"));
  if (profile !== null) return printProfile(bundle, join(directory, "state"), profile, cleanups);

  const measured = await measure(plan, bundle, directory);
  const { rounds, latencies, halfLoad, pages, debits, lag, watched, onlookers, storage, bills, postgres } = measured;
  const rows: Row[] = [
    ...throughputRows(rounds),
    latencyRow(latencies, halfLoad),
    ...growthRows(pages, debits, plan.historyRuns),
    ...lagRows(lag, watched, LAG_DEBITS_PER_SECOND),
    ...onlookerRows(onlookers, halfLoad / 2),
    ...storageRows(storage),
  ];
  const seconds = Math.round((performance.now() - startedMs) / 1000);
  const machine = describeMachine(postgres, loadBefore);
  console.log(`\n${tableOf(rows)}\n\n${billTable(bills)}\n`);
  console.log(
    `${CONNECTIONS} connections or sockets (${BATCH_CONNECTIONS} for batches), ${plan.rounds} rounds, ${seconds} s. The books add up.\n${machine}`,
  );
  const busiest = Math.max(...rounds.flatMap((round) => Object.values(round).map((turn) => turn.clientBusy)));
  if (busiest > CLIENT_TOO_BUSY) {
    notice(`the client was ${Math.round(busiest * 100)} % busy at times and may have been the bottleneck.`);
  }
  const file = resolve(json);
  mkdirSync(dirname(file), { recursive: true });
  const result = { at: new Date().toISOString(), machine, plan, rows, measured, listPrices: LIST_PRICES };
  writeFileSync(file, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`Written to ${file}`);
}

async function measure(plan: Plan, bundle: string, directory: string) {
  say("counting rows written");
  const { bills, storage } = await account(bundle, join(directory, "counted"));

  say(`writing the history of ${plan.historyRuns.toLocaleString("en-US")} runs`);
  const state = join(directory, "state");
  const runtime = new Runtime(bundle, state);
  cleanups.push(() => runtime.stop());
  await runtime.start();
  await runtime.migrate();
  const grownKeys = await prepareGrowth(runtime, state, plan.historyRuns);
  const key = await runtime.provision(ENTERPRISE);
  const postgres = await tryPostgres(join(directory, "postgres"), key);

  const contest = new Contest(runtime, postgres, { enterprise: ENTERPRISE, key });
  say("warming up");
  await contest.round(plan.measureMs / 4);
  const rounds = [];
  for (let round = 1; round <= plan.rounds; round++) {
    say(`round ${round} of ${plan.rounds}`);
    rounds.push(await contest.round(plan.measureMs));
  }
  await postgres?.stop();

  say("latency at half the load");
  const halfLoad = singlesPerSecond(rounds) / 2;
  const latencies = [];
  for (let round = 0; round < plan.latencyRounds; round++) {
    latencies.push(await contest.latencyRound(halfLoad, plan.measureMs));
  }

  say("pages and debits after much history");
  await runtime.drain(ENTERPRISE);
  const pages = await measurePages(runtime, plan.rounds, plan.pageRequests);
  const debits = await measureDebits(runtime, grownKeys, plan.rounds, plan.measureMs);

  say("projection lag");
  const lagPlan = { enterprise: ENTERPRISE, key, perSecond: LAG_DEBITS_PER_SECOND, measureMs: plan.lagMs };
  const lag = await measureLag(runtime, { ...lagPlan, watched: false });
  const watched = await measureLag(runtime, { ...lagPlan, watched: true });

  say("watchers and a silent receiver of webhooks");
  const onlookers = await measureOnlookers(runtime, { ...plan, enterprise: ENTERPRISE, key, perSecond: halfLoad / 2 });

  say("comparing the books");
  await assertBooks(runtime);
  return { rounds, latencies, halfLoad, pages, debits, lag, watched, onlookers, storage, bills, postgres };
}

/** At a quarter of what single debits reach: latency without much of a queue. */
async function benchWatchers(plan: Plan, bundle: string, directory: string): Promise<void> {
  const runtime = new Runtime(bundle, directory);
  cleanups.push(() => runtime.stop());
  await runtime.start();
  await runtime.migrate();
  const key = await runtime.provision(ENTERPRISE);
  const contest = new Contest(runtime, null, { enterprise: ENTERPRISE, key });
  await contest.run("single", { leadMs: plan.measureMs, measureMs: plan.measureMs });
  const { perSecond: full } = await contest.run("single", { leadMs: plan.measureMs, measureMs: plan.measureMs });
  const perSecond = full / 4;
  const rounds = await measureOnlookers(runtime, { ...plan, enterprise: ENTERPRISE, key, perSecond });
  await assertBooks(runtime);
  console.log(tableOf(onlookerRows(rounds, perSecond)));
}

/** A runtime of its own that counts, because counting takes time. */
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
    notice("no PostgreSQL was found (postgres, initdb); the rows against it are skipped.");
    return null;
  }
  const postgres = await startPostgres(binaries, directory, key);
  cleanups.push(() => postgres.stop());
  return postgres;
}

/** The gauge, the sum over all meters and the copy must agree. The whole audit is for tests: it reads every row. */
async function assertBooks(runtime: Runtime): Promise<void> {
  await runtime.drain(ENTERPRISE);
  const [used, charged, copied] = [
    await runtime.usedMicros(ENTERPRISE, "gauge"),
    await runtime.usedMicros(ENTERPRISE, "charged"),
    await runtime.usedMicros(ENTERPRISE, "copied"),
  ];
  if (used !== charged || used !== copied) {
    throw new Error(`the books do not add up: used ${used}, charged ${charged}, in the copy ${copied}`);
  }
}

function describeMachine(postgres: Postgres | null, loadBefore: number): string {
  const [cpu] = cpus();
  const memory = Math.round(totalmem() / 2 ** 30);
  const database = postgres === null ? "no PostgreSQL" : `PostgreSQL ${postgres.version}`;
  const hardware = `${cpus().length} cores (${cpu?.model.trim()}), ${memory} GB, ${process.platform}`;
  return `${hardware}, load ${loadBefore.toFixed(1)} before; Node ${process.versions.node}, ${database}`;
}

function notice(what: string): void {
  console.error(`Notice: ${what}`);
}

function say(what: string): void {
  console.error(`· ${what} …`);
}
