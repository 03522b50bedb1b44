// What is asked for once in each life, while agents report: a grant, and a start with a hold. An act that was answered
// must be there after the crash, one that was not may be, and none may be there twice.
import { setTimeout as sleep } from "node:timers/promises";
import type { Runtime } from "../../tools/bench/runtime.ts";
import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { Fault } from "./evidence.ts";

const ACT_MICROS = 1_000_000;
const LATEST_MS = 600;

export class Acts {
  /** By name: whether it was answered. */
  readonly #grants = new Map<string, boolean>();
  readonly #holds = new Map<string, boolean>();
  readonly #path: string;
  readonly #random: Random;

  constructor(path: string, random: Random) {
    this.#path = path;
    this.#random = random;
  }

  async live(runtime: Runtime): Promise<void> {
    const id = `life-${this.#grants.size}`;
    const run = `held-${this.#holds.size}`;
    const who = { surface: "web", workspace: "ws-held", user: "user-held" };
    await Promise.all([
      this.#ask(runtime, this.#grants, id, "grants", { id, amount_micros: ACT_MICROS, source: "goodwill" }),
      this.#ask(runtime, this.#holds, run, "runs", { run, ...who, hold_micros: ACT_MICROS, hold_ttl_seconds: 86_400 }),
    ]);
  }

  /** What is wrong with the grants and the sum of holds that the ledger shows. */
  faults(grantIds: readonly string[], heldMicros: number): Fault[] {
    const lost = [...this.#grants].filter(([id, answered]) => answered && !grantIds.includes(id));
    const faults: Fault[] = lost.map(([id]) => ({ kind: "lost", what: `${this.#path}: the grant ${id}` }));
    if (new Set(grantIds).size < grantIds.length) faults.push({ kind: "doubled", what: `${this.#path}: a grant` });
    const answered = [...this.#holds.values()].filter(Boolean).length;
    if (heldMicros < answered * ACT_MICROS) faults.push({ kind: "lost", what: `${this.#path}: a hold` });
    if (heldMicros > this.#holds.size * ACT_MICROS) faults.push({ kind: "doubled", what: `${this.#path}: a hold` });
    return faults;
  }

  async #ask(runtime: Runtime, asked: Map<string, boolean>, name: string, path: string, body: unknown): Promise<void> {
    await sleep(wholeBetween(this.#random, 0, LATEST_MS));
    asked.set(name, false);
    const response = await fetch(`http://127.0.0.1:${runtime.port}${this.#path}/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${runtime.operatorKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => null);
    if (response !== null && !response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    asked.set(name, response !== null);
  }
}
