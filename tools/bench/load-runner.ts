// Runs all loads in rounds, each for a short time, so that loads that are compared run within the same minute.
// A load that debits runs until the projection has started before it is measured, so that the projection's work is
// included. Before a load that writes nothing, and before PostgreSQL's turn, the copy may catch up.

import { bearer, requestBytes } from "../workerd/http-connection.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { type Load, type Measured, runClosed, runOpen, type Timing } from "./http-load.ts";
import type { Postgres } from "./postgres.ts";
import { runSockets } from "./socket-load.ts";
import { Reporter } from "./workload.ts";

export const CONNECTIONS = 32;
export const BATCH = 100;
/** Fewer than for single debits, because a batch has a hundred reports and must be answered within a turn. */
export const BATCH_CONNECTIONS = 8;
export const IN_FLIGHT = 16;
/** Long enough for the projection to start. */
const PROJECTION_LEAD_MS = 2_700;
const SHORT_LEAD_MS = 300;

export const LOAD_NAMES = [
  "empty",
  "httpEmpty",
  "gauge",
  "single",
  "socket",
  "socketDeep",
  "batch",
  "postgres",
  "postgresBatch",
] as const;
export type LoadName = (typeof LOAD_NAMES)[number];

/** The result of one load in one round. `cpuMs` is workerd's CPU time per request, null if it is unknown. */
export interface Turn extends Measured {
  cpuMs: number | null;
}

/** Runs loads against one enterprise, and against PostgreSQL if there is one. */
export class LoadRunner {
  readonly #runtime: Runtime;
  readonly #postgres: Postgres | null;
  readonly #enterprise: string;
  readonly #key: string;
  readonly #runs: string;
  #turns = 0;

  /** @param of `runs` is how the ids of its runs begin: two runners that use the same PostgreSQL need different ones */
  constructor(runtime: Runtime, postgres: Postgres | null, of: { enterprise: string; key: string; runs?: string }) {
    const { enterprise, key, runs = "run" } = of;
    this.#runtime = runtime;
    this.#postgres = postgres;
    this.#enterprise = enterprise;
    this.#key = key;
    this.#runs = runs;
  }

  /** Runs each load once. */
  async round(measureMs: number): Promise<Partial<Record<LoadName, Turn>>> {
    const turns: Partial<Record<LoadName, Turn>> = {};
    const take = async (name: LoadName, leadMs: number): Promise<void> => {
      turns[name] = await this.#turn(name, { leadMs, measureMs });
    };
    await this.#runtime.drain(this.#enterprise);
    await take("empty", SHORT_LEAD_MS);
    await take("httpEmpty", SHORT_LEAD_MS);
    await take("gauge", SHORT_LEAD_MS);
    await take("single", PROJECTION_LEAD_MS);
    await take("socket", SHORT_LEAD_MS);
    await take("socketDeep", SHORT_LEAD_MS);
    await take("batch", SHORT_LEAD_MS);
    await this.#runtime.drain(this.#enterprise);
    if (this.#postgres !== null) {
      await take("postgres", SHORT_LEAD_MS);
      await take("postgresBatch", SHORT_LEAD_MS);
    }
    return turns;
  }

  /** Runs empty calls and debits in turn, at a rate below what the object can handle. */
  async latencyRound(perSecond: number, measureMs: number): Promise<{ empty: Measured; single: Measured }> {
    await this.#runtime.drain(this.#enterprise);
    const empty = await runOpen(this.#emptyLoad(), CONNECTIONS, perSecond, { leadMs: SHORT_LEAD_MS, measureMs });
    const timing = { leadMs: PROJECTION_LEAD_MS, measureMs };
    const single = await runOpen(this.#debitLoad(), CONNECTIONS, perSecond, timing);
    return { empty, single };
  }

  /** Runs one load. */
  run(name: LoadName, timing: Timing): Promise<Measured> {
    switch (name) {
      case "empty":
        return runClosed(this.#emptyLoad(), CONNECTIONS, timing);
      case "httpEmpty":
        return runClosed(this.#httpEmptyLoad(), CONNECTIONS, timing);
      case "gauge":
        return runClosed(this.#gaugeLoad(), CONNECTIONS, timing);
      case "single":
        return runClosed(this.#debitLoad(), CONNECTIONS, timing);
      case "socket":
        return this.#sockets(1, timing);
      case "socketDeep":
        return this.#sockets(IN_FLIGHT, timing);
      case "batch":
        return runClosed(this.#batchLoad(), BATCH_CONNECTIONS, timing);
      case "postgres":
        return runClosed(this.#debitLoad(this.#postgres as Postgres), CONNECTIONS, timing);
      case "postgresBatch":
        return runClosed(this.#batchLoad(this.#postgres as Postgres), BATCH_CONNECTIONS, timing);
      default:
        return name satisfies never;
    }
  }

  #emptyLoad(): Load {
    const request = requestBytes("GET", `/bench/empty?${this.#enterprise}`, {});
    return { port: this.#runtime.port, next: () => request };
  }

  #debitLoad(server = this.#fuelgauge()): Load {
    const reporters = this.#reporters(1);
    return { port: server.port, next: (i) => this.#post(server.key, (reporters[i] as Reporter).next()) };
  }

  /** Sends the same requests as debits to a path that handles them like debits around an empty call. */
  #httpEmptyLoad(): Load {
    const reporters = this.#reporters(1);
    const next = (i: number) =>
      requestBytes("POST", "/bench-http-empty", bearer(this.#key), (reporters[i] as Reporter).next());
    return { port: this.#runtime.port, next };
  }

  #gaugeLoad(): Load {
    const request = requestBytes("GET", `/v1/enterprises/${this.#enterprise}/gauge`, bearer(this.#key));
    return { port: this.#runtime.port, next: () => request };
  }

  #batchLoad(server = this.#fuelgauge()): Load {
    const reporters = this.#reporters(BATCH);
    return { port: server.port, next: (i) => this.#post(server.key, (reporters[i] as Reporter).nextBatch(BATCH)) };
  }

  #sockets(inFlight: number, timing: Timing): Promise<Measured> {
    const reporters = this.#reporters(inFlight);
    const next = (socket: number, id: number) => `{"id":${id},${(reporters[socket] as Reporter).next().slice(1)}`;
    const path = `/v1/enterprises/${this.#enterprise}/debits/stream`;
    const address = { port: this.#runtime.port, path, key: this.#key };
    return runSockets(address, { sockets: CONNECTIONS, inFlight, next }, timing);
  }

  #fuelgauge(): Pick<Postgres, "port" | "key"> {
    return { port: this.#runtime.port, key: this.#key };
  }

  #post(key: string, body: string): Buffer {
    return requestBytes("POST", `/v1/enterprises/${this.#enterprise}/debits`, bearer(key), body);
  }

  #reporters(width: number): Reporter[] {
    this.#turns += 1;
    return Array.from({ length: CONNECTIONS }, (_, i) => new Reporter(`${this.#runs}-${this.#turns}-${i}`, width));
  }

  /** CPU time covers the lead time too, so it is divided by all answers, including those of the lead time. */
  async #turn(name: LoadName, timing: Timing): Promise<Turn> {
    const beforeMs = this.#runtime.cpuMs();
    const measured = await this.run(name, timing);
    const afterMs = this.#runtime.cpuMs();
    const isKnown = beforeMs !== null && afterMs !== null && !name.startsWith("postgres");
    return { ...measured, cpuMs: isKnown ? (afterMs - beforeMs) / measured.answers : null };
  }
}
