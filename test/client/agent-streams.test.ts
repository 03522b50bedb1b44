// Agents with the TypeScript client and with the Python client, as processes, against the real Worker: through outages,
// lost and late answers, a wrong clock and a kill. The charge is right in each, and nearly every token passes within 5 ms.
// The agent measures the CPU time of its thread between tokens. On a busy machine a few tokens take longer.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type FaultOf, startNetwork } from "./agents/faulty-network.ts";
import { type Ledger, startLedger } from "./worker.ts";

const AGENTS = resolve(import.meta.dirname, "agents");
const PYTHON_CLIENT = resolve(import.meta.dirname, "../../clients/python");
const MAX_HELD_UP_MS = 5;
const HOURS_AHEAD_MS = String(3 * 3_600_000);
/**
 * Of 150 tokens. The first reports compile the client's code, and on a busy machine the same work takes several times its
 * usual time. A client that waited for the network would hold up most of the tokens, and one of them for 1.5 s.
 */
const MAX_SLOW_TOKENS = 20;
const MAX_EVER_MS = 500;

const hasPython = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "python3")));
const folder = mkdtempSync(join(tmpdir(), "fuelgauge-agents-"));

let ledger: Ledger;
let enterprise: Awaited<ReturnType<Ledger["newEnterprise"]>>;

beforeAll(async () => {
  ledger = await startLedger();
  enterprise = await ledger.newEnterprise();
}, 120_000);

afterAll(async () => {
  await ledger.close();
  rmSync(folder, { recursive: true });
});

type Language = "TypeScript" | "Python";

const COMMANDS: Record<Language, string[]> = {
  TypeScript: [process.execPath, join(AGENTS, "streaming-agent.ts")],
  Python: ["python3", join(AGENTS, "streaming_agent.py")],
};

function startAgent(language: Language, environment: Record<string, string>) {
  const [command = "", ...args] = COMMANDS[language];
  const python = { PYTHONPATH: PYTHON_CLIENT, PYTHONDONTWRITEBYTECODE: "1" };
  const agent: ChildProcess = spawn(command, args, { env: { ...process.env, ...python, ...environment } });
  const printed = { out: "", err: "" };
  agent.stdout?.on("data", (data) => (printed.out += data));
  agent.stderr?.on("data", (data) => (printed.err += data));
  const ended = once(agent, "close").then(([status]) => status as number | null);
  return { agent, printed, ended };
}

type Scenario = { fault: FaultOf; clockAhead?: boolean; kill?: boolean };

const isStart = (path: string) => path.endsWith("/runs");

/** An outage that lasts until the agent runs without the ledger, which then has to register the run. */
const untilRunning: FaultOf = (_path, _count, elapsedMs) => (elapsedMs < 900 ? "down" : "pass");

const SCENARIOS: Record<string, Scenario> = {
  "a network without faults": { fault: () => "pass" },
  "an outage at the start": { fault: untilRunning },
  "an outage in the middle": { fault: (_path, count) => (count >= 3 && count <= 6 ? "down" : "pass") },
  "lost answers and requests": {
    fault: (path, count) => (isStart(path) ? "pass" : count % 3 === 0 ? "lost" : count % 3 === 1 ? "down" : "pass"),
  },
  "a slow ledger": { fault: (path) => (isStart(path) ? "pass" : "late") },
  "a clock that is three hours ahead": { fault: untilRunning, clockAhead: true },
  "a process that is killed and started again": { fault: () => "pass", kill: true },
};

const CASES = (["TypeScript", "Python"] as const).flatMap((language) =>
  Object.keys(SCENARIOS).map((name) => [language, name] as const),
);

describe.concurrent("an agent's stream", () => {
  it.each(CASES.filter(([language]) => language === "TypeScript" || hasPython))(
    "is charged exactly and never held up with the client for %s: %s",
    async (language, name) => {
      const { fault, clockAhead = false, kill = false } = SCENARIOS[name] as Scenario;
      const network = await startNetwork(ledger.url, fault);
      const run = `${language} ${name}`.replaceAll(/[^a-z]+/gi, "-");
      const environment = {
        FUELGAUGE_URL: network.url,
        ENTERPRISE: enterprise.id,
        KEY: enterprise.key,
        RUN: run,
        TOTALS: join(folder, run),
        ...(clockAhead ? { CLOCK_AHEAD_MS: HOURS_AHEAD_MS } : {}),
      };
      if (kill) {
        const { agent, printed, ended } = startAgent(language, environment);
        await expect.poll(() => printed.out, { timeout: 60_000, interval: 20 }).toContain("half");
        agent.kill("SIGKILL");
        await ended;
      }
      const { printed, ended } = startAgent(language, environment);
      expect([await ended, printed.err]).toEqual([0, ""]);
      const last = JSON.parse(printed.out.trim().split("\n").at(-1) ?? "");
      expect(last).toMatchObject({ delivered: true, refused: [], unit: "credits", action: "continue" });
      const { final, meters, started_at } = await enterprise.receipt(run);
      // By the ledger's clock, whatever the agent's machine says.
      expect(Math.abs(Date.parse(started_at) - Date.now())).toBeLessThan(600_000);
      expect([final, meters]).toMatchObject([true, [{ usage: { input_tokens: 100, output_tokens: 1_500 } }]]);
      // 100 input tokens at 1.25 USD and 1,500 output tokens at 10 USD a million, at 100 credits per USD.
      expect(meters[0].charged_micros).toBe(1_512_500);
      expect(last.charged_micros).toBe(1_512_500);
      const slow = (last.heldUpMs as number[]).filter((ms) => ms > MAX_HELD_UP_MS);
      expect(slow.length, `held up by ${slow.join(", ")} ms`).toBeLessThanOrEqual(MAX_SLOW_TOKENS);
      expect(Math.max(...last.heldUpMs)).toBeLessThan(MAX_EVER_MS);
      network.close();
    },
    120_000,
  );
});
