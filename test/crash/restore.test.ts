// An enterprise is taken back twice while agents report, and the process is killed at random moments. What was revoked,
// signed out, used or erased since then stays so, seq never falls, and the copy is rebuilt. workerd has no recovery, so
// tools/workerd/recovery.js provides one. FUELGAUGE_RESTORE_KILLS sets the number of kills of each restore.
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { seededRandom, wholeBetween } from "../../tools/kit/random.ts";
import { databaseOfCopy, databaseOfObject } from "../../tools/workerd/database-files.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { auditViolations } from "./enterprise.ts";
import { MICROS_PER_TOKEN, RestoredTraffic } from "./restored-traffic.ts";

const KILLS = Number(process.env.FUELGAUGE_RESTORE_KILLS ?? 3);
const SEED = process.env.FUELGAUGE_SEED ?? "restore";
const TIMEOUT_MS = 300_000 + KILLS * 60_000;
const PATH = "/v1/enterprises/traveller";
const ADA = "ada-who-leaves";
const MAX_UPTIME_MS = 600;
/** A restore begins a minute after it was asked for. */
const BEGINS_AFTER_MS = 61_000;
/** After a crash, an erasure waits this long for writes that D1 may still have under way. */
const LATE_WRITES_MS = 36_000;

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-restore-"));
const state = join(directory, "state");
const random = seededRandom(SEED);
let runtime: Runtime;

beforeAll(async () => {
  runtime = new Runtime(await builtWorker(), state, {
    variables: { RECOVERY: "1" },
    movableClock: true,
  });
  await runtime.start();
  await runtime.migrate();
});

