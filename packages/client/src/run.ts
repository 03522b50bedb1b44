/**
 * The run that an agent works with. It counts tokens, passes on what the ledger asks, and finishes. Counting never waits
 * for the network: it only marks a meter as changed, and the sender reports that meter. The file is long because a run
 * is one object with many parts.
 */
/// <reference lib="esnext.disposable" preserve="true" />
import { type Call, type CallHost, CallState, type Part } from "./call.ts";
import type { Uncounted } from "./counted.ts";
import type { Answer, Ledger } from "./http.ts";
import { Meter } from "./meter.ts";
import { type PriceTiers, STANDARD } from "./tiers.ts";
import { isSame, readUsage, sumOf, type Totals, ZERO_TOTALS } from "./totals.ts";
import type { Trouble } from "./trouble.ts";
import type { Action, DebitAnswer, ItemRefusal, StopReason, Surface, Unit, Usage } from "./wire.ts";

/** What the run is asked to do. `answer` is null if the client decided without the ledger. */
export type ActionEvent = {
  action: Action;
  reason: StopReason | "ledger_unreachable" | null;
  answer: DebitAnswer | null;
};

export type Finished = {
  /** Whether the ledger accepted the final totals of every meter in time. */
  delivered: boolean;
  /** The run's charge according to the last response; null if there was no response. */
  charged_micros: number | null;
  unit: Unit | null;
  /**
   * The meters whose final totals the ledger refused. Sending them again would not help. The code `invalid_usage` is the
   * client's: a part of the usage could not be right, and the rest was sent.
   */
  refused: (ItemRefusal & { model: string; tier: string })[];
  /** The model calls whose usage is missing, because the provider did not state it or not all of it. At most 100. */
  not_counted: Uncounted[];
  /** The models that nothing prices yet. The ledger has kept their usage, and charges it once there is a price. */
  unpriced: string[];
};

/** Which meter of a model a report belongs to. */
export type ReportOptions = {
  /** The price tier, such as `batch`. Default: `standard`. */
  tier?: string;
  /** Whether the totals are an estimate. */
  estimated?: boolean;
};

export type Run = {
  readonly id: string;
  /** Who admitted the run: the ledger, or this client's policy while the ledger could not be reached. */
  readonly admittedBy: "ledger" | "policy";
  /** Aborts at the first `stop`. */
  readonly signal: AbortSignal;
  /** What the run was last asked to do. */
  readonly state: ActionEvent;
  /** Running totals by model, and by "MODEL TIER" for other price tiers. Save them to continue after a restart. */
  readonly totals: Record<string, Totals>;
  /**
   * Sets the running totals of everything that the run has used of this model so far, at one price tier. It never throws:
   * what cannot be right is passed to `onTrouble`, and `finish` returns it in `refused`.
   */
  report(model: string, usage: Usage, options?: ReportOptions): void;
  /** Closes the meter, with exactly these totals if they are given. */
  final(model: string, usage?: Usage, options?: ReportOptions): void;
  call(): Call;
  /** Calls the listener when the action or its reason changes. Returns a function that removes the listener. */
  onAction(listener: (event: ActionEvent) => void): () => void;
  /** Closes all meters. Waits at most `waitMs` (30 s) until the ledger has processed them. */
  finish(options?: { waitMs?: number }): Promise<Finished>;
  /** Finishes the run, also when an error is thrown: `await using run = started.run`. */
  [Symbol.asyncDispose](): Promise<void>;
};

export class RunStopped extends Error {
  readonly reason: ActionEvent["reason"];

  constructor(reason: ActionEvent["reason"]) {
    super(`The ledger asks this run to stop: ${reason}`);
    this.name = "RunStopped";
    this.reason = reason;
  }
}

/** The part of the sender that a run uses. */
export type ReportQueue = {
  /** Sends the meter's totals soon. */
  markChanged(meter: Meter<RunState>): void;
  /** Stops sending a meter that was merged into another one. */
  drop(meter: Meter<RunState>): void;
  forget(run: RunState): void;
  /** Waits until the condition holds. Returns false if it does not hold within `waitMs`. */
  waitUntil(isDone: () => boolean, waitMs: number): Promise<boolean>;
};

