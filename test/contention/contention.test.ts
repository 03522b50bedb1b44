// A thousand agents compete over HTTP for a balance that is enough for a hundred. FUELGAUGE_CONTENTION_AGENTS sets another
// number of agents.

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

describe(`${AGENTS} agents under overlapping budgets and a nearly empty balance`, () => {
  it("with holds, exactly those that fit are admitted and no budget is overspent", {
    timeout: TIMEOUT_MS,
  }, async () => {
    const plan = { agents: AGENTS, atOnce: CONNECTIONS, balanceFor: Math.ceil(AGENTS / 5) };
    const { port, operatorKey } = runtime;
    const { admitted, refused, overspentMicros, violations } = await new BudgetCrowd(
      `http://127.0.0.1:${port}`,
      operatorKey,
      "budgets",
      plan,
    ).run();
    expect(violations).toEqual([]);
    expect(overspentMicros).toBe(0);
    expect(admitted).toBeGreaterThan(0);
    expect(refused.budget).toBeGreaterThan(0);
    expect(refused.balance).toBeGreaterThan(0);
  });
});
