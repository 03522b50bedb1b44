// One worker of a campaign (tools/campaign/campaign.ts): 5,000 agents compete for a balance that is enough for a hundred,
// in both billing models, with holds and without, and under overlapping budgets, until its time is up. Prints one line of JSON with the sums.
// Arguments: seconds, seed.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type { Contended } from "../../tools/campaign/figures.ts";
import { seededRandom } from "../../tools/kit/random.ts";
import { buildWorker } from "../../tools/workerd/build.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { BudgetCrowd } from "./budget-crowd.ts";
import { ContendedEnterprise, type Contention, type Plan } from "./contended-enterprise.ts";

const AGENTS = 5_000;
const ROOM_FOR = 100;
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
  for (const billingModel of ["credits", "byom"] as const) await compete(`${billingModel}-${round}`, billingModel);
  await competeForBudgets(`budgets-${round}`);
  process.stderr.write(`· contention: ${sum.crowds} crowds of ${AGENTS} agents\n`);
}
await runtime.stop();
process.stdout.write(`${JSON.stringify(sum)}\n`);

async function compete(name: string, billingModel: Plan["billingModel"]): Promise<void> {
  const plan = { agents: AGENTS, roomFor: ROOM_FOR, connections: CONNECTIONS, billingModel };
  try {
    for (const held of await new ContendedEnterprise(runtime, `${name}-held`, plan, random).withHolds()) {
      sum.held += held.asked;
      sum.overspentMicros += held.overspentMicros;
      add(name, held);
    }
    const unheld = await new ContendedEnterprise(runtime, `${name}-unheld`, plan, random).withoutHolds();
    sum.worstOfBound = Math.max(sum.worstOfBound, unheld.overspentMicros / unheld.boundMicros);
    add(name, unheld);
  } catch (error) {
    add(name, { violations: [String((error as Error).stack)] });
  }
}

async function competeForBudgets(name: string): Promise<void> {
  const plan = { agents: AGENTS, atOnce: CONNECTIONS, balanceFor: AGENTS / 5 };
  try {
    const { port, operatorKey } = runtime;
    const crowd = await new BudgetCrowd(`http://127.0.0.1:${port}`, operatorKey, name, plan).run();
    sum.held += AGENTS;
    sum.overspentMicros += crowd.overspentMicros;
    add(name, crowd);
  } catch (error) {
    add(name, { violations: [String((error as Error).stack)] });
  }
}

function add(name: string, { violations }: Pick<Contention, "violations">): void {
  sum.crowds += 1;
  sum.violations.push(...violations.map((violation) => `contention: seed ${seed}, ${name}: ${violation}`));
}
