/**
 * What an agent imports: start a run, report what it uses, hear what the ledger asks. It runs wherever there is
 * `fetch`: Node ≥ 20, Deno, Bun, Workers, browsers; it depends on nothing. Reports are facts and are sent until they
 * are answered; whether new runs may start while the ledger cannot be reached is a policy that stands here.
 */
import { askToStart, introduce, type Refusal, type StartOptions } from "./admission.ts";
import { type Clock, realClock } from "./clock.ts";
import { connectHttp, type Fetch, type Key } from "./http.ts";
import { type Run, RunState } from "./run.ts";
import { Sender } from "./sender.ts";
import { KINDS } from "./totals.ts";
import { httpTransport, type MakeTransport } from "./transport.ts";
import type { Trouble } from "./trouble.ts";
import type { Gauge, Hold, Usage } from "./wire.ts";

export type { Refusal, RefusalCode, StartOptions } from "./admission.ts";
export type { Clock } from "./clock.ts";
export type { Fetch, Key } from "./http.ts";
export { type ActionEvent, type Call, type Finished, type Run, RunStopped } from "./run.ts";
export type { Totals } from "./totals.ts";
export type { MakeTransport, Transport } from "./transport.ts";
export type { Trouble } from "./trouble.ts";
export type { Action, DebitAnswer, Gauge, Hold, Report, StopReason, Surface, Usage } from "./wire.ts";

/** What may happen while the ledger cannot be reached. Reports are kept and sent later either way. */
export type OpenPolicy = {
  policy: "open";
  /** So many runs may start unasked; the next is refused. */
  maxRuns: number;
  /** So much may stand unreported; beyond it no run starts, and those under way are asked to stop. */
  maxUnreported: number;
  /** What a meter's totals weigh against that. All its tokens, unless you say, for instance, what they cost. */
  weigh?: (model: string, usage: Usage) => number;
};

export type FuelgaugeOptions = {
  /** Where Fuelgauge is, such as https://fuelgauge.example.com */
  url: string;
  enterprise: string;
  /** A key of the scope `debit`, or a function that gives the one in force. */
  key: Key;
  /** "closed" (the default): no run starts unasked. */
  whenUnreachable?: "closed" | OpenPolicy;
  /** How long a start may take before the ledger counts as unreachable; 5 s. */
  startLimitMs?: number;
  /** How long one request may take; 10 s. */
  timeoutMs?: number;
  /** So many runs may have something unreported; beyond it none starts. 10,000. */
  maxRuns?: number;
  transport?: MakeTransport;
  onTrouble?: (trouble: Trouble) => void;
  fetch?: Fetch;
  clock?: Clock;
  random?: () => number;
};

/** Whether the run may start; a refusal is a value, with the ledger's code. */
export type Started =
  | { admitted: true; run: Run; hold: Hold | null; gauge: Gauge | null }
  | { admitted: false; refusal: Refusal };

export type Fuelgauge = {
  startRun(options: StartOptions): Promise<Started>;
  /** Waits until all that was counted is answered, at most `waitMs` (30 s); false when the time was too short. */
  flush(options?: { waitMs?: number }): Promise<boolean>;
  /** Ends all sending at once. */
  close(): void;
};

export function createFuelgauge(options: FuelgaugeOptions): Fuelgauge {
  const { clock = realClock, random = Math.random, timeoutMs = 10_000, startLimitMs = 5_000 } = options;
  const { maxRuns = 10_000, whenUnreachable = "closed" } = options;
  const onTrouble = (trouble: Trouble) => {
    try {
      options.onTrouble?.(trouble);
    } catch {
      // A log that fails is no reason to stop reporting.
    }
  };
  // Looked up at each call, and called without an owner, which browsers and Workers insist on.
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const { url, enterprise, key } = options;
  const open = whenUnreachable === "closed" ? null : whenUnreachable;
  const ledger = connectHttp({ url, enterprise, key, fetch, clock, timeoutMs });
  const http = httpTransport(ledger);
  const means = { ledger, clock, random };
  const asked = new WeakMap<Run, StartOptions>();
  const sender = new Sender({
    ...means,
    transport: options.transport?.({ ledger, clock, timeoutMs, http }) ?? http,
    bound: open && { maxUnreported: open.maxUnreported, weigh: open.weigh ?? allTokens },
    introduce: (run) => introduce(means, run, asked.get(run) as StartOptions),
    onTrouble,
  });

  const begin = (start: StartOptions, admittedBy: Run["admittedBy"], startedAt: string | null): Run => {
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
      outbox: sender,
      ledger,
      onTrouble,
    });
    asked.set(run, start);
    if (admittedBy === "policy") sender.enter(run);
    return run;
  };

  return {
    async startRun(start) {
      if (sender.runs.size >= maxRuns) return refuse("too_many_runs", `${sender.runs.size} runs are not yet reported`);
      const answer = await askToStart(means, start, startLimitMs);
      if (answer.admitted) {
        const { hold, gauge } = answer;
        if (answer.known && start.totals === undefined) {
          onTrouble({ kind: "totals_missing", run: start.run, detail: TOTALS_MISSING });
        }
        return { admitted: true, run: begin(start, "ledger", answer.startedAt), hold, gauge };
      }
      if (open === null || !answer.unreachable) return { admitted: false, refusal: answer.refusal };
      const unasked = [...sender.runs].filter((run) => run.startedAt === null).length;
      if (unasked >= open.maxRuns || sender.overdrawn) return { admitted: false, refusal: answer.refusal };
      return { admitted: true, run: begin(start, "policy", null), hold: null, gauge: null };
    },
    flush: ({ waitMs = 30_000 } = {}) => sender.flush(waitMs),
    close: () => sender.close(),
  };
}

const TOTALS_MISSING = "the ledger knows this run: give the totals that were kept, or {} where it had used nothing";

function refuse(code: Refusal["code"], detail: string): Started {
  return { admitted: false, refusal: { code, status: 0, detail } };
}

function allTokens(_model: string, usage: Usage): number {
  return KINDS.reduce((sum, kind) => sum + (usage[kind] ?? 0), 0);
}
