// Agents with both clients stream while the ledger's process is killed and started again. Each run is charged exactly once.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { startNetwork } from "../client/agents/faulty-network.ts";
import { hasPython, type Language, startAgent } from "../client/agents/start-agent.ts";
import { builtWorker } from "../support/built-worker.ts";

const LANGUAGES: Language[] = hasPython ? ["TypeScript", "Python"] : ["TypeScript"];
const KILLS = 2;
const UPTIME_MS = 600;

it("charges the streams of both clients exactly although the ledger is killed in the middle of them", async () => {
  const directory = mkdtempSync(join(tmpdir(), "fuelgauge-agents-"));
  const runtime = new Runtime(await builtWorker(), join(directory, "state"));
  await runtime.start();
  await runtime.migrate();
  const key = await runtime.provision("acme");
  const network = await startNetwork(
    () => `http://127.0.0.1:${runtime.port}`,
    () => "pass",
  );
  const agents = LANGUAGES.map((language) => {
    const environment = { ENTERPRISE: "acme", KEY: key, RUN: language, TOTALS: join(directory, language) };
    return { language, ...startAgent(language, { FUELGAUGE_URL: network.url, ...environment }) };
  });
  while (agents.some(({ printed }) => !printed.out.includes("half"))) await sleep(10);
  for (let kill = 0; kill < KILLS; kill++) {
    await runtime.kill();
    await runtime.start();
    await sleep(UPTIME_MS);
  }
  for (const { language, ended, printed } of agents) {
    expect([await ended, printed.err]).toEqual([0, ""]);
    const finished = JSON.parse(printed.out.trim().split("\n").at(-1) ?? "");
    expect(finished).toMatchObject({ delivered: true, refused: [], charged_micros: 1_512_500 });
    const headers = { Authorization: `Bearer ${runtime.operatorKey}` };
    const receipt = await fetch(`http://127.0.0.1:${runtime.port}/v1/enterprises/acme/runs/${language}`, { headers });
    const usage = { input_tokens: 100, output_tokens: 1_500 };
    expect(await receipt.json()).toMatchObject({ final: true, charged_micros: 1_512_500, meters: [{ usage }] });
  }
  network.close();
  await runtime.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});
