// Measures the loads once more with D1 in its own process, as on Cloudflare. Without this, the Worker, the object and
// D1 share one thread, so writing the copy delays debits in a way that it cannot in production. D1's process waits for the
// others when they need the processor.
import { join } from "node:path";
import { Runtime } from "../workerd/runtime.ts";
import type { Measured } from "./http-load.ts";
import { type LoadName, LoadRunner, type Turn } from "./load-runner.ts";
import type { Plan } from "./options.ts";
import type { Postgres } from "./postgres.ts";
import type { Row } from "./report.ts";
import { latencyRow, singlesPerSecond, throughputRows } from "./rows.ts";

const ENTERPRISE = "bench";

interface Apart {
  rounds: Partial<Record<LoadName, Turn>>[];
  latencies: { empty: Measured; single: Measured }[];
}

export async function measureApart(
  bundle: string,
  directory: string,
  plan: Plan,
  postgres: Postgres | null,
  cleanups: (() => Promise<unknown>)[],
): Promise<Apart> {
  const runtime = new Runtime(bundle, join(directory, "apart"), { variables: { COPY_ELSEWHERE: "1" } });
  const database = new Runtime(bundle, join(directory, "apart-d1"));
  for (const one of [runtime, database]) {
    cleanups.push(() => one.stop());
    await one.start();
  }
  await database.migrate();
  await runtime.ask("copy-at", { "bench-url": `http://127.0.0.1:${database.port}` });
  database.yieldToOthers();
  const key = await runtime.provision(ENTERPRISE);
  const loads = new LoadRunner(runtime, postgres, { enterprise: ENTERPRISE, key, runs: "apt" });
  await loads.round(plan.measureMs / 4);
  const rounds = [];
  for (let round = 0; round < plan.rounds; round++) rounds.push(await loads.round(plan.measureMs));
  const latencies = [];
  for (let round = 0; round < plan.latencyRounds; round++) {
    latencies.push(await loads.latencyRound(singlesPerSecond(rounds) / 2, plan.measureMs));
  }
  await runtime.drain(ENTERPRISE);
  await runtime.stop();
  await database.stop();
  return { rounds, latencies };
}

/** The same comparisons and targets as with D1 on the same thread. */
export function apartRows({ rounds, latencies }: Apart): Row[] {
  const rows = [...throughputRows(rounds), latencyRow(latencies, singlesPerSecond(rounds) / 2)];
  return rows.map((row) => ({ ...row, measure: `D1 apart: ${row.measure}` }));
}
