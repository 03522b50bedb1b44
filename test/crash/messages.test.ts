// Messages about budgets and the balance while the process is killed and the receivers fail: each receiver gets every
// message, in order, and never a second message about the same level. A message may arrive twice, under the same id.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { seededRandom, wholeBetween } from "../../tools/kit/random.ts";
import { bearer } from "../../tools/workerd/http-connection.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { builtWorker } from "../support/built-worker.ts";
import { auditViolations } from "./enterprise.ts";

const SEED = Number(process.env.FUELGAUGE_SEED ?? 1);
const CREDIT = 1_000_000;
const PATH = "/v1/enterprises/acme";
const NOON = "2026-03-10T12:00:00.000Z";
const URL_TARGET = "https://hooks.acme.example.com/url";
const CHANNEL_TARGET = "https://hooks.acme.example.com/channel";
/** The process is killed at every so many steps: FUELGAUGE_KILL_EVERY. */
const KILL_EVERY = Number(process.env.FUELGAUGE_KILL_EVERY ?? 4);
/** How many messages are refused once. The next attempt comes 5 seconds later. */
const REFUSED = 2;

/** Who reports which total next, in credits, and which messages that causes. Each user may use 20, all together 30 of 40. */
const STEPS: { user: string; total: number; codes: string[] }[] = [
  { user: "u1", total: 15, codes: ["budget_75 user u1"] },
  { user: "u1", total: 18, codes: ["budget_90 user u1"] },
  { user: "u1", total: 20, codes: ["budget_reached user u1", "usage_50"] },
  { user: "u2", total: 3, codes: ["budget_75 group none"] },
  { user: "u2", total: 7, codes: ["budget_90 group none"] },
  { user: "u2", total: 10, codes: ["budget_reached group none", "usage_75"] },
  { user: "u2", total: 15, codes: ["budget_75 user u2"] },
  { user: "u2", total: 16, codes: ["usage_90"] },
  { user: "u2", total: 18, codes: ["budget_90 user u2"] },
  { user: "u2", total: 20, codes: ["budget_reached user u2", "exhausted"] },
];

type Message = { id: string; said: string };

it("sends each level once to each receiver, across kills and failed deliveries", { timeout: 600_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "fuelgauge-messages-"));
  const random = seededRandom(SEED);
  const received = new Map<string, Message[]>([URL_TARGET, CHANNEL_TARGET].map((target) => [target, []]));
  const refused = new Set<string>();
  const outside = async (request: { url: string; headers: Headers; text(): Promise<string> }) => {
    const { data } = JSON.parse(await request.text());
    const of = data.budget === undefined ? "" : ` ${data.budget.dimension} ${data.budget.id}`;
    const message = { id: request.headers.get("webhook-id") ?? "", said: `${data.code}${of}` };
    received.get(request.url)?.push(message);
    // A slow answer gives the next kill the time to cut it off.
    await sleep(wholeBetween(random, 0, 120));
    if (refused.size >= REFUSED || refused.has(message.id) || random() < 0.5) return 204;
    refused.add(message.id);
    return 503;
  };
  const runtime = new Runtime(await builtWorker(), join(directory, "state"), { outside });
  try {
    await runtime.start();
    await runtime.migrate();
    const settings = { name: "Acme", billing_model: "credits", plan: "pro", test_clock: NOON, webhook_url: URL_TARGET };
    await runtime.call("PUT", PATH, { ...settings, monthly_allowance_micros: 40 * CREDIT });
    const events = ["usage_50", "usage_75", "usage_90", "exhausted", "budget_75", "budget_90", "budget_reached"];
    await runtime.call("PUT", `${PATH}/channels/ops`, { kind: "webhook", target: CHANNEL_TARGET, events });
    await runtime.call("PUT", `${PATH}/budgets/user/*/day`, { limit_micros: 20 * CREDIT });
    await runtime.call("PUT", `${PATH}/budgets/group/none/cycle`, { limit_micros: 30 * CREDIT });
    const { key } = (await runtime.call("POST", `${PATH}/keys`, { name: "k", scopes: ["debit"] })) as { key: string };
    for (const [i, { user, total }] of STEPS.entries()) {
      const reporting = report(runtime, key, user, total);
      if (i % KILL_EVERY === 0) {
        await sleep(wholeBetween(random, 0, 60));
        await runtime.kill();
        await reporting;
        await runtime.start();
        await sleep(wholeBetween(random, 0, 60));
      }
      // The agent repeats a report whose answer it has not seen.
      while (!(await reporting) && !(await report(runtime, key, user, total))) await sleep(20);
    }
    await expect.poll(() => countPending(runtime), { timeout: 300_000, interval: 200 }).toBe(0);
    const expected = STEPS.flatMap(({ codes }) => codes).sort();
    for (const [target, messages] of received) {
      const byId = new Map(messages.map(({ id, said }) => [id, said]));
      expect([target, [...byId.values()].sort()]).toEqual([target, expected]);
      for (const { id, said } of messages) expect(byId.get(id)).toBe(said);
      // In order, except for messages of one report.
      const places = [...byId.values()].map((said) => STEPS.findIndex(({ codes }) => codes.includes(said)));
      expect([target, places]).toEqual([target, [...places].sort((a, b) => a - b)]);
    }
    expect(await auditViolations(runtime, "acme")).toEqual([]);
  } finally {
    await runtime.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  }
});

/** Sends a running total. Returns whether an answer came. */
async function report(runtime: Runtime, key: string, user: string, credits: number): Promise<boolean> {
  // 1,000 output tokens of gpt-5 cost one credit.
  const usage = { input_tokens: 0, output_tokens: credits * 1_000 };
  const who = { run: `run-${user}`, surface: "cli", workspace: "w", user, started_at: NOON };
  try {
    const response = await fetch(`http://127.0.0.1:${runtime.port}${PATH}/debits`, {
      method: "POST",
      headers: { ...bearer(key), "content-type": "application/json" },
      body: JSON.stringify({ ...who, model: "gpt-5", usage }),
    });
    await response.text();
    return response.status === 200;
  } catch {
    return false;
  }
}

async function countPending(runtime: Runtime): Promise<number> {
  const log = (await runtime.call("GET", `${PATH}/webhooks?limit=100`)) as { rows: { state: string }[] };
  return log.rows.filter(({ state }) => state === "pending").length;
}
