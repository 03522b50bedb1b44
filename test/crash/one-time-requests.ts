// Requests that are sent once in the life of a process, while agents report: a grant, and a start with a hold. If it was
// answered, its effect must be there after the crash. If not, the effect may be there, but never twice.

import { setTimeout as sleep } from "node:timers/promises";
import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { Runtime } from "../../tools/workerd/runtime.ts";
import type { Violation } from "./sent-reports.ts";

const AMOUNT_MICROS = 1_000_000;
const MAX_DELAY_MS = 600;

export class OneTimeRequests {
  /** By id: whether the request was answered. */
  readonly #grants = new Map<string, boolean>();
  readonly #holds = new Map<string, boolean>();
  readonly #path: string;
  readonly #random: Random;

  constructor(path: string, random: Random) {
    this.#path = path;
    this.#random = random;
  }

  async send(runtime: Runtime): Promise<void> {
    const id = `life-${this.#grants.size}`;
    const run = `held-${this.#holds.size}`;
    const who = { surface: "web", workspace: "ws-held", user: "user-held" };
    await Promise.all([
      this.#post(runtime, this.#grants, id, "grants", { id, amount_micros: AMOUNT_MICROS, source: "goodwill" }),
      this.#post(runtime, this.#holds, run, "runs", {
        run,
        ...who,
        hold_micros: AMOUNT_MICROS,
        hold_ttl_seconds: 86_400,
      }),
    ]);
  }

  /** Compares the ledger's grants and its sum of holds with what was answered. */
  violations(grantIds: readonly string[], heldMicros: number): Violation[] {
    const lost = [...this.#grants].filter(([id, answered]) => answered && !grantIds.includes(id));
    const violations: Violation[] = lost.map(([id]) => ({ kind: "lost", what: `${this.#path}: the grant ${id}` }));
    if (new Set(grantIds).size < grantIds.length) violations.push({ kind: "doubled", what: `${this.#path}: a grant` });
    const answered = [...this.#holds.values()].filter(Boolean).length;
    if (heldMicros < answered * AMOUNT_MICROS) violations.push({ kind: "lost", what: `${this.#path}: a hold` });
    if (heldMicros > this.#holds.size * AMOUNT_MICROS)
      violations.push({ kind: "doubled", what: `${this.#path}: a hold` });
    return violations;
  }

  async #post(runtime: Runtime, sent: Map<string, boolean>, name: string, path: string, body: unknown): Promise<void> {
    await sleep(wholeBetween(this.#random, 0, MAX_DELAY_MS));
    sent.set(name, false);
    const response = await fetch(`http://127.0.0.1:${runtime.port}${this.#path}/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${runtime.operatorKey}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    }).catch(() => null);
    if (response !== null && !response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    sent.set(name, response !== null);
  }
}