afterAll(async () => {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

// biome-ignore lint/suspicious/noExplicitAny: the shapes of answers are what is under test
const call = (method: string, path: string, body?: unknown): Promise<any> => runtime.call(method, path, body);

async function makeKey(name: string): Promise<{ id: string; key: string }> {
  return call("POST", `${PATH}/keys`, { name, scopes: ["debit", "read"] });
}

async function statusWith(headers: Record<string, string>): Promise<number> {
  return (await fetch(`http://127.0.0.1:${runtime.port}${PATH}/gauge`, { headers })).status;
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

/** Uses a sign-in link as the button of its page does. Returns whether it signed somebody in. */
async function useLink(url: string): Promise<boolean> {
  const base = `http://127.0.0.1:${runtime.port}`;
  const body = new URLSearchParams({ token: new URL(url).searchParams.get("token") ?? "" });
  const response = await fetch(`${base}/signin`, {
    method: "POST",
    body,
    redirect: "manual",
    headers: { origin: base },
  });
  return response.headers.get("set-cookie") !== null;
}

async function report(run: string, user: string, tokens: number): Promise<void> {
  const usage = { input_tokens: 0, output_tokens: tokens };
  const attribution = { surface: "web", workspace: "w1", user, started_at: new Date().toISOString() };
  await call("POST", `${PATH}/debits`, { run, model: "gpt-5", usage, ...attribution });
}

/** The states of restores in which the process was killed. */
const killedIn: Record<string, number> = {};

/** Kills the process again and again until the job has ended. Returns its record. */
async function restoreTo(atMs: number): Promise<{ state: string; detail: string }> {
  const { job } = await call("POST", `${PATH}/restore`, { at: new Date(atMs).toISOString() });
  await runtime.moveClock(BEGINS_AFTER_MS, "traveller");
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(wholeBetween(random, 0, MAX_UPTIME_MS));
    await runtime.kill();
    const found = stateOnDisk();
    killedIn[found] = (killedIn[found] ?? 0) + 1;
    await runtime.start();
  }
  const ended = async () => {
    const record = await call("GET", `/v1/jobs/${job}`);
    return record.state === "running" ? null : record;
  };
  while ((await ended()) === null) {
    await sleep(200);
    await runtime.moveClock(LATE_WRITES_MS, "traveller");
  }
  return ended();
}

/** The state of the restore that a killed process has left in the catalog. */
function stateOnDisk(): string {
  const folder = join(state, "do", "fuelgauge-CatalogObject");
  const file = readdirSync(folder).find((name) => /^[0-9a-f]{64}\.sqlite$/.test(name)) as string;
  const database = new DatabaseSync(join(folder, file), { readOnly: true });
  try {
    return String(database.prepare("SELECT state FROM restores").get()?.state ?? "ended");
  } finally {
    database.close();
  }
}

it("leaves ended what was ended since then, however often the process is killed", {
  timeout: TIMEOUT_MS,
}, async () => {
  await call("PUT", PATH, { name: "Traveller", billing_model: "credits", plan: "enterprise" });
  await call("PUT", `${PATH}/directory`, { users: [{ id: ADA, name: "Ada Lovelace" }] });
  const [kept, revoked] = [await makeKey("kept"), await makeKey("to be revoked")];
  const signedOutCookie = await runtime.cookie("traveller");
  const { url: usedLink } = await call("POST", `${PATH}/sessions`, { user: "linda", role: "admin" });
  for (let run = 0; run < 40; run++) await report(`first-${run}`, run % 2 === 0 ? ADA : "bob", 1_000);
  const first = Number(await (await runtime.ask("snapshot?traveller")).text());
  for (let run = 0; run < 20; run++) await report(`second-${run}`, ADA, 1_000);
  const second = Number(await (await runtime.ask("snapshot?traveller")).text());

  expect([await statusWith(bearer(revoked.key)), await statusWith({ cookie: signedOutCookie })]).toEqual([200, 200]);
  const since = await makeKey("made since");
  await call("DELETE", `${PATH}/keys/${revoked.id}`);
  await call("POST", `${PATH}/users/bench/sign-out`);
  expect(await useLink(usedLink)).toBe(true);
  await report("undone", "bob", 1_000);
  await call("POST", `${PATH}/grants`, { id: "undone", amount_micros: 5, source: "goodwill" });
  const { job } = await call("POST", `${PATH}/users/${ADA}/erase`);
  await expect.poll(async () => (await call("GET", `/v1/jobs/${job}`)).state).toBe("done");

  const traffic = new RestoredTraffic(runtime, PATH, kept.key, {
    revokedKey: revoked.key,
    signedOutCookie,
    erased: ADA,
  });
  for (const [atMs, runsBefore] of [
    [second, 60],
    [first, 40],
  ] as const) {
    const working = traffic.work();
    await sleep(200);
    expect(await restoreTo(atMs)).toMatchObject({ state: "done" });
    // Isolates read the list of what is being restored every 30 seconds.
    await runtime.moveClock(31_000, "traveller");
    await sleep(200);
    traffic.stop();
    await working;
    const expected = (await traffic.reportAll()) + runsBefore * 1_000 * MICROS_PER_TOKEN;
    expect(traffic.wrong).toEqual([]);
    expect((await call("GET", `${PATH}/gauge`)).used_micros).toBe(expected);
    expect(await auditViolations(runtime, "traveller")).toEqual([]);
    const grants = (await call("GET", `${PATH}/grants`)).rows;
    expect(grants).toEqual([]);
  }
  expect(await statusWith(bearer(since.key))).toBe(200);
  expect(await statusWith(bearer(revoked.key))).toBe(401);
  expect(await statusWith({ cookie: signedOutCookie })).toBe(401);
  expect(await useLink(usedLink)).toBe(false);
  console.info(`killed in ${JSON.stringify(killedIn)}, answers ${JSON.stringify(traffic.answers)}`);

  const objectId = await (await runtime.ask("id?traveller")).text();
  await runtime.stop();
  const found = [databaseOfCopy(state), databaseOfObject(state, objectId)].flatMap(rowsWithAda);
  expect(found).toEqual([]);
});

/** The rows of all tables that name the erased person, except for the snapshots. */
function rowsWithAda(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  const own = "type = 'table' AND name NOT GLOB '_cf*' AND name NOT GLOB 'recovery_*'";
  const tables = database.prepare(`SELECT name FROM sqlite_master WHERE ${own}`).all();
  const rows = tables.flatMap(({ name }) =>
    database
      .prepare(`SELECT * FROM "${name}"`)
      .all()
      .map((row) => `${name} ${JSON.stringify(row)}`),
  );
  database.close();
  return rows.filter((row) => row.includes(ADA) || row.includes("Lovelace"));
}
