/**
 * An agent that receives a token of a model's stream every 10 ms and reports after each. It runs as its own process, and
 * continues from its file of totals after it was killed. It prints how long the client held up each token: it looks every
 * millisecond for how long its thread has worked or waited in a call. Time in which other processes ran does not count.
 */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { createFuelgauge } from "../../../packages/client/src/fuelgauge.ts";
import { BusyWatch, CpuWatch } from "./thread-watch.ts";

const { FUELGAUGE_URL = "", ENTERPRISE = "", KEY = "", RUN = "", TOTALS = "", CLOCK_AHEAD_MS = "0" } = process.env;
const TOKENS = 150;
const TICKS_PER_TOKEN = 9;
const MODEL = "gpt-5";

const realNow = Date.now;
Date.now = () => realNow() + Number(CLOCK_AHEAD_MS);

const fuelgauge = createFuelgauge({
  url: FUELGAUGE_URL,
  enterprise: ENTERPRISE,
  key: KEY,
  startLimitMs: 400,
  whenUnreachable: { policy: "open", maxRuns: 10, maxUnreported: 1e12 },
});
const totals = existsSync(TOTALS) ? JSON.parse(readFileSync(TOTALS, "utf8")) : {};
const started = await fuelgauge.startRun({
  run: RUN,
  surface: "cli",
  workspace: "w1",
  user: "u1",
  totals,
  // A kill in the middle must not leave half a file.
  keep: (kept) => {
    writeFileSync(`${TOTALS}.new`, JSON.stringify(kept));
    renameSync(`${TOTALS}.new`, TOTALS);
  },
});
if (!started.admitted) throw new Error(started.refusal.detail);
const { run } = started;

// An agent has called its model's provider before, so Node has loaded its HTTP client. No provider answers here.
await fetch("http://127.0.0.1:9").catch(() => {});

/** How long each token was held up: the longest time in which the thread could not have received it, in ms. */
const heldUpMs: number[] = [];
const cpu = new CpuWatch();
const busy = new BusyWatch();
for (let token = (totals[MODEL]?.output_tokens ?? 0) / 10 + 1; token <= TOKENS; token++) {
  cpu.computedMs();
  run.report(MODEL, { input_tokens: 100, output_tokens: token * 10 });
  let longestMs = cpu.computedMs();
  for (let tick = 0; tick < TICKS_PER_TOKEN; tick++) {
    await new Promise((next) => setTimeout(next, 1));
    longestMs = Math.max(longestMs, cpu.computedMs());
  }
  heldUpMs.push(Math.max(longestMs, busy.busyMs()));
  if (token === 50) console.log("half");
}
const finished = await run.finish({ waitMs: 180_000 });
fuelgauge.close();
console.log(JSON.stringify({ ...finished, action: run.state.action, heldUpMs }));
