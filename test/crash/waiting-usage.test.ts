// Thousands of meters wait for a price in objects that are asleep. The price comes, and the process is killed while the
// catalog notifies the objects and while they charge. FUELGAUGE_WAITING_METERS chooses how many.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { bearer, HttpConnection, requestBytes } from "../../tools/workerd/http-connection.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { auditViolations } from "./enterprise.ts";

const METERS = Number(process.env.FUELGAUGE_WAITING_METERS ?? 3_000);
const BATCH = 500;
const SMALL = 3;
/** On a quiet machine, it takes a few seconds. */
const MAX_PRICED_MS = 240_000;
const NOON = "2026-03-10T12:00:00.000Z";
const KILLS_AFTER_MS = [30, 150, 400];

it(`prices ${METERS} waiting meters exactly, across crashes, in objects that were asleep`, {
  timeout: 600_000 + METERS * 10,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "fuelgauge-waiting-"));
  const runtime = new Runtime(await builtWorker(), join(directory, "state"));
  const sizes = [METERS, ...new Array<number>(SMALL).fill(10)];
  const enterprises = sizes.map((meters, i) => ({ id: `waiting-${i}`, meters }));
  try {
    await runtime.start();
    await runtime.migrate();
    for (const { id, meters } of enterprises) await createWaiting(runtime, id, meters);
    const waiting = METERS + SMALL * 10;
    await expect.poll(() => unpricedMeters(runtime), { timeout: 120_000, interval: 500 }).toBe(waiting);
    // After a restart every object is asleep.
    await runtime.kill();
    await runtime.start();
    const startedMs = performance.now();
    const entry = { id: "maker/new-model", aliases: ["new-model"], input: "1.3", output: "0.7" };
    await runtime.call("PATCH", "/v1/price-book", { models: [entry] });
    for (const afterMs of KILLS_AFTER_MS) {
      await sleep(afterMs);
      await runtime.kill();
      await runtime.start();
    }
    for (const { id, meters } of enterprises) {
      await expect
        .poll(async () => (await gauge(runtime, id)).used_micros, { timeout: MAX_PRICED_MS, interval: 200 })
        .toBe(chargeOf(meters));
    }
    const pricedMs = performance.now() - startedMs;
    console.log(`${METERS} meters priced within ${Math.round(pricedMs)} ms, ${KILLS_AFTER_MS.length} kills included`);
    expect(pricedMs).toBeLessThan(MAX_PRICED_MS);
    for (const { id } of enterprises) expect(await auditViolations(runtime, id)).toEqual([]);
    await expect.poll(() => unpricedMeters(runtime), { timeout: 120_000, interval: 500 }).toBe(0);
  } finally {
    await runtime.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});

const inputOf = (n: number) => 3 * n + 1;

/** What all meters cost in micro-credits. 1.3 micro-USD a token, 100 credits per dollar. */
function chargeOf(meters: number): number {
  let micros = 0;
  for (let n = 0; n < meters; n++) micros += inputOf(n) * 130;
  return micros;
}

async function createWaiting(runtime: Runtime, id: string, meters: number): Promise<void> {
  const path = `/v1/enterprises/${id}`;
  const settings = { name: id, billing_model: "credits", plan: "enterprise", test_clock: NOON };
  await runtime.call("PUT", path, settings);
  const { key } = (await runtime.call("POST", `${path}/keys`, { name: "agents", scopes: ["debit"] })) as {
    key: string;
  };
  const connection = await HttpConnection.open(runtime.port);
  for (let from = 0; from < meters; from += BATCH) {
    const reports = Array.from({ length: Math.min(BATCH, meters - from) }, (_, i) => ({
      ...{ run: `run-${from + i}`, model: "new-model", surface: "cli", workspace: "w", user: "u", started_at: NOON },
      usage: { input_tokens: inputOf(from + i), output_tokens: 0 },
      final: (from + i) % 2 === 0,
    }));
    await connection.send(requestBytes("POST", `${path}/debits`, bearer(key), JSON.stringify({ reports })));
  }
  connection.close();
}

async function gauge(runtime: Runtime, id: string): Promise<{ used_micros: number }> {
  return (await runtime.call("GET", `/v1/enterprises/${id}/gauge`)) as { used_micros: number };
}

async function unpricedMeters(runtime: Runtime): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${runtime.port}/metrics`, { headers: bearer(runtime.operatorKey) });
  return Number(/^fuelgauge_unpriced_meters (\d+)$/m.exec(await response.text())?.[1]);
}
