/**
 * Sends what the meters of all runs have to report: at most four times a second each, many in one request, one request
 * at a time. Running totals make that lossless: what is not sent is contained in what is sent later. Whatever is not
 * answered is sent again, later each time, for as long as the process lives; one slot per meter bounds the memory.
 */
import { backoffMs, type Clock, within } from "./clock.ts";
import { type Answered, describe, type Ledger, noAnswer } from "./http.ts";
import type { Meter } from "./meter.ts";
import type { Outbox, RunState } from "./run.ts";
import type { Transport } from "./transport.ts";
import type { Trouble } from "./trouble.ts";
import type { DebitAnswer, ItemRefusal, Report, Usage } from "./wire.ts";

/** How much may stand unreported while the ledger cannot be reached. */
export type Bound = { maxUnreported: number; weigh: (model: string, usage: Usage) => number };

export type SenderSetup = {
  ledger: Ledger;
  transport: Transport;
  clock: Clock;
  random: () => number;
  bound: Bound | null;
  /** Tells the ledger of a run that it has not heard of. Null when that is done; an answer to try again after. */
  introduce(run: RunState): Promise<Answered | null>;
  onTrouble(trouble: Trouble): void;
};

type Parcel = { meter: Meter<RunState>; version: number; weight: number; report: Report };
type Waiter = { isDone(): boolean; done(): void };

const SPACING_MS = 250;
const MAX_BATCH = 500;
/** Totals that cannot be kept are sent all the same: the ledger is the better place for them. */
const KEEP_LIMIT_MS = 5_000;

export class Sender implements Outbox {
  readonly #setup: SenderSetup;
  readonly #dirty = new Set<Meter<RunState>>();
  readonly #runs = new Set<RunState>();
  readonly #waiters = new Set<Waiter>();
  #timer: { atMs: number; cancel: () => void } | null = null;
  #sending = false;
  #closed = false;
  #failures = 0;
  #pausedUntilMs = 0;
  #unreported = 0;

  constructor(setup: SenderSetup) {
    this.#setup = setup;
  }

  /** Runs with something to report, and those that the ledger has not heard of. The others are their agents' alone. */
  get runs(): ReadonlySet<RunState> {
    return this.#runs;
  }

  get unreachable(): boolean {
    return this.#failures > 0;
  }

  /** True when more stands unreported than the policy allows. */
  get overdrawn(): boolean {
    const { bound } = this.#setup;
    return bound !== null && this.unreachable && this.#unreported > bound.maxUnreported;
  }

  enter(run: RunState): void {
    this.#runs.add(run);
  }

  forget(run: RunState): void {
    this.#runs.delete(run);
  }

  touch(meter: Meter<RunState>): void {
    meter.version += 1;
    // Never again what was refused, but once more at the end: a price book can be mended meanwhile.
    if (this.#closed || (meter.refused !== null && !meter.final)) return;
    meter.refused = null;
    this.#runs.add(meter.run);
    this.#weigh(meter, this.#setup.bound?.weigh(meter.model, meter.totals) ?? 0);
    this.#dirty.add(meter);
    this.#wakeAt(this.#dueAtMs(meter));
    this.#stopWhereOverdrawn();
  }

  drop(meter: Meter<RunState>): void {
    this.#dirty.delete(meter);
    this.#weigh(meter, meter.ackedWeight);
    meter.ackedVersion = meter.version;
  }

  settled(isDone: () => boolean, waitMs: number): Promise<boolean> {
    if (isDone()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const finish = (done: boolean) => {
        cancel();
        this.#waiters.delete(waiter);
        resolve(done);
      };
      const cancel = this.#setup.clock.after(waitMs, () => finish(false));
      const waiter: Waiter = { isDone, done: () => finish(true) };
      this.#waiters.add(waiter);
    });
  }

