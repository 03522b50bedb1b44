// `node tools/run.mjs bench/batch-cost.ts`: measures how long D1 takes for one batch of the projection, usage cube
// included, with as many runs in the batch as the arguments say, and how many bytes each table has for a run.
// docs/scale.md has the results.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { buildWorker } from "../workerd/build.ts";
import { databaseOfCopy, databaseOfObject } from "../workerd/database-files.ts";
import { bearer, HttpConnection, requestBytes } from "../workerd/http-connection.ts";
import { Runtime } from "../workerd/runtime.ts";
import { percentile } from "./stats.ts";
import { Reporter } from "./workload.ts";

const ENTERPRISE = "batches";
const BATCHES = 30;
const WARM_UP = 5;
const given = process.argv.slice(2).map(Number);
const sizes = given.length === 0 ? [1, 10, 100, 1_000] : given;
if (sizes.some((runs) => !Number.isInteger(runs) || runs < 1 || runs > 1_000)) {
  console.error("Give the numbers of runs in a batch, each from 1 to 1000.");
  process.exit(1);
}

type Counts = { d1Ms: number; d1Batches: number; d1RowsWritten: number };
/** `cpuMs`: the CPU time of taking the batch in the object and writing it in D1, which other work on the machine hardly changes. */
type Measured = Counts & { cpuMs: number };

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-batches-"));
const state = join(directory, "state");
const runtime = new Runtime(buildWorker(join(directory, "bundle")), state, { variables: { COUNT: "1" } });
try {
  await runtime.start();
  await runtime.migrate();
  const key = await runtime.provision(ENTERPRISE);
  const connection = await HttpConnection.open(runtime.port);
  const takeCounts = async () => (await runtime.ask(`counts?${ENTERPRISE}`)).json() as Promise<Counts>;
  console.log("runs in a batch   D1 p50 ms   D1 p99 ms   CPU p50 ms   rows written");
  for (const runs of sizes) {
    const reporter = new Reporter(`of-${runs}`, runs);
    const measured: Measured[] = [];
    for (let i = 0; i < WARM_UP + BATCHES; i++) {
      const headers = bearer(key);
      await connection.send(
        requestBytes("POST", `/v1/enterprises/${ENTERPRISE}/debits`, headers, reporter.nextBatch(runs)),
      );
      const beforeMs = runtime.cpuMs() ?? Number.NaN;
      const counts = await takeCounts();
      const cpuMs = (runtime.cpuMs() ?? Number.NaN) - beforeMs;
      if (i >= WARM_UP) measured.push({ ...counts, cpuMs });
    }
    const ms = measured.map(({ d1Ms, d1Batches }) => d1Ms / Math.max(1, d1Batches));
    const rows = measured.reduce((sum, { d1RowsWritten }) => sum + d1RowsWritten, 0) / measured.length;
    const cpuMs = percentile(
      measured.map((batch) => batch.cpuMs),
      50,
    );
    const times = [percentile(ms, 50), percentile(ms, 99), cpuMs].map((value) => value.toFixed(1));
    const shown = [runs, ...times, Math.round(rows)];
    console.log(shown.map((value, i) => String(value).padStart([15, 12, 12, 13, 15][i] as number)).join(""));
  }
  connection.close();
  const objectId = await (await runtime.ask(`id?${ENTERPRISE}`)).text();
  await runtime.stop();
  printSizes("the copy", databaseOfCopy(state));
  printSizes("the object", databaseOfObject(state, objectId));
} finally {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function printSizes(what: string, file: string): void {
  const database = new DatabaseSync(file, { readOnly: true });
  const rowsIn = (table: string) => Number(database.prepare(`SELECT count(*) AS n FROM "${table}"`).get()?.n);
  const runs = rowsIn("runs");
  const tables = database
    .prepare(
      `SELECT m.tbl_name AS name, sum(s.pgsize) AS bytes FROM dbstat AS s JOIN sqlite_master AS m ON m.name = s.name
        GROUP BY m.tbl_name ORDER BY bytes DESC`,
    )
    .all();
  console.log(`\n${what}: bytes per run, indexes included, after ${runs} runs`);
  for (const { name, bytes } of tables) {
    const perRun = Number(bytes) / runs;
    if (perRun < 5) continue;
    console.log(`${String(name).padEnd(20)}${perRun.toFixed(0).padStart(6)}   ${rowsIn(String(name))} rows`);
  }
  database.close();
}
