/**
 * The main entry: `createFuelgauge` makes a client that starts runs, reports what they use, and passes on what the ledger
 * asks. It runs wherever `fetch` exists: Node ≥ 20, Deno, Bun, Workers and browsers. The client sends each report until
 * the ledger responds to it. `whenUnreachable` decides whether new runs may start while the ledger cannot be reached.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { askToStart, type NamedStart, type Refusal, registerRun, type StartOptions } from "./admission.ts";
import { type Clock, realClock } from "./clock.ts";
import { connectHttp, type Fetch, type Key } from "./http.ts";
import { type Run, RunState, releaseHold } from "./run.ts";
import { Sender } from "./sender.ts";
import { PriceTiers } from "./tiers.ts";
import { KINDS } from "./totals.ts";
import { httpTransport, type MakeTransport } from "./transport.ts";
import type { Trouble } from "./trouble.ts";
import type { Gauge, Hold, Usage } from "./wire.ts";

export type { Refusal, RefusalCode, StartOptions } from "./admission.ts";
export type { Call, CallOptions } from "./call.ts";
export type { Clock } from "./clock.ts";
export type { Counted, Uncounted } from "./counted.ts";
export type { Fetch, Key } from "./http.ts";
export { type ActionEvent, type Finished, type ReportOptions, type Run, RunStopped } from "./run.ts";
export type { Totals } from "./totals.ts";
export type { MakeTransport, Transport } from "./transport.ts";
export type { Trouble } from "./trouble.ts";
export type { Action, DebitAnswer, Gauge, Hold, Report, StopReason, Surface, Usage } from "./wire.ts";

/** Lets runs start while the ledger cannot be reached, within limits. Their reports are sent later. */
export type OpenPolicy = {
  policy: "open";
  /** How many runs may start without the ledger. The next one is refused. */
  maxRuns: number;
  /** How much usage may be unreported. Above this limit no run starts, and runs in progress are asked to stop. */
  maxUnreported: number;
  /**
   * Returns how much a meter's totals count toward `maxUnreported`, for example their cost. Default: all tokens, which
   * also count where this function throws or does not return a number.
   */
  weigh?: (model: string, usage: Usage) => number;
};

export type FuelgaugeOptions = {
  /** The address of your Fuelgauge, such as https://fuelgauge.example.com. A TypeError is thrown for any other form. */
  url: string;
  enterprise: string;
  /** A key with the scope `debit`, or a function that returns the current one. */
  key: Key;
  /** "closed" (the default): no run starts without the ledger. */
  whenUnreachable?: "closed" | OpenPolicy;
  /** How long `startRun` tries before it treats the ledger as unreachable, in ms. Default: 5,000. */
  startLimitMs?: number;
  /** How long one request may take, in ms. Default: 10,000. */
  timeoutMs?: number;
  /** How many runs may have unreported usage. Above this limit no run starts. Default: 10,000. */
  maxRuns?: number;
  transport?: MakeTransport;
  onTrouble?: (trouble: Trouble) => void;
  fetch?: Fetch;
  clock?: Clock;
  random?: () => number;
};

/** Whether the run may start. A refusal is a value with the ledger's code. */
export type Started =
  | { admitted: true; run: Run; hold: Hold | null; gauge: Gauge | null }
  | { admitted: false; refusal: Refusal };

export type Fuelgauge = {
  startRun(options: StartOptions): Promise<Started>;
  /** Waits until the ledger has processed all reports. Returns false if that takes longer than `waitMs` (30 s). */
  flush(options?: { waitMs?: number }): Promise<boolean>;
  /** Stops sending immediately, and ends every wait for the ledger. */
  close(): void;
  /** Sends what is left, for at most 5 s, and closes the client: `await using fuelgauge = createFuelgauge(…)`. */
  [Symbol.asyncDispose](): Promise<void>;
};

