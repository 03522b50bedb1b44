// One worker of a campaign (tools/campaign/campaign.ts): runs crash sessions, each in a new folder, until its time is up.
// Prints violations at once, and at the end one line of JSON with the sums. Arguments: seconds, first seed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Crashed } from "../../tools/campaign/figures.ts";
import { buildWorker } from "../../tools/workerd/build.ts";
import { type Crashes, CrashSession } from "./crash-session.ts";

const KILLS_PER_SESSION = 30;

const [seconds = 60, firstSeed = 1] = process.argv.slice(2).map(Number);
const deadlineMs = performance.now() + seconds * 1_000;
const directory = mkdtempSync(join(tmpdir(), "fuelgauge-crash-"));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));

const bundle = buildWorker(join(directory, "bundle"));
const sum: Crashed = {
  ...{ sessions: 0, kills: 0, acknowledged: 0, lost: 0, doubled: 0, resumedMs: 0 },
  ...{ moments: {}, violations: [] },
};
for (let seed = firstSeed; performance.now() < deadlineMs; seed++) await runSession(seed);
process.stdout.write(`${JSON.stringify(sum)}\n`);

async function runSession(seed: number): Promise<void> {
  const state = join(directory, `session-${seed}`);
  const session = new CrashSession(bundle, state, seed);
  const done = () => performance.now() >= deadlineMs || session.crashes.kills >= KILLS_PER_SESSION;
  try {
    await session.run(done);
  } catch (error) {
    session.crashes.violations.push({ kind: "wrong", what: String((error as Error).stack) });
  }
  add(seed, session.crashes);
  process.stderr.write(`· crash: ${sum.kills} kills, ${sum.acknowledged} acknowledged reports\n`);
  rmSync(state, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

function add(seed: number, { kills, acknowledged, resumedMs, moments, violations }: Crashes): void {
  sum.sessions += 1;
  sum.kills += kills;
  sum.acknowledged += acknowledged;
  sum.resumedMs = Math.max(sum.resumedMs, resumedMs);
  for (const [moment, count] of Object.entries(moments)) {
    sum.moments[moment] = (sum.moments[moment] ?? 0) + count;
  }
  sum.lost += violations.filter(({ kind }) => kind === "lost").length;
  sum.doubled += violations.filter(({ kind }) => kind === "doubled").length;
  for (const { what } of violations) {
    sum.violations.push(`crash: seed ${seed}, after ${kills} kills: ${what}`);
    process.stderr.write(`${sum.violations.at(-1)}\n`);
  }
}
