// One worker of a campaign (tools/campaign/campaign.ts): crowds of 5,000 agents on a balance for a hundred, in both billing models,
// with holds and without, until its time is up. Ends with a line of JSON for the sum. Arguments: seconds, seed.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { buildWorker, Runtime } from "../../tools/bench/runtime.ts";
import type { Contended } from "../../tools/campaign/figures.ts";
import { seededRandom } from "../../tools/kit/random.ts";
import { type Crowd, CrowdedEnterprise, type CrowdPlan } from "./crowd.ts";

const AGENTS = 5_000;
const PLACES = 100;
const CONNECTIONS = 128;

const [seconds = 60, seed = 1] = process.argv.slice(2).map(Number);
const deadlineMs = performance.now() + seconds * 1_000;
const directory = mkdtempSync(join(tmpdir(), "fuelgauge-contention-"));
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(130));
process.on("exit", () => rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));

const random = seededRandom(seed);
const runtime = new Runtime(buildWorker(join(directory, "bundle")), join(directory, "state"));
const sum: Contended = { agents: AGENTS, crowds: 0, held: 0, overspentMicros: 0, worstOfBound: 0, violations: [] };
await runtime.start();
await runtime.migrate();
for (let round = 1; round === 1 || performance.now() < deadlineMs; round++) {
  for (const billingModel of ["credits", "byom"] as const) await crowd(`${billingModel}-${round}`, billingModel);
  process.stderr.write(`· contention: ${sum.crowds} crowds of ${AGENTS} agents\n`);
}
await runtime.stop();
process.stdout.write(`${JSON.stringify(sum)}\n`);

async function crowd(name: string, billingModel: CrowdPlan["billingModel"]): Promise<void> {
  const plan = { agents: AGENTS, places: PLACES, connections: CONNECTIONS, billingModel };
  try {
    for (const held of await new CrowdedEnterprise(runtime, `${name}-held`, plan, random).withHolds()) {
      sum.held += held.asked;
      sum.overspentMicros += held.overspentMicros;
      add(name, held);
    }
    const bare = await new CrowdedEnterprise(runtime, `${name}-bare`, plan, random).withoutHolds();
    sum.worstOfBound = Math.max(sum.worstOfBound, bare.overspentMicros / bare.boundMicros);
    add(name, bare);
  } catch (error) {
    add(name, { faults: [String((error as Error).stack)] });
  }
}

function add(name: string, { faults }: Pick<Crowd, "faults">): void {
  sum.crowds += 1;
  sum.violations.push(...faults.map((fault) => `contention: seed ${seed}, ${name}: ${fault}`));
}
