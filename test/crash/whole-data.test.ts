// The process is killed while an enterprise is deleted and while a person is erased. Both must be completed after the
// restart, and no table of the object or the copy may return a trace.
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { databaseOfCopy, databaseOfObject } from "../../tools/workerd/database-files.ts";
import { bearer, HttpConnection, requestBytes } from "../../tools/workerd/http-connection.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { auditViolations } from "./enterprise.ts";

const RUNS = 6_000;
const BATCH = 500;
const NOON = "2026-03-10T12:00:00.000Z";
const ADA = "ada-who-leaves";
const KILLS_AFTER_MS = [5, 60, 250];
const LATE_WRITES_MS = 36_000;

let directory: string;
let runtime: Runtime;
/** The object of the enterprise that stays while the other one is deleted. The first test that needs it fills it. */
let stayingId: Promise<string> | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "fuelgauge-whole-data-"));
  runtime = new Runtime(await builtWorker(), join(directory, "state"), { movableClock: true });
  await runtime.start();
  await runtime.migrate();
});

afterAll(async () => {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

it("completes the deletion of an enterprise", { timeout: 600_000 }, async () => {
  const objectId = await fill("leaving");
  stayingId ??= fill("staying");
  await stayingId;
  const { job } = (await runtime.call("DELETE", "/v1/enterprises/leaving?confirm=leaving")) as { job: string };
  await killOnTheWay();
  await endOf(job, "leaving");
  await runtime.stop();
  expect(rowsWith(databaseOfCopy(join(directory, "state")), "leaving")).toEqual([]);
  const file = databaseOfObject(join(directory, "state"), objectId);
  expect(existsSync(file) ? rowsWith(file, "leaving") : []).toEqual([]);
  await runtime.start();
  expect(await auditViolations(runtime, "staying")).toEqual([]);
});

it("completes the erasure of a person", { timeout: 600_000 }, async () => {
  stayingId ??= fill("staying");
  const objectId = await stayingId;
  const { job } = (await runtime.call("POST", `/v1/enterprises/staying/users/${ADA}/erase`)) as { job: string };
  await killOnTheWay();
  await endOf(job, "staying");
  expect(await auditViolations(runtime, "staying")).toEqual([]);
  await runtime.stop();
  const inCopy = rowsWith(databaseOfCopy(join(directory, "state")), ADA);
  expect(inCopy.filter((row) => row.includes("staying"))).toEqual([]);
  expect(rowsWith(databaseOfObject(join(directory, "state"), objectId), ADA)).toEqual([]);
  await runtime.start();
});

async function killOnTheWay(): Promise<void> {
  for (const afterMs of KILLS_AFTER_MS) {
    await sleep(afterMs);
    await runtime.kill();
    await runtime.start();
  }
}

/** Creates an enterprise whose runs are half of Ada, and waits until the copy has them. Returns the id of its object. */
async function fill(id: string): Promise<string> {
  const path = `/v1/enterprises/${id}`;
  await runtime.call("PUT", path, { name: id, billing_model: "credits", plan: "enterprise", test_clock: NOON });
  await runtime.call("PUT", `${path}/directory`, { users: [{ id: ADA, name: "Ada Lovelace" }] });
  const { key } = (await runtime.call("POST", `${path}/keys`, { name: "agents", scopes: ["debit"] })) as {
    key: string;
  };
  const connection = await HttpConnection.open(runtime.port);
  for (let from = 0; from < RUNS; from += BATCH) {
    const reports = Array.from({ length: BATCH }, (_, i) => ({
      ...{ run: `run-${from + i}`, model: "claude-sonnet-4-5", surface: "cli", workspace: `w${i % 20}` },
      ...{ user: i % 2 === 0 ? ADA : "bob", started_at: NOON, usage: { input_tokens: 100, output_tokens: 1 } },
    }));
    await connection.send(requestBytes("POST", `${path}/debits`, bearer(key), JSON.stringify({ reports })));
  }
  connection.close();
  await expect
    .poll(async () => ((await runtime.call("GET", `${path}/audit`)) as { ok?: boolean }).ok, {
      timeout: 120_000,
      interval: 500,
    })
    .toBe(true);
  return (await runtime.ask(`id?${id}`)).text();
}

/** Waits until the job is done. After a crash, it waits for writes that D1 may still have under way. */
async function endOf(job: string, enterprise: string): Promise<void> {
  const state = async () => {
    await runtime.moveClock(LATE_WRITES_MS, enterprise);
    return ((await runtime.call("GET", `/v1/jobs/${job}`)) as { state: string }).state;
  };
  await expect.poll(state, { timeout: 300_000, interval: 500 }).toBe("done");
}

/** The rows of all tables of a database that contain this text. */
function rowsWith(file: string, text: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB '_cf*'")
      .all();
    return tables.flatMap(({ name }) =>
      database
        .prepare(`SELECT * FROM "${name}"`)
        .all()
        .map((row) => `${name} ${JSON.stringify(row)}`)
        .filter((row) => row.includes(text)),
    );
  } finally {
    database.close();
  }
}
