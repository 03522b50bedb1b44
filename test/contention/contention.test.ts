// Invariants H2 and H3 where they count: a thousand agents at once, over HTTP, for a hundred places.
// FUELGAUGE_CONTENTION_AGENTS asks for more.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildWorker, Runtime } from "../../tools/bench/runtime.ts";
import { seededRandom } from "../../tools/kit/random.ts";
import { CrowdedEnterprise } from "./crowd.ts";

const AGENTS = Number(process.env.FUELGAUGE_CONTENTION_AGENTS ?? 1_000);
const PLACES = 100;
const CONNECTIONS = 64;
const TIMEOUT_MS = 120_000;

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-contention-"));
let runtime: Runtime;

beforeAll(async () => {
  runtime = new Runtime(buildWorker(join(directory, "bundle")), join(directory, "state"));
  await runtime.start();
  await runtime.migrate();
}, TIMEOUT_MS);

afterAll(async () => {
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

describe.each(["credits", "byom"] as const)(`${AGENTS} agents on a balance for ${PLACES}, in %s`, (billingModel) => {
  const plan = { agents: AGENTS, places: PLACES, connections: CONNECTIONS, billingModel };
  const crowd = (name: string) => new CrowdedEnterprise(runtime, `${billingModel}-${name}`, plan, seededRandom(name));

  it(`are admitted ${PLACES} times exactly with holds, and overspend nothing`, { timeout: TIMEOUT_MS }, async () => {
    const [first, second] = await crowd("held").withHolds();
    expect(first).toMatchObject({ admitted: PLACES, room: PLACES, faults: [] });
    expect(second?.faults).toEqual([]);
    expect(second?.admitted).toBe(second?.room);
  });

  it("overspend at most what was in flight without holds", { timeout: TIMEOUT_MS }, async () => {
    const { faults, admitted } = await crowd("bare").withoutHolds();
    expect(faults).toEqual([]);
    expect(admitted).toBeLessThan(AGENTS / 2);
  });
});
