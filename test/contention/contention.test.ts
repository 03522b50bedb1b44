// A thousand agents compete over HTTP for a balance that is enough for a hundred, and crowds of agents under budgets.
// FUELGAUGE_CONTENTION_AGENTS sets another number of agents for the balance.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { seededRandom } from "../../tools/kit/random.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { BudgetCrowd } from "./budget-crowd.ts";
import { ContendedEnterprise } from "./contended-enterprise.ts";

const AGENTS = Number(process.env.FUELGAUGE_CONTENTION_AGENTS ?? 1_000);
const ROOM_FOR = 100;
const CONNECTIONS = 64;
const TIMEOUT_MS = 600_000;

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-contention-"));
let runtime: Runtime;

beforeAll(async () => {
  runtime = new Runtime(await builtWorker(), join(directory, "state"));
  await runtime.start();
  await runtime.migrate();
}, TIMEOUT_MS);

afterAll(async () => {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

describe.each(["credits", "byom"] as const)(`${AGENTS} agents on a balance for ${ROOM_FOR}, in %s`, (billingModel) => {
  const plan = { agents: AGENTS, roomFor: ROOM_FOR, connections: CONNECTIONS, billingModel };
  const newEnterprise = (name: string) =>
    new ContendedEnterprise(runtime, `${billingModel}-${name}`, plan, seededRandom(name));

  it(`with holds, exactly ${ROOM_FOR} are admitted and nothing is overspent`, { timeout: TIMEOUT_MS }, async () => {
    const [first, second] = await newEnterprise("held").withHolds();
    expect(first).toMatchObject({ admitted: ROOM_FOR, room: ROOM_FOR, violations: [] });
    expect(second?.violations).toEqual([]);
    expect(second?.admitted).toBe(second?.room);
  });

  it("without holds, at most what was in flight is overspent", { timeout: TIMEOUT_MS }, async () => {
    const { violations, admitted } = await newEnterprise("unheld").withoutHolds();
    expect(violations).toEqual([]);
    expect(admitted).toBeLessThan(AGENTS / 2);
  });
});

describe("300 agents that start at once under overlapping budgets and a nearly empty balance", () => {
  const plan = { agents: 300, atOnce: 300, balanceFor: 60 };
  const refused = { balance: 0, budget: 0 };

  it.each([1, 2, 3, 4, 5])("admits exactly those that fit, in round %i", { timeout: TIMEOUT_MS }, async (round) => {
    const { port, operatorKey } = runtime;
    const crowd = new BudgetCrowd(`http://127.0.0.1:${port}`, operatorKey, `round-${round}`, plan);
    const outcome = await crowd.run();
    expect(outcome).toMatchObject({ violations: [], overspentMicros: 0 });
    expect(outcome.refused.balance + outcome.refused.budget + outcome.admitted).toBe(plan.agents);
    expect(outcome.admitted).toBeGreaterThan(0);
    refused.balance += outcome.refused.balance;
    refused.budget += outcome.refused.budget;
  });

  it("had agents in these rounds that a budget refused, and agents that the balance refused", () => {
    expect(refused.balance).toBeGreaterThan(0);
    expect(refused.budget).toBeGreaterThan(0);
  });
});