type Attribution = { surface: Surface; workspace: string; user: string; group?: string };

type RunSetup = {
  id: string;
  attribution: Attribution;
  admittedBy: Run["admittedBy"];
  /** When the run started, by the ledger's clock; null until the ledger has stated its time. */
  startedAt: string | null;
  startedSteadyMs: number;
  held: boolean;
  totals: Record<string, Usage>;
  keep: ((totals: Record<string, Totals>) => unknown) | undefined;
  queue: ReportQueue;
  ledger: Ledger;
  tiers: PriceTiers;
  onTrouble(trouble: Trouble): void;
};

const FINISH_WAIT_MS = 30_000;
/** The refusals that stop a run which the policy admitted while the ledger could not be reached. */
const LATE_STOPS = ["credits_exhausted", "spend_cap_reached", "budget_exhausted", "enterprise_suspended"] as const;
/** Matches dated model names such as claude-x-20250929, gpt-x-2025-08-07 and claude-x@20250929. */
const DATE_OF_MODEL = /[-@](\d{8}|\d{4}-\d{2}-\d{2})$/;
/** How many of a run's calls are named whose usage is missing, and how many whose usage cannot be right. */
const MAX_NAMED = 100;
const MAX_REPORT_AFTER_MS = 60_000;

export class RunState implements Run, CallHost {
  readonly id: string;
  readonly admittedBy: Run["admittedBy"];
  readonly setup: RunSetup;
  startedAt: string | null;
  state: ActionEvent = { action: "continue", reason: null, answer: null };
  readonly #meters = new Map<string, Meter<RunState>>();
  /** The canonical name of each meter that was reported under another name. */
  readonly #canonical = new Map<string, string>();
  readonly #listeners = new Set<(event: ActionEvent) => void>();
  readonly #controller = new AbortController();
  /** How long the ledger asks this run to collect usage before it reports again. */
  reportAfterMs = 0;
  readonly #waitingCalls = new Set<CallState>();
  readonly #notCounted: Uncounted[] = [];
  /** The usage of which a part could not be right when it was last reported. */
  readonly #invalid = new Map<string, Finished["refused"][number]>();
  #calls = 0;
  #finished = false;
  /** Whether the ledger is an earlier version, which has neither tiers nor further kinds. */
  isPlain = false;

