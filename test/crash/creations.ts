// Creates enterprises while the process is killed. Each must exist completely or not at all, one whose creation was
// answered must exist, and the same request again must create a missing one.

import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { Runtime } from "../../tools/workerd/runtime.ts";
import { auditViolations } from "./enterprise.ts";
import type { Violation } from "./sent-reports.ts";

const MAX_AT_ONCE = 12;
const SETTINGS = { billing_model: "credits", plan: "pro" };

export class Creations {
  readonly #random: Random;
  /** Of the last process, by name: whether the creation was answered. */
  #requested = new Map<string, boolean>();
  #names = 0;
  #emptyObjects = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Creates several enterprises at once. */
  async create(runtime: Runtime): Promise<void> {
    const count = wholeBetween(this.#random, 1, MAX_AT_ONCE);
    this.#requested = new Map(Array.from({ length: count }, () => [`created-${++this.#names}`, false]));
    await Promise.all(
      [...this.#requested.keys()].map(async (name) => {
        const status = await send(runtime, "PUT", name, { name, ...SETTINGS }).catch(() => null);
        if (status !== null && status !== 201) throw new Error(`creating ${name}: ${status}`);
        this.#requested.set(name, status === 201);
      }),
    );
  }

  /** How many empty objects there are beyond those counted before. */
  newEmptyObjects(count: number): number {
    const added = Math.max(0, count - this.#emptyObjects);
    this.#emptyObjects = count;
    return added;
  }

  /** Checks the enterprises of the last process, and creates the missing ones again. */
  async violations(runtime: Runtime): Promise<Violation[]> {
    const violations: Violation[] = [];
    for (const [name, answered] of this.#requested) {
      const found = await send(runtime, "GET", name);
      if (found !== 200 && answered) violations.push({ kind: "lost", what: `the enterprise ${name}` });
      const again = await send(runtime, "PUT", name, { name, ...SETTINGS });
      if (again !== (found === 200 ? 200 : 201)) violations.push({ kind: "wrong", what: `${name} again: ${again}` });
      violations.push(...(await auditViolations(runtime, name)));
    }
    violations.push(...(await this.#unlisted(runtime)));
    this.#requested = new Map();
    return violations;
  }

  async #unlisted(runtime: Runtime): Promise<Violation[]> {
    if (this.#requested.size === 0) return [];
    type Page = { rows: { id: string }[] };
    const { rows } = (await runtime.call("GET", "/v1/enterprises?limit=100")) as Page;
    const missing = [...this.#requested.keys()].filter((name) => !rows.some(({ id }) => id === name));
    return missing.map((name) => ({ kind: "lost", what: `${name} is not in the list of enterprises` }));
  }
}

/** Calls with the operator key and returns the status. */
async function send(runtime: Runtime, method: string, name: string, body?: unknown): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${runtime.port}/v1/enterprises/${name}`, {
    method,
    headers: { authorization: `Bearer ${runtime.operatorKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}