export function createFuelgauge(options: FuelgaugeOptions): Fuelgauge {
  requireAddress(options);
  const { clock = realClock, random = Math.random, timeoutMs = 10_000, startLimitMs = 5_000 } = options;
  const { maxRuns = 10_000, whenUnreachable = "closed" } = options;
  const onTrouble = (trouble: Trouble) => {
    try {
      options.onTrouble?.(trouble);
    } catch {
      // A logger that fails must not stop the reporting.
    }
  };
  // Looks up `fetch` at each call, so tests can replace it. Browsers and Workers require a call without a receiver.
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const { url, enterprise, key } = options;
  const open = whenUnreachable === "closed" ? null : whenUnreachable;
  const ledger = connectHttp({ url, enterprise, key, fetch, clock, timeoutMs });
  const http = httpTransport(ledger);
  const context = { ledger, clock, random };
  const tiers = new PriceTiers(ledger, clock, random);
  const startOptions = new WeakMap<Run, NamedStart>();
  const sender = new Sender({
    ...context,
    tiers,
    transport: options.transport?.({ ...context, timeoutMs, http }) ?? http,
    limit: open && { maxUnreported: open.maxUnreported, weigh: safeWeigh(open.weigh, onTrouble) },
    register: (run) => registerRun(context, run, startOptions.get(run) as NamedStart),
    onTrouble,
  });

  const begin = (start: NamedStart, admittedBy: Run["admittedBy"], startedAt: string | null): Run => {
    const { surface, workspace, user, group, totals = {}, holdMicros = 0, keep } = start;
    const run = new RunState({
      id: start.run,
      attribution: { surface, workspace, user, ...(group === undefined ? {} : { group }) },
      admittedBy,
      startedAt,
      startedSteadyMs: clock.steadyMs(),
      held: holdMicros > 0,
      totals,
      keep,
      queue: sender,
      ledger,
      tiers,
      onTrouble,
    });
    startOptions.set(run, start);
    if (admittedBy === "policy") sender.add(run);
    return run;
  };

  return {
    async startRun(options) {
      const start = { ...options, run: options.run ?? newId() };
      if (sender.closed) return refuseClosed();
      if (sender.runs.size >= maxRuns) return refuse("too_many_runs", `${sender.runs.size} runs have unreported usage`);
      const admission = await askToStart(context, start, startLimitMs);
      if (sender.closed) {
        // The client was closed meanwhile. Nothing would end the run's hold before it expires.
        if (admission.admitted && admission.hold !== null) void releaseHold(ledger, start.run);
        return refuseClosed();
      }
      if (admission.admitted) {
        const { hold, gauge } = admission;
        if (admission.known && start.totals === undefined) {
          onTrouble({ kind: "totals_missing", run: start.run, detail: TOTALS_MISSING });
        }
        return { admitted: true, run: begin(start, "ledger", admission.startedAt), hold, gauge };
      }
      if (open === null || !admission.unreachable) return { admitted: false, refusal: admission.refusal };
      const unregistered = [...sender.runs].filter((run) => run.startedAt === null).length;
      if (unregistered >= open.maxRuns || sender.overLimit) return { admitted: false, refusal: admission.refusal };
      return { admitted: true, run: begin(start, "policy", null), hold: null, gauge: null };
    },
    flush: ({ waitMs = 30_000 } = {}) => sender.flush(waitMs),
    close: () => sender.close(),
    async [Symbol.asyncDispose]() {
      await sender.flush(DISPOSE_WAIT_MS);
      sender.close();
    },
  };
}

function refuseClosed(): Started {
  return refuse("client_closed", "the client was closed, so it sends no reports");
}

const DISPOSE_WAIT_MS = 5_000;
const TOTALS_MISSING = "the ledger already knows this run: pass its saved totals, or {} if it had used nothing";

/** Browsers have `randomUUID` only on pages that came over https. */
function newId(): string {
  if (typeof crypto.randomUUID === "function") return crypto.randomUUID();
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Finds a missing variable when the program starts. Later it would look like an outage of the ledger. */
function requireAddress({ url, enterprise, key }: FuelgaugeOptions): void {
  if (!/^https?:\/\/./.test(url)) throw new TypeError(`url must begin with https:// or http://, not "${url}"`);
  if (!enterprise) throw new TypeError("enterprise must not be empty");
  if (!key) throw new TypeError("key must not be empty");
}

/** A `weigh` that fails must neither throw into the agent nor switch the limit off, so all tokens count instead. */
function safeWeigh(weigh: OpenPolicy["weigh"], onTrouble: (trouble: Trouble) => void): typeof allTokens {
  if (weigh === undefined) return allTokens;
  let isKnown = false;
  return (model, usage) => {
    let detail: string;
    try {
      const weight = weigh(model, usage);
      if (Number.isFinite(weight)) return weight;
      detail = `weigh returned ${String(weight)} for ${model}`;
    } catch (error) {
      detail = String(error);
    }
    if (!isKnown) onTrouble({ kind: "weigh_failed", detail });
    isKnown = true;
    return allTokens(model, usage);
  };
}

function refuse(code: Refusal["code"], detail: string): Started {
  return { admitted: false, refusal: { code, status: 0, detail } };
}

function allTokens(_model: string, usage: Usage): number {
  return KINDS.reduce((sum, kind) => sum + (usage[kind] ?? 0), 0);
}