  constructor(setup: RunSetup) {
    this.setup = setup;
    this.id = setup.id;
    this.admittedBy = setup.admittedBy;
    this.startedAt = setup.startedAt;
    for (const [meter, usage] of Object.entries(setup.totals)) {
      const [model = "", tier = STANDARD] = meter.split(" ");
      this.report(model, usage, { tier });
    }
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get totals(): Record<string, Totals> {
    // A map, because a model may be named like a member of every object, such as `constructor`.
    const totals = new Map<string, Totals>();
    for (const meter of this.#meters.values()) {
      for (const [name, part] of meter.byName()) {
        // Usage whose tier is not known yet is saved as standard, so that a restart does not lose it.
        const key = keyOf(name, meter.tier ?? STANDARD);
        totals.set(key, sumOf([totals.get(key) ?? ZERO_TOTALS, part]));
      }
    }
    return Object.fromEntries(totals);
  }

  get settled(): boolean {
    return [...this.#meters.values()].every((meter) => meter.settled);
  }

  report(model: string, usage: Usage, { tier = STANDARD, estimated = false }: ReportOptions = {}): void {
    const before = this.#meterOf(model, tier).part("=", model);
    this.setPart("=", { model, tier, totals: this.checkUsage("=", model, usage, before, tier), estimated });
  }

  final(model: string, usage?: Usage, options: ReportOptions = {}): void {
    if (usage !== undefined) this.report(model, usage, options);
    this.#close(this.#meterOf(model, options.tier ?? STANDARD));
  }

  call(): Call {
    const call = new CallState(this, String(++this.#calls));
    return {
      update: (model, usage, options) => call.update(model, usage, options),
      set: (counted) => call.set(counted),
      end: (uncounted) => call.end(uncounted),
    };
  }

  onAction(listener: (event: ActionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async finish({ waitMs = FINISH_WAIT_MS }: { waitMs?: number } = {}): Promise<Finished> {
    const { queue, ledger, held } = this.setup;
    this.#finished = true;
    for (const meter of this.#meters.values()) this.#close(meter);
    const settled = await queue.waitUntil(() => this.settled, waitMs);
    if (settled) queue.forget(this);
    const meters = [...this.#meters.values()];
    // The last final report ends the hold. If the ledger accepted no final report, release the hold explicitly.
    if (held && meters.every((meter) => meter.refused !== null)) {
      await releaseHold(ledger, this.id);
    }
    const refused = meters.flatMap(({ refused, model, tier }) =>
      refused === null ? [] : [{ model, tier: tier ?? STANDARD, ...refused }],
    );
    refused.push(...this.#invalid.values());
    const { answer } = this.state;
    return {
      delivered: settled && refused.length === 0,
      charged_micros: answer?.run_total_micros ?? null,
      unit: answer?.unit ?? null,
      refused,
      not_counted: [...this.#notCounted],
      unpriced: [...new Set(meters.filter(({ priced }) => !priced).map(({ model }) => model))],
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.finish();
  }

  tierOf(model: string, serviceTier: string | undefined, promptTokens: number): string | null {
    return this.setup.tiers.tierOf(model, serviceTier, promptTokens);
  }

  checkUsage(key: string, model: string, usage: unknown, before: Totals | undefined, tier = STANDARD): Totals {
    const { totals, wrong } = readUsage(usage, before);
    const name = `${key} ${keyOf(model, tier)}`;
    if (wrong === null) this.#invalid.delete(name);
    else if (!this.#invalid.has(name) && this.#invalid.size < MAX_NAMED) {
      // It is reported once, not for each token of a stream.
      this.#invalid.set(name, { model, tier, status: 0, code: "invalid_usage", detail: wrong });
      this.setup.onTrouble({ kind: "invalid_usage", run: this.id, model, detail: wrong });
    }
    return totals;
  }

  setPart(key: string, { model, tier, totals, estimated }: Part): void {
    const meter = this.#meterOf(model, tier);
    const before = meter.part(key, model);
    if (before !== undefined && isSame(before, totals) && meter.estimated >= estimated) return;
    meter.setPart(key, model, totals);
    meter.estimated ||= estimated;
    this.setup.queue.markChanged(meter);
  }

  removePart(key: string, { model, tier }: Part): void {
    const meter = this.#meterOf(model, tier);
    if (!meter.removePart(key, model)) return;
    if (!meter.unused) {
      this.setup.queue.markChanged(meter);
      return;
    }
    this.#meters.delete(keyOf(meter.model, meter.tier));
    this.setup.queue.drop(meter);
  }

  endPart(key: string, { model, tier }: Part): void {
    this.#meterOf(model, tier).endPart(key, model);
  }

  callWaits(call: CallState): void {
    this.#waitingCalls.add(call);
  }

  callEnded(uncounted: Uncounted | null): void {
    if (uncounted === null) return;
    const { partial, model, reason, detail } = uncounted;
    if (this.#notCounted.length < MAX_NAMED) this.#notCounted.push(uncounted);
    const kind = partial ? "partial_usage" : "no_usage";
    this.setup.onTrouble({ kind, run: this.id, model, reason, detail });
  }

  /** Places the usage of calls whose tier was not known, as far as it is known now. */
  settleTiers(): void {
    for (const call of this.#waitingCalls) {
      call.settle();
      if (!call.isWaiting) this.#waitingCalls.delete(call);
    }
  }

  /** Handles the ledger's response to a report of this meter. */
  handleAnswer(meter: Meter<RunState>, answer: DebitAnswer): void {
    this.#setCanonicalName(meter, answer.model);
    // Earlier versions of the ledger state neither of these two fields.
    meter.priced = answer.priced !== false;
    const { report_after_ms: afterMs } = answer;
    if (typeof afterMs === "number" && afterMs >= 0) this.reportAfterMs = Math.min(afterMs, MAX_REPORT_AFTER_MS);
    this.setAction({ action: answer.action, reason: answer.reason, answer });
  }

  /** Reports this run without tiers and further kinds from now on, because the ledger does not know them. */
  usePlainReports(): void {
    this.isPlain = true;
    for (const meter of [...this.#meters.values()]) {
      const { model, tier } = meter;
      if (tier !== null && tier !== STANDARD) {
        this.#meters.delete(keyOf(model, tier));
        this.#meterOf(model, STANDARD).absorb(meter);
        this.setup.queue.drop(meter);
      }
    }
    for (const meter of this.#meters.values()) this.setup.queue.markChanged(meter);
  }

  /** Removes the date from a model name that the price book lacks. Returns false if the name has no date. */
  retryUndated(meter: Meter<RunState>): boolean {
    const undated = meter.model.replace(DATE_OF_MODEL, "");
    if (undated === meter.model) return false;
    this.#setCanonicalName(meter, undated);
    this.setup.queue.markChanged(this.#meterOf(undated, meter.tier));
    return true;
  }

  /** Handles a refusal of a run that the policy admitted before the client could register it. */
  handleLateRefusal({ body }: Answer): void {
    const { code } = body;
    const reason = LATE_STOPS.find((known) => known === code);
    if (reason !== undefined) this.setAction({ action: "stop", reason, answer: null });
  }

  setAction(event: ActionEvent): void {
    const before = this.state;
    this.state = { ...event, answer: event.answer ?? before.answer };
    if (before.action === event.action && before.reason === event.reason) return;
    for (const listener of this.#listeners) {
      try {
        listener(this.state);
      } catch (error) {
        this.setup.onTrouble({ kind: "listener_failed", run: this.id, detail: String(error) });
      }
    }
    if (event.action === "stop") this.#controller.abort(new RunStopped(event.reason));
  }

  #close(meter: Meter<RunState>): void {
    if (meter.final) return;
    meter.final = true;
    this.setup.queue.markChanged(meter);
  }

  #meterOf(name: string, calledTier: string | null): Meter<RunState> {
    const tier = this.isPlain && calledTier !== null ? STANDARD : calledTier;
    const model = this.#canonical.get(keyOf(name, tier)) ?? name;
    const known = this.#meters.get(keyOf(model, tier));
    if (known !== undefined) return known;
    const meter = new Meter<RunState>(this, model, tier);
    meter.final = this.#finished;
    this.#meters.set(keyOf(model, tier), meter);
    return meter;
  }

  /** Merges the meters of an alias and its model: the totals under both names add up. */
  #setCanonicalName(meter: Meter<RunState>, canonical: string): void {
    const { model, tier } = meter;
    if (model === canonical || this.#meters.get(keyOf(model, tier)) !== meter) return;
    this.#canonical.set(keyOf(model, tier), canonical);
    this.#meters.delete(keyOf(model, tier));
    const other = this.#meters.get(keyOf(canonical, tier));
    if (other === undefined) {
      meter.model = canonical;
      this.#meters.set(keyOf(canonical, tier), meter);
      return;
    }
    other.absorb(meter);
    this.setup.queue.drop(meter);
    this.setup.queue.markChanged(other);
  }
}

/** Ends a run's hold. */
export function releaseHold(ledger: Ledger, run: string): Promise<Answer> {
  return ledger.call("DELETE", `/runs/${encodeURIComponent(run)}/hold`);
}

/** The name of a meter in `run.totals`. `?` is the tier of usage that waits for its tier. */
function keyOf(model: string, tier: string | null): string {
  return tier === STANDARD ? model : `${model} ${tier ?? "?"}`;
}
