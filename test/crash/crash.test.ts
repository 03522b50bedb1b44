// Kills the process of the built Worker while dozens of clients report. Everything that was answered must be there after
// the crash. FUELGAUGE_SEED chooses other moments, FUELGAUGE_CRASH_KILLS the number of kills.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";
import { builtWorker } from "../support/built-worker.ts";
import { CrashSession } from "./crash-session.ts";

const SEED = Number(process.env.FUELGAUGE_SEED ?? 1);
const KILLS = Number(process.env.FUELGAUGE_CRASH_KILLS ?? 4);
const KILL_TIMEOUT_MS = 180_000;

it(`loses no answered report and charges nothing twice when killed ${KILLS} times`, {
  timeout: (KILLS + 1) * KILL_TIMEOUT_MS,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "fuelgauge-crash-"));
  try {
    const session = new CrashSession(await builtWorker(), join(directory, "state"), SEED);
    const { kills, acknowledged, moments, violations } = await session.run(() => session.crashes.kills >= KILLS);
    console.log(`seed ${SEED}: ${kills} kills, ${acknowledged} reports answered, ${JSON.stringify(moments)}`);
    expect(violations).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    expect(acknowledged).toBeGreaterThan(100);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
