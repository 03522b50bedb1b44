/**
 * The run that an agent works with. It counts tokens, passes on what the ledger asks, and finishes. Counting never waits
 * for the network. It only marks a meter as changed, and the sender reports that meter.
 */
import type { Answer, Ledger } from "./http.ts";
import { Meter } from "./meter.ts";
import { isSame, sumOf, type Totals, totalsOf, ZERO_TOTALS } from "./totals.ts";
import type { Trouble } from "./trouble.ts";
import type { Action, DebitAnswer, ItemRefusal, StopReason, Surface, Unit, Usage } from "./wire.ts";

/** What the run is asked to do. `answer` is null if the client decided without the ledger. */
export type ActionEvent = {
  action: Action;
  reason: StopReason | "ledger_unreachable" | null;
  answer: DebitAnswer | null;
};

export type Finished = {
  /** Whether the ledger accepted or refused every meter's final totals in time. If false, the client keeps sending. */
  delivered: boolean;
  /** The run's charge according to the last response; null if there was no response. */
  charged_micros: number | null;
  unit: Unit | null;
  refused: (ItemRefusal & { model: string })[];
};

/** One model call within a run. Its running totals are added to those of the run's other calls. */
export type Call = {
  /** Sets the call's running totals for a model. A call that uses several models updates each of them. */
  update(model: string, usage: Usage): void;
  /** Ends the call, whether it succeeded or not. The run keeps the call's totals, and ignores later updates. */
  end(): void;
};

export type Run = {
  readonly id: string;
  /** Who admitted the run: the ledger, or this client's policy while the ledger could not be reached. */
  readonly admittedBy: "ledger" | "policy";
  /** Aborts at the first `stop`. */
  readonly signal: AbortSignal;
  /** What the run was last asked to do. */
  readonly state: ActionEvent;
  /** Running totals by model name. Save them to continue the run after a restart. */
  readonly totals: Record<string, Totals>;
  /** Sets the running totals of everything that the run has used of this model so far. */
  report(model: string, usage: Usage): void;
  /** Closes the meter, with exactly these totals if they are given. */
  final(model: string, usage?: Usage): void;
  call(): Call;
  /** Calls the listener when the action or its reason changes. Returns a function that removes the listener. */
  onAction(listener: (event: ActionEvent) => void): () => void;
  /** Closes all meters. Waits at most `waitMs` (30 s) until the ledger has processed them. */
  finish(options?: { waitMs?: number }): Promise<Finished>;
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
  onTrouble(trouble: Trouble): void;
};

const FINISH_WAIT_MS = 30_000;
/** Matches dated model names such as claude-x-20250929, gpt-x-2025-08-07 and claude-x@20250929. */
const DATE_OF_MODEL = /[-@](\d{8}|\d{4}-\d{2}-\d{2})$/;
const NO_USAGE =
  "a model call ended without stating its usage; a chat stream of OpenAI needs stream_options: {include_usage: true}";

export class RunState implements Run {
  readonly id: string;
  readonly admittedBy: Run["admittedBy"];
  readonly setup: RunSetup;
  startedAt: string | null;
  state: ActionEvent = { action: "continue", reason: null, answer: null };
  readonly #meters = new Map<string, Meter<RunState>>();
  /** The canonical name of each model that was reported under another name. */
  readonly #canonical = new Map<string, string>();
  readonly #listeners = new Set<(event: ActionEvent) => void>();
  readonly #controller = new AbortController();
  #calls = 0;

