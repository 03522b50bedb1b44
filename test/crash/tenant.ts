// One enterprise that lives through crashes: the agents that report to it, and the check that everything that was
// answered is there, once.
import { HttpConnection } from "../../tools/bench/http-load.ts";
import type { Runtime } from "../../tools/bench/runtime.ts";
import type { PriceBook } from "../../tools/kit/expected-cost.ts";
import type { Random } from "../../tools/kit/random.ts";
import { Acts } from "./acts.ts";
import { assertAllTaken, batchOf, type Door, post, type Way, watch, work } from "./clients.ts";
import { Evidence, type Fault, type ShownMeter } from "./evidence.ts";
import { Lane } from "./lanes.ts";

const CREW: readonly { way: Way; clients: number; lanes: number }[] = [
  { way: "single", clients: 8, lanes: 1 },
  { way: "batch", clients: 2, lanes: 20 },
  { way: "socket", clients: 4, lanes: 4 },
];
const RECEIPTS_AT_ONCE = 16;

export class Tenant {
  readonly evidence = new Evidence();
  readonly name: string;
  /** The id of its object, which names the object's file. */
  readonly objectId: string;
  readonly path: string;
  readonly #key: string;
  readonly #random: Random;
  readonly #acts: Acts;
  readonly #crew: { way: Way; lanes: Lane[] }[];

  private constructor(name: string, objectId: string, key: string, random: Random) {
    this.name = name;
    this.objectId = objectId;
    this.#key = key;
    this.#random = random;
    this.path = `/v1/enterprises/${name}`;
    this.#acts = new Acts(this.path, random);
    let named = 0;
    const newLane = () => new Lane(`${name}-${++named}`, random, this.evidence);
    this.#crew = CREW.flatMap(({ way, clients, lanes }) =>
      Array.from({ length: clients }, () => ({ way, lanes: Array.from({ length: lanes }, newLane) })),
    );
  }

  static async create(runtime: Runtime, name: string, random: Random): Promise<Tenant> {
    const key = await runtime.provision(name);
    return new Tenant(name, await (await runtime.ask(`id?${name}`)).text(), key, random);
  }

  /** Agents and the operator work until the server is gone. */
  async live(runtime: Runtime): Promise<void> {
    const door = this.#door(runtime);
    const agents = this.#crew.map(({ way, lanes }) => work(way, door, lanes, this.#random));
    await Promise.all([...agents, watch(door), this.#acts.live(runtime)]);
  }

  /** Asks for the copy to be written anew. False when the server was gone before that was answered. */
  async rebuild(runtime: Runtime): Promise<boolean> {
    const headers = { authorization: `Bearer ${runtime.operatorKey}` };
    const url = `http://127.0.0.1:${runtime.port}${this.path}/rebuild`;
    const response = await fetch(url, { method: "POST", headers }).catch(() => null);
    if (response !== null && !response.ok) throw new Error(`rebuild: ${response.status} ${await response.text()}`);
    return response !== null;
  }

  /** Every agent ends its run, and has its answer. */
  async finish(runtime: Runtime): Promise<void> {
    const door = this.#door(runtime);
    const connection = await HttpConnection.open(runtime.port);
    for (;;) {
      const ending = this.#crew
        .flatMap(({ lanes }) => lanes)
        .flatMap((lane) => {
          const report = lane.last();
          return report === null ? [] : [{ lane, report }];
        });
      if (ending.length === 0) break;
      assertAllTaken(await connection.send(post(door, batchOf(ending.map(({ report }) => report)))));
      for (const { lane } of ending) lane.answered();
    }
    connection.close();
  }

  /** What is wrong now that nobody works. */
  async faults(runtime: Runtime, book: PriceBook): Promise<Fault[]> {
    const { evidence, path } = this;
    const faults: (Fault | null)[] = [];
    const runs = evidence.touched;
    while (runs.length > 0) {
      const some = runs.splice(0, RECEIPTS_AT_ONCE);
      const meters = await Promise.all(some.map((run) => readMeter(runtime, `${path}/runs/${run}`)));
      faults.push(...some.map((run, i) => evidence.look(run, meters[i] ?? null, book)));
    }
    type Gauge = { used_micros: number; held_micros: number };
    const { used_micros, held_micros } = (await runtime.call("GET", `${path}/gauge`)) as Gauge;
    if (BigInt(used_micros) !== evidence.chargedMicros) {
      const what = `${this.name} has used ${used_micros}, its runs were charged ${evidence.chargedMicros}`;
      faults.push({ kind: BigInt(used_micros) > evidence.chargedMicros ? "doubled" : "lost", what });
    }
    const { rows } = (await runtime.call("GET", `${path}/grants?limit=100`)) as { rows: { id: string }[] };
    const ids = rows.map(({ id }) => id);
    faults.push(...this.#acts.faults(ids, held_micros), ...(await auditFaults(runtime, this.name)));
    return faults.filter((fault) => fault !== null);
  }

  #door({ port }: Runtime): Door {
    return { port, path: this.path, key: this.#key };
  }
}

/** The ledger's own audit, the comparison with the copy among it. */
export async function auditFaults(runtime: Runtime, enterprise: string): Promise<Fault[]> {
  type Audit = { checks: { name: string; ok: boolean; detail: string }[] };
  const { checks } = (await runtime.call("GET", `/v1/enterprises/${enterprise}/audit`)) as Audit;
  const failed = checks.filter(({ ok }) => !ok);
  return failed.map(({ name, detail }) => ({ kind: "wrong", what: `audit of ${enterprise}: ${name}: ${detail}` }));
}

/** The one meter of a run's receipt; null for a run that the ledger does not know. */
async function readMeter(runtime: Runtime, path: string): Promise<ShownMeter | null> {
  const headers = { authorization: `Bearer ${runtime.operatorKey}` };
  const response = await fetch(`http://127.0.0.1:${runtime.port}${path}`, { headers });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { meters: ShownMeter[] }).meters[0] ?? null;
}
