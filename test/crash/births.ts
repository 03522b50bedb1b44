// Enterprises that are created while the process is killed: each is there whole or not at all, one that was answered is
// there, and asking again brings what is missing.
import type { Runtime } from "../../tools/bench/runtime.ts";
import { type Random, wholeBetween } from "../../tools/kit/random.ts";
import type { Fault } from "./evidence.ts";
import { auditFaults } from "./tenant.ts";

const MOST_AT_ONCE = 12;
const SETTINGS = { billing_model: "credits", plan: "pro" };

export class Births {
  readonly #random: Random;
  /** Of the last life: by name, whether its creation was answered. */
  #asked = new Map<string, boolean>();
  #names = 0;
  #unborn = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Asks for several enterprises at once. */
  async begin(runtime: Runtime): Promise<void> {
    const count = wholeBetween(this.#random, 1, MOST_AT_ONCE);
    this.#asked = new Map(Array.from({ length: count }, () => [`born-${++this.#names}`, false]));
    await Promise.all(
      [...this.#asked.keys()].map(async (name) => {
        const status = await send(runtime, "PUT", name, { name, ...SETTINGS }).catch(() => null);
        if (status !== null && status !== 201) throw new Error(`creating ${name}: ${status}`);
        this.#asked.set(name, status === 201);
      }),
    );
  }

  /** How many objects more than before have nothing in them. */
  newlyUnborn(unborn: number): number {
    const more = Math.max(0, unborn - this.#unborn);
    this.#unborn = unborn;
    return more;
  }

  /** What is wrong with those of the last life; asks again for those that are not there. */
  async faults(runtime: Runtime): Promise<Fault[]> {
    const faults: Fault[] = [];
    for (const [name, answered] of this.#asked) {
      const found = await send(runtime, "GET", name);
      if (found !== 200 && answered) faults.push({ kind: "lost", what: `the enterprise ${name}` });
      const again = await send(runtime, "PUT", name, { name, ...SETTINGS });
      if (again !== (found === 200 ? 200 : 201)) faults.push({ kind: "wrong", what: `${name} again: ${again}` });
      faults.push(...(await auditFaults(runtime, name)));
    }
    faults.push(...(await this.#unlisted(runtime)));
    this.#asked = new Map();
    return faults;
  }

  async #unlisted(runtime: Runtime): Promise<Fault[]> {
    if (this.#asked.size === 0) return [];
    type Page = { rows: { id: string }[] };
    const { rows } = (await runtime.call("GET", "/v1/enterprises?limit=100")) as Page;
    const missing = [...this.#asked.keys()].filter((name) => !rows.some(({ id }) => id === name));
    return missing.map((name) => ({ kind: "lost", what: `${name} is not in the list of enterprises` }));
  }
}

/** The status of a call with the operator's key. */
async function send(runtime: Runtime, method: string, name: string, body?: unknown): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${runtime.port}/v1/enterprises/${name}`, {
    method,
    headers: { authorization: `Bearer ${runtime.operatorKey}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}