  flush(waitMs: number): Promise<boolean> {
    return this.settled(() => this.#dirty.size === 0 && !this.#sending, waitMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#setup.transport.close();
  }

  #dueAtMs(meter: Meter<RunState>): number {
    return Math.max(this.#pausedUntilMs, meter.sentAtMs + SPACING_MS);
  }

  #wakeAt(atMs: number): void {
    if (this.#sending || this.#closed || (this.#timer !== null && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const { clock } = this.#setup;
    const cancel = clock.after(Math.max(0, atMs - clock.steadyMs()), () => {
      this.#timer = null;
      void this.#send();
    });
    this.#timer = { atMs, cancel };
  }

  async #send(): Promise<void> {
    this.#sending = true;
    const due = this.#takeDue();
    const failure = due.length === 0 ? undefined : await this.#deliver(due).catch((error) => noAnswer(String(error)));
    if (failure === null) this.#failures = 0;
    else if (failure !== undefined) this.#pause(failure);
    for (const meter of due) if (!meter.settled) this.#dirty.add(meter);
    for (const { run } of due) if (run.settled && run.startedAt !== null) this.forget(run);
    this.#sending = false;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const meter of this.#dirty) nextMs = Math.min(nextMs, this.#dueAtMs(meter));
    if (nextMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMs);
    for (const waiter of [...this.#waiters]) if (waiter.isDone()) waiter.done();
  }

  #takeDue(): Meter<RunState>[] {
    const nowMs = this.#setup.clock.steadyMs();
    const due: Meter<RunState>[] = [];
    for (const meter of this.#dirty) {
      if (due.length === MAX_BATCH) break;
      if (this.#dueAtMs(meter) <= nowMs) due.push(meter);
    }
    for (const meter of due) this.#dirty.delete(meter);
    return due;
  }

  /** Null when every report was answered; else the answer that says it was not. */
  async #deliver(due: readonly Meter<RunState>[]): Promise<Answered | null> {
    const { clock, transport } = this.#setup;
    let failure: Answered | null = null;
    for (const run of new Set(due.map((meter) => meter.run))) {
      if (run.startedAt === null && failure === null) failure = await this.#setup.introduce(run);
    }
    const parcels = due.filter(({ run }) => run.startedAt !== null).map(toParcel);
    if (failure?.status === 0 || parcels.length === 0) return failure;
    // What was sent was kept before: a process that is killed now can go on from no less than the ledger knows.
    await Promise.all([...new Set(parcels.map(({ meter }) => meter.run))].map((run) => this.#keep(run)));
    for (const { meter } of parcels) meter.sentAtMs = clock.steadyMs();
    const outcome = await transport.send(parcels.map(({ report }) => report));
    if (!("results" in outcome)) return outcome;
    for (const [i, parcel] of parcels.entries()) {
      const result = outcome.results[i] as DebitAnswer | ItemRefusal;
      if (!("status" in result)) this.#accept(parcel, result);
      else if (result.status === 429 || result.status >= 500) {
        failure = { status: result.status, body: result, retryAfterMs: null, dateMs: null };
      } else this.#refuse(parcel, result);
    }
    return failure;
  }

  async #keep({ id, setup, totals }: RunState): Promise<void> {
    if (setup.keep === undefined) return;
    const { clock, onTrouble } = this.#setup;
    const keeping = (async () => setup.keep?.(totals))().then(
      () => "",
      (error: unknown) => String(error),
    );
    const fault = (await within(clock, KEEP_LIMIT_MS, keeping)) ?? `not kept within ${KEEP_LIMIT_MS} ms`;
    if (fault !== "") onTrouble({ kind: "keep_failed", run: id, detail: fault });
  }

  #accept({ meter, version, weight }: Parcel, answer: DebitAnswer): void {
    meter.ackedVersion = version;
    this.#unreported -= weight - meter.ackedWeight;
    meter.ackedWeight = weight;
    meter.run.hear(meter, answer);
  }

  #refuse({ meter, version, report }: Parcel, { status, code, detail }: ItemRefusal): void {
    if (code === "unknown_model" && meter.run.rename(meter)) return;
    meter.refused = { status, code, detail };
    meter.ackedVersion = version;
    this.#unreported -= meter.weight - meter.ackedWeight;
    meter.ackedWeight = meter.weight;
    const { run, model } = report;
    this.#setup.onTrouble({ kind: "report_refused", run, model, status, code, detail });
    // What became final while this was under way has its own last try.
    if (meter.final && report.final !== true) this.touch(meter);
  }

  #pause(failure: Answered): void {
    const { clock, random, onTrouble } = this.#setup;
    this.#failures += 1;
    const jitterMs = random() * SPACING_MS;
    const askedMs = failure.retryAfterMs === null ? null : failure.retryAfterMs + jitterMs;
    const pauseMs = askedMs ?? backoffMs(this.#failures, random);
    this.#pausedUntilMs = clock.steadyMs() + pauseMs;
    const { status } = failure;
    onTrouble({ kind: "unreachable", status, detail: describe(failure), failures: this.#failures, pauseMs });
    this.#stopWhereOverdrawn();
  }

  #weigh(meter: Meter<RunState>, weight: number): void {
    this.#unreported += weight - meter.weight;
    meter.weight = weight;
  }

  #stopWhereOverdrawn(): void {
    if (!this.overdrawn) return;
    for (const run of this.#runs) run.ask({ action: "stop", reason: "ledger_unreachable", answer: null });
  }
}

function toParcel(meter: Meter<RunState>): Parcel {
  const { run, model, version, weight, final, totals } = meter;
  const { id, startedAt, setup } = run;
  const report: Report = { run: id, model, usage: totals, ...setup.attribution };
  if (startedAt !== null) report.started_at = startedAt;
  if (final) report.final = true;
  return { meter, version, weight, report };
}