  constructor(setup: RunSetup) {
    this.setup = setup;
    this.id = setup.id;
    this.admittedBy = setup.admittedBy;
    this.startedAt = setup.startedAt;
    for (const [model, usage] of Object.entries(setup.totals)) this.report(model, usage);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get totals(): Record<string, Totals> {
    const totals: Record<string, Totals> = {};
    for (const meter of this.#meters.values()) {
      for (const [name, part] of meter.byName()) totals[name] = sumOf([totals[name] ?? ZERO_TOTALS, part]);
    }
    return totals;
  }

  get settled(): boolean {
    return [...this.#meters.values()].every((meter) => meter.settled);
  }

  report(model: string, usage: Usage): void {
    this.#setTotals(model, "=", totalsOf(usage));
  }

  final(model: string, usage?: Usage): void {
    if (usage !== undefined) this.report(model, usage);
    this.#close(this.#meterOf(model));
  }

  call(): Call {
    const key = String(++this.#calls);
    const models = new Set<string>();
    let ended = false;
    return {
      update: (model, usage) => {
        if (ended) return;
        models.add(model);
        this.#setTotals(model, key, totalsOf(usage));
      },
      end: () => {
        if (ended) return;
        ended = true;
        if (models.size === 0) this.setup.onTrouble({ kind: "no_usage", run: this.id, detail: NO_USAGE });
        for (const model of models) this.#meterOf(model).endPart(key, model);
        models.clear();
      },
    };
  }

  onAction(listener: (event: ActionEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async finish({ waitMs = FINISH_WAIT_MS }: { waitMs?: number } = {}): Promise<Finished> {
    const { queue, ledger, held } = this.setup;
    for (const meter of this.#meters.values()) if (!meter.final) this.#close(meter);
    const delivered = await queue.waitUntil(() => this.settled, waitMs);
    if (delivered) queue.forget(this);
    const meters = [...this.#meters.values()];
    // The last final report ends the hold. If the ledger accepted no final report, release the hold explicitly.
    if (held && meters.every((meter) => meter.refused !== null)) {
      await ledger.call("DELETE", `/runs/${encodeURIComponent(this.id)}/hold`);
    }
    const refused = meters.flatMap((meter) =>
      meter.refused === null ? [] : [{ model: meter.model, ...meter.refused }],
    );
    const { answer } = this.state;
    return { delivered, charged_micros: answer?.run_total_micros ?? null, unit: answer?.unit ?? null, refused };
  }

  /** Handles the ledger's response to a report of this meter. */
  handleAnswer(meter: Meter<RunState>, answer: DebitAnswer): void {
    this.#setCanonicalName(meter, answer.model);
    this.setAction({ action: answer.action, reason: answer.reason, answer });
  }

  /** Removes the date from a model name that the price book lacks. Returns false if the name has no date. */
  retryUndated(meter: Meter<RunState>): boolean {
    const undated = meter.model.replace(DATE_OF_MODEL, "");
    if (undated === meter.model) return false;
    this.#setCanonicalName(meter, undated);
    this.setup.queue.markChanged(this.#meterOf(undated));
    return true;
  }

  /** Handles a refusal of a run that the policy admitted before the client could register it. */
  handleLateRefusal({ body }: Answer): void {
    const { code } = body;
    if (code !== "credits_exhausted" && code !== "spend_cap_reached" && code !== "enterprise_suspended") return;
    this.setAction({ action: "stop", reason: code, answer: null });
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

  #setTotals(model: string, key: string, totals: Totals): void {
    const meter = this.#meterOf(model);
    const before = meter.part(key, model);
    if (before !== undefined && isSame(before, totals)) return;
    meter.setPart(key, model, totals);
    this.setup.queue.markChanged(meter);
  }

  #close(meter: Meter<RunState>): void {
    if (meter.final) return;
    meter.final = true;
    this.setup.queue.markChanged(meter);
  }

  #meterOf(name: string): Meter<RunState> {
    const model = this.#canonical.get(name) ?? name;
    const known = this.#meters.get(model);
    if (known !== undefined) return known;
    const meter = new Meter<RunState>(this, model);
    this.#meters.set(model, meter);
    return meter;
  }

  /** Merges the meters of an alias and its model: the totals under both names add up. */
  #setCanonicalName(meter: Meter<RunState>, canonical: string): void {
    if (meter.model === canonical || this.#meters.get(meter.model) !== meter) return;
    this.#canonical.set(meter.model, canonical);
    this.#meters.delete(meter.model);
    const other = this.#meters.get(canonical);
    if (other === undefined) {
      meter.model = canonical;
      this.#meters.set(canonical, meter);
      return;
    }
    other.absorb(meter);
    this.setup.queue.drop(meter);
    this.setup.queue.markChanged(other);
  }
}
