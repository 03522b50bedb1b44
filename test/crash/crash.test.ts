// Invariant J2: what was answered is there after any crash. Dozens of clients work on the built Worker, and its process
// is killed; FUELGAUGE_SEED draws other moments, FUELGAUGE_CRASH_KILLS more of them.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";
import { buildWorker } from "../../tools/bench/runtime.ts";
import { CrashSession } from "./crash.ts";

const SEED = Number(process.env.FUELGAUGE_SEED ?? 1);
const KILLS = Number(process.env.FUELGAUGE_CRASH_KILLS ?? 4);
const KILL_TIMEOUT_MS = 60_000;

it(`loses nothing that was answered and charges nothing twice, killed ${KILLS} times`, {
  timeout: (KILLS + 1) * KILL_TIMEOUT_MS,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "fuelgauge-crash-"));
  try {
    const session = new CrashSession(buildWorker(join(directory, "bundle")), join(directory, "state"), SEED);
    const { kills, acknowledged, moments, faults } = await session.run(() => session.crashes.kills >= KILLS);
    console.log(`seed ${SEED}: ${kills} kills, ${acknowledged} reports answered, ${JSON.stringify(moments)}`);
    expect(faults).toEqual([]);
    expect(kills).toBeGreaterThanOrEqual(KILLS);
    expect(acknowledged).toBeGreaterThan(100);
  } finally {
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});
