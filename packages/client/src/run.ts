/**
 * One run as its agent sees it: counts tokens, hears what the ledger says, ends. Nothing here waits for the network:
 * counting marks a meter, and the sender takes it from there.
 */
import type { Answered, Ledger } from "./http.ts";
import { Meter } from "./meter.ts";
import { isSame, NOTHING, sumOf, type Totals, totalsOf } from "./totals.ts";
import type { Trouble } from "./trouble.ts";
import type { Action, DebitAnswer, ItemRefusal, StopReason, Surface, Unit, Usage } from "./wire.ts";

/** What a run is asked to do; `answer` is null where the client decided by itself. */
export type ActionEvent = {
  action: Action;
  reason: StopReason | "ledger_unreachable" | null;
  answer: DebitAnswer | null;
};

export type Finished = {
  /** True when every meter's final totals were answered or refused in time; if not, they go on being sent. */
  delivered: boolean;
  /** What the run was charged, by the last answer; null when there was none. */
  charged_micros: number | null;
  unit: Unit | null;
  refused: (ItemRefusal & { model: string })[];
};

/** One call of a model within a run: its own running totals, added to those of the run's other calls. */
export type Call = {
  /** The call's running totals; a call that uses several models says so for each. */
  update(model: string, usage: Usage): void;
  /** The call is over, however it ended. Its totals stay; later updates are ignored. */
  end(): void;
};

export type Run = {
  readonly id: string;
  /** Who let it start: the ledger, or this client's policy while the ledger could not be reached. */
  readonly admittedBy: "ledger" | "policy";
  /** Fires at the first `stop`. */
  readonly signal: AbortSignal;
  /** What was asked last. */
  readonly state: ActionEvent;
  /** Running totals by model name, to be kept for a restart. */
  readonly totals: Record<string, Totals>;
  /** The meter's running totals, of all that the run has used of this model so far. */
  report(model: string, usage: Usage): void;
  /** Closes the meter, with exactly these totals where they are given. */
  final(model: string, usage?: Usage): void;
  call(): Call;
  /** Called when what is asked changes. Gives a function that ends the listening. */
  onAction(listener: (event: ActionEvent) => void): () => void;
  /** Closes all meters and waits until the ledger has answered, at most `waitMs` (30 s). */
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

/** The sender, as a run needs it. */
export type Outbox = {
  touch(meter: Meter<RunState>): void;
  drop(meter: Meter<RunState>): void;
  forget(run: RunState): void;
  settled(isSettled: () => boolean, waitMs: number): Promise<boolean>;
};

export type Attribution = { surface: Surface; workspace: string; user: string; group?: string };

export type RunSetup = {
  id: string;
  attribution: Attribution;
  admittedBy: Run["admittedBy"];
  /** When it started, by the ledger's clock; null until the ledger has told the time. */
  startedAt: string | null;
  startedSteadyMs: number;
  held: boolean;
  totals: Record<string, Usage>;
  keep: ((totals: Record<string, Totals>) => unknown) | undefined;
  outbox: Outbox;
  ledger: Ledger;
  onTrouble(trouble: Trouble): void;
};

const FINISH_WAIT_MS = 30_000;
/** claude-x-20250929, gpt-x-2025-08-07, claude-x@20250929 */
const DATE_OF_MODEL = /[-@](\d{8}|\d{4}-\d{2}-\d{2})$/;
const NO_USAGE = "a model call ended without a usage; of OpenAI ask for it by stream_options: {include_usage: true}";

export class RunState implements Run {
  readonly id: string;
  readonly admittedBy: Run["admittedBy"];
  readonly setup: RunSetup;
  startedAt: string | null;
  state: ActionEvent = { action: "continue", reason: null, answer: null };
  readonly #meters = new Map<string, Meter<RunState>>();
  /** What another name of a model has turned out to mean. */
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
      for (const [name, part] of meter.byName()) totals[name] = sumOf([totals[name] ?? NOTHING, part]);
    }
    return totals;
  }

  get settled(): boolean {
    return [...this.#meters.values()].every((meter) => meter.settled);
  }

  report(model: string, usage: Usage): void {
    this.#count(model, "=", totalsOf(usage));
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
        this.#count(model, key, totalsOf(usage));
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
    const { outbox, ledger, held } = this.setup;
    for (const meter of this.#meters.values()) if (!meter.final) this.#close(meter);
    const delivered = await outbox.settled(() => this.settled, waitMs);
    if (delivered) outbox.forget(this);
    const meters = [...this.#meters.values()];
    // A hold ends with the last final report; where none was taken, it is given back by itself.
    if (held && meters.every((meter) => meter.refused !== null)) {
      await ledger.call("DELETE", `/runs/${encodeURIComponent(this.id)}/hold`);
    }
    const refused = meters.flatMap((meter) =>
      meter.refused === null ? [] : [{ model: meter.model, ...meter.refused }],
    );
    const { answer } = this.state;
    return { delivered, charged_micros: answer?.run_total_micros ?? null, unit: answer?.unit ?? null, refused };
  }

  /** What the ledger answered to a report of this meter. */
  hear(meter: Meter<RunState>, answer: DebitAnswer): void {
    this.#learn(meter, answer.model);
    this.ask({ action: answer.action, reason: answer.reason, answer });
  }

  /** A dated name that the price book lacks is tried without its date. False where there is no other name to try. */
  rename(meter: Meter<RunState>): boolean {
    const undated = meter.model.replace(DATE_OF_MODEL, "");
    if (undated === meter.model) return false;
    this.#learn(meter, undated);
    this.setup.outbox.touch(this.#meterOf(undated));
    return true;
  }

  /** What the ledger said of this run when it was told of it late. */
  hearLate({ body }: Answered): void {
    const { code } = body;
    if (code !== "credits_exhausted" && code !== "spend_cap_reached" && code !== "enterprise_suspended") return;
    this.ask({ action: "stop", reason: code, answer: null });
  }

  ask(event: ActionEvent): void {
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

  #count(model: string, key: string, totals: Totals): void {
    const meter = this.#meterOf(model);
    const before = meter.part(key, model);
    if (before !== undefined && isSame(before, totals)) return;
    meter.setPart(key, model, totals);
    this.setup.outbox.touch(meter);
  }

  #close(meter: Meter<RunState>): void {
    if (meter.final) return;
    meter.final = true;
    this.setup.outbox.touch(meter);
  }

  #meterOf(name: string): Meter<RunState> {
    const model = this.#canonical.get(name) ?? name;
    const known = this.#meters.get(model);
    if (known !== undefined) return known;
    const meter = new Meter<RunState>(this, model);
    this.#meters.set(model, meter);
    return meter;
  }

  /** An alias is the same meter as its model: what two names have used is one sum. */
  #learn(meter: Meter<RunState>, canonical: string): void {
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
    this.setup.outbox.drop(meter);
    this.setup.outbox.touch(other);
  }
}
