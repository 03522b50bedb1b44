// Thousands of holds and grants end at one instant, and the process is killed while the object ends them. Every answer
// must be exact and quick, before the kill and after it. FUELGAUGE_DUE_HOLDS and FUELGAUGE_DUE_GRANTS choose how many.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { bearer, HttpConnection, requestBytes } from "../../tools/workerd/http-connection.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { auditViolations } from "./enterprise.ts";

const HOLDS = Number(process.env.FUELGAUGE_DUE_HOLDS ?? 1_200);
const GRANTS = Number(process.env.FUELGAUGE_DUE_GRANTS ?? 150);
const CONNECTIONS = 16;
const KILLS = 3;
/** How much longer an answer may take than before the instant. The second number is for machines that are busy. */
const MAX_EXTRA_MS = 1_000;
const MAX_RATIO = 20;
const CREDIT = 1_000_000;
const PATH = "/v1/enterprises/crowd";
const NOON = "2026-03-10T12:00:00.000Z";
const END = "2026-03-10T13:00:00.000Z";
/** As long as an id may be, so that a list of all of them would not fit into one value. */
const longId = (kind: string, n: number) => `${kind}-${n}-`.padEnd(128, "x");

interface Gauge {
  used_micros: number;
  held_micros: number;
  available_micros: number;
  monthly: { remaining_micros: number };
  bonus: { remaining_micros: number };
}

it(`ends ${HOLDS} holds and ${GRANTS} grants of one instant across a crash, each answer exact and quick`, {
  timeout: 300_000 + (HOLDS + GRANTS) * 50,
}, async () => {
  const directory = mkdtempSync(join(tmpdir(), "fuelgauge-due-"));
  const runtime = new Runtime(await builtWorker(), join(directory, "state"));
  try {
    await runtime.start();
    await runtime.migrate();
    const key = await createCrowd(runtime);
    const agent = new Agent(runtime, key);
    await agent.report();
    expect(await agent.gauge()).toMatchObject({
      held_micros: HOLDS * CREDIT,
      bonus: { remaining_micros: GRANTS * CREDIT },
    });
    for (let n = 0; n < 20; n++) await agent.report();
    const usualMs = agent.slowestMs;
    agent.slowestMs = 0;
    for (let kill = 0; kill <= KILLS; kill++) {
      // Repeat the move of the clock: a crash may have lost it.
      const moved = moveClock(runtime);
      if (kill === KILLS) await moved;
      else {
        await sleep(kill * 30);
        await runtime.kill();
        await moved;
        await runtime.start();
      }
    }
    // The object ends the rest in portions meanwhile.
    for (let n = 0; n < 40; n++) {
      const used = await agent.report();
      const gauge = await agent.gauge();
      expect([gauge.used_micros, gauge.held_micros, gauge.bonus.remaining_micros]).toEqual([used, 0, 0]);
      expect(gauge.available_micros).toBe(gauge.monthly.remaining_micros);
      await sleep(20);
    }
    console.log(`slowest answer: ${Math.round(agent.slowestMs)} ms`);
    expect(agent.slowestMs).toBeLessThan(MAX_EXTRA_MS + MAX_RATIO * usualMs);
    await expect
      .poll(async () => await countEntries(runtime, "grant_expired"), { timeout: 180_000, interval: 500 })
      .toBe(GRANTS);
    expect(await auditViolations(runtime, "crowd")).toEqual([]);
  } finally {
    await runtime.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});

/** One run that reports, and asks for the gauge. */
class Agent {
  slowestMs = 0;
  #input = 0;
  #usedMicros = 0;
  readonly #runtime: Runtime;
  readonly #key: string;

  constructor(runtime: Runtime, key: string) {
    this.#runtime = runtime;
    this.#key = key;
  }

  /** Reports more usage, and returns what all reports have been charged. */
  async report(): Promise<number> {
    this.#input += 1_000;
    const { charged_micros } = (await this.#send("POST", "debits", {
      ...{ run: "agent", model: "claude-sonnet-4-5", surface: "cli", workspace: "w", user: "u", started_at: NOON },
      usage: { input_tokens: this.#input, output_tokens: 0 },
    })) as { charged_micros: number };
    this.#usedMicros += charged_micros;
    return this.#usedMicros;
  }

  async gauge(): Promise<Gauge> {
    return (await this.#send("GET", "gauge")) as Gauge;
  }

  async #send(method: string, path: string, body?: unknown): Promise<unknown> {
    const startedMs = performance.now();
    const response = await fetch(`http://127.0.0.1:${this.#runtime.port}${PATH}/${path}`, {
      method,
      headers: { ...bearer(this.#key), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answer = await response.json();
    this.slowestMs = Math.max(this.slowestMs, performance.now() - startedMs);
    expect(response.status, JSON.stringify(answer)).toBe(200);
    return answer;
  }
}

/** Creates an enterprise whose clock stands still, with holds and grants that all end at END. Returns a debit key. */
async function createCrowd(runtime: Runtime): Promise<string> {
  const settings = { name: "Crowd", billing_model: "credits", plan: "pro", test_clock: NOON };
  await runtime.call("PUT", PATH, { ...settings, monthly_allowance_micros: (HOLDS + 1_000) * CREDIT });
  const made = await runtime.call("POST", `${PATH}/keys`, { name: "agents", scopes: ["debit", "read"] });
  const { key } = made as { key: string };
  await sendAll(runtime, GRANTS, (n) => {
    const grant = { id: longId("grant", n), amount_micros: CREDIT, source: "promotion", expires_at: END };
    return requestBytes("POST", `${PATH}/grants`, bearer(runtime.operatorKey), JSON.stringify(grant));
  });
  await sendAll(runtime, HOLDS, (n) => {
    const start = { run: longId("run", n), surface: "web", workspace: "w", user: "u", hold_ttl_seconds: 3_600 };
    return requestBytes("POST", `${PATH}/runs`, bearer(key), JSON.stringify({ ...start, hold_micros: CREDIT }));
  });
  return key;
}

/** Moves the clock to END. Resolves even if the process is killed meanwhile. */
async function moveClock(runtime: Runtime): Promise<void> {
  const connection = await HttpConnection.open(runtime.port);
  const request = requestBytes("POST", `${PATH}/test-clock`, bearer(runtime.operatorKey), JSON.stringify({ now: END }));
  await connection.send(request).catch(() => null);
  connection.close();
}

async function sendAll(runtime: Runtime, count: number, request: (n: number) => Buffer): Promise<void> {
  let sent = 0;
  const send = async () => {
    const connection = await HttpConnection.open(runtime.port);
    while (sent < count) await connection.send(request(sent++));
    connection.close();
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
}

async function countEntries(runtime: Runtime, type: string): Promise<number> {
  let count = 0;
  let cursor = "";
  do {
    const page = (await runtime.call("GET", `${PATH}/entries?limit=100${cursor}`)) as {
      rows: { type: string }[];
      next_cursor: string | null;
    };
    count += page.rows.filter((row) => row.type === type).length;
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
  } while (cursor !== "");
  return count;
}
