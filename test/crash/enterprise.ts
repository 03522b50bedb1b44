// One enterprise that goes through crashes, with the agents that report to it and the check that everything answered is
// there exactly once.

import { setTimeout as sleep } from "node:timers/promises";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import type { Random } from "../../tools/kit/random.ts";
import { HttpConnection } from "../../tools/workerd/http-connection.ts";
import type { Runtime } from "../../tools/workerd/runtime.ts";
import { Agent } from "./agent.ts";
import { OneTimeRequests } from "./one-time-requests.ts";
import { type ReceiptMeter, SentReports, type Violation } from "./sent-reports.ts";
import {
  assertNoneRefused,
  batchOf,
  post,
  reportUntilKilled,
  type Target,
  type Transport,
  watch,
} from "./transports.ts";

const CONNECTIONS: readonly { transport: Transport; connections: number; agents: number }[] = [
  { transport: "single", connections: 8, agents: 1 },
  { transport: "batch", connections: 2, agents: 20 },
  { transport: "socket", connections: 4, agents: 4 },
];
const RECEIPTS_AT_ONCE = 16;
const AUDIT_POLL_MS = 200;

export class Enterprise {
  readonly sent = new SentReports();
  readonly name: string;
  /** The id of its object, which names the object's file. */
  readonly objectId: string;
  readonly path: string;
  readonly #key: string;
  readonly #random: Random;
  readonly #oneTimeRequests: OneTimeRequests;
  readonly #connections: { transport: Transport; agents: Agent[] }[];

  private constructor(name: string, objectId: string, key: string, random: Random) {
    this.name = name;
    this.objectId = objectId;
    this.#key = key;
    this.#random = random;
    this.path = `/v1/enterprises/${name}`;
    this.#oneTimeRequests = new OneTimeRequests(this.path, random);
    let agentsMade = 0;
    const newAgent = () => new Agent(`${name}-${++agentsMade}`, random, this.sent);
    this.#connections = CONNECTIONS.flatMap(({ transport, connections, agents }) =>
      Array.from({ length: connections }, () => ({ transport, agents: Array.from({ length: agents }, newAgent) })),
    );
  }

  static async create(runtime: Runtime, name: string, random: Random): Promise<Enterprise> {
    const key = await runtime.provision(name);
    return new Enterprise(name, await (await runtime.ask(`id?${name}`)).text(), key, random);
  }

  /** Agents and the operator work until the server is gone. */
  async workUntilKilled(runtime: Runtime): Promise<void> {
    const target = this.#target(runtime);
    const reporting = this.#connections.map(({ transport, agents }) =>
      reportUntilKilled(transport, target, agents, this.#random),
    );
    await Promise.all([...reporting, watch(target), this.#oneTimeRequests.send(runtime)]);
  }

  /** Rebuilds the copy. False if the server was killed before it answered. */
  async rebuild(runtime: Runtime): Promise<boolean> {
    const headers = { authorization: `Bearer ${runtime.operatorKey}` };
    const url = `http://127.0.0.1:${runtime.port}${this.path}/rebuild`;
    const response = await fetch(url, { method: "POST", headers }).catch(() => null);
    if (response !== null && !response.ok) throw new Error(`rebuild: ${response.status} ${await response.text()}`);
    return response !== null;
  }

  /** Sends the final reports of all agents until every one is answered. */
  async finish(runtime: Runtime): Promise<void> {
    const target = this.#target(runtime);
    const connection = await HttpConnection.open(runtime.port);
    for (;;) {
      const finals = this.#connections
        .flatMap(({ agents }) => agents)
        .flatMap((agent) => {
          const report = agent.finalReport();
          return report === null ? [] : [{ agent, report }];
        });
      if (finals.length === 0) break;
      assertNoneRefused(await connection.send(post(target, batchOf(finals.map(({ report }) => report)))));
      for (const { agent } of finals) agent.answered();
    }
    connection.close();
  }

  /** Checks receipts, the gauge, grants, holds and the audit while nothing else runs. */
  async violations(runtime: Runtime, book: PriceBook): Promise<Violation[]> {
    const { sent, path } = this;
    const violations: (Violation | null)[] = [];
    const runs = sent.unchecked;
    while (runs.length > 0) {
      const some = runs.splice(0, RECEIPTS_AT_ONCE);
      const meters = await Promise.all(some.map((run) => readMeter(runtime, `${path}/runs/${run}`)));
      violations.push(...some.map((run, i) => sent.check(run, meters[i] ?? null, book)));
    }
    type Gauge = { used_micros: number; held_micros: number };
    const { used_micros, held_micros } = (await runtime.call("GET", `${path}/gauge`)) as Gauge;
    if (BigInt(used_micros) !== sent.chargedMicros) {
      const what = `${this.name} has used ${used_micros}, its runs were charged ${sent.chargedMicros}`;
      violations.push({ kind: BigInt(used_micros) > sent.chargedMicros ? "doubled" : "lost", what });
    }
    const { rows } = (await runtime.call("GET", `${path}/grants?limit=100`)) as { rows: { id: string }[] };
    const ids = rows.map(({ id }) => id);
    violations.push(
      ...this.#oneTimeRequests.violations(ids, held_micros),
      ...(await auditViolations(runtime, this.name)),
    );
    return violations.filter((violation) => violation !== null);
  }

  #target({ port }: Runtime): Target {
    return { port, path: this.path, key: this.#key };
  }
}

/** The failed checks of the ledger's audit, which also compares the copy. */
export async function auditViolations(runtime: Runtime, enterprise: string): Promise<Violation[]> {
  type Audit = { checks?: { name: string; ok: boolean; detail: string }[] };
  const audit = async () => ((await runtime.call("GET", `/v1/enterprises/${enterprise}/audit`)) as Audit).checks;
  let checks = await audit();
  // An audit of many rows is a job. The same call returns its result once it is done.
  for (; checks === undefined; checks = await audit()) await sleep(AUDIT_POLL_MS);
  const failed = checks.filter(({ ok }) => !ok);
  return failed.map(({ name, detail }) => ({ kind: "wrong", what: `audit of ${enterprise}: ${name}: ${detail}` }));
}

/** The meter of a run's receipt, or null if the ledger does not know the run. */
async function readMeter(runtime: Runtime, path: string): Promise<ReceiptMeter | null> {
  const headers = { authorization: `Bearer ${runtime.operatorKey}` };
  const response = await fetch(`http://127.0.0.1:${runtime.port}${path}`, { headers });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return ((await response.json()) as { meters: ReceiptMeter[] }).meters[0] ?? null;
}
