/**
 * Reports the meters of all runs. It sends one request at a time, with many reports, and each meter at most four times a
 * second, or less often if the ledger asks for that. Usage whose price tier is not known yet waits until the ledger has
 * stated the model's tiers. Nothing is lost, because later running totals include earlier ones. If the ledger does not
 * respond, the sender retries with growing pauses for as long as the process lives. Memory is bounded, because a meter
 * has only one slot. The file is long because its methods share one queue.
 */
import { backoffMs, type Clock, withTimeout } from "./clock.ts";
import { type Answer, describe, type Ledger, noAnswer } from "./http.ts";
import type { Meter } from "./meter.ts";
import type { ReportQueue, RunState } from "./run.ts";
import { type PriceTiers, STANDARD } from "./tiers.ts";
import { inMainKinds, isSame } from "./totals.ts";
import type { Transport } from "./transport.ts";
import type { Trouble } from "./trouble.ts";
import type { DebitAnswer, ItemRefusal, Report, Usage } from "./wire.ts";

/** How much usage may be unreported while the ledger cannot be reached. */
type UnreportedLimit = { maxUnreported: number; weigh: (model: string, usage: Usage) => number };

type SenderSetup = {
  ledger: Ledger;
  transport: Transport;
  tiers: PriceTiers;
  clock: Clock;
  random: () => number;
  limit: UnreportedLimit | null;
  /** Registers a run that started without the ledger. Returns null once it may report, else the failed response. */
  register(run: RunState): Promise<Answer | null>;
  onTrouble(trouble: Trouble): void;
};

/** A report, with the state that its meter had when the report was made. */
type Snapshot = { meter: Meter<RunState>; version: number; weight: number; report: Report };
type Waiter = { isDone(): boolean; end(isDone: boolean): void };

const MIN_INTERVAL_MS = 250;
const MAX_BATCH = 500;
/** How long an outage keeps a process alive that has nothing else to do. */
const KEEP_ALIVE_MS = 10_000;
/** The client waits this long for `keep`. Then it sends the totals unsaved, because they are safest in the ledger. */
const KEEP_TIMEOUT_MS = 5_000;

export class Sender implements ReportQueue {
  readonly #setup: SenderSetup;
  readonly #changed = new Set<Meter<RunState>>();
  readonly #runs = new Set<RunState>();
  readonly #waiters = new Set<Waiter>();
  #timer: { atMs: number; cancel: () => void } | null = null;
  #sending = false;
  #closed = false;
  #saidClosed = false;
  #failures = 0;
  #failingSinceMs = 0;
  #pausedUntilMs = 0;
  #unreported = 0;

  constructor(setup: SenderSetup) {
    this.#setup = setup;
  }

  /** Runs with something to report, and runs that the ledger does not know yet. */
  get runs(): ReadonlySet<RunState> {
    return this.#runs;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get unreachable(): boolean {
    return this.#failures > 0;
  }

  /** Whether more usage is unreported than the policy allows. */
  get overLimit(): boolean {
    const { limit } = this.#setup;
    return limit !== null && this.unreachable && this.#unreported > limit.maxUnreported;
  }

  add(run: RunState): void {
    this.#runs.add(run);
  }

  forget(run: RunState): void {
    this.#runs.delete(run);
  }

  markChanged(meter: Meter<RunState>): void {
    meter.version += 1;
    // A refused meter is tried once more when it is final, because the price book may have changed by then.
    if (meter.refused !== null && !meter.final) return;
    meter.refused = null;
    // After `close` it is not sent, but it counts as unreported.
    if (this.#closed) this.#reportAfterClose(meter);
    this.#runs.add(meter.run);
    this.#weigh(meter, this.#setup.limit?.weigh(meter.model, meter.totals) ?? 0);
    this.#changed.add(meter);
    this.#wakeAt(this.#dueAtMs(meter));
    this.#stopRunsIfOverLimit();
  }

  drop(meter: Meter<RunState>): void {
    this.#changed.delete(meter);
    this.#weigh(meter, meter.ackedWeight);
    meter.ackedVersion = meter.version;
  }

  waitUntil(isDone: () => boolean, waitMs: number): Promise<boolean> {
    if (isDone() || this.#closed) return Promise.resolve(isDone());
    return new Promise((resolve) => {
      const finish = (done: boolean) => {
        cancel();
        this.#waiters.delete(waiter);
        resolve(done);
      };
      const cancel = this.#setup.clock.after(waitMs, () => finish(false));
      const waiter: Waiter = { isDone, end: finish };
      this.#waiters.add(waiter);
    });
  }

  flush(waitMs: number): Promise<boolean> {
    return this.waitUntil(() => this.#changed.size === 0 && !this.#sending, waitMs);
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
    this.#setup.transport.close();
    // Nothing more is sent, so waiting longer would only keep the process alive.
    for (const waiter of [...this.#waiters]) waiter.end(waiter.isDone());
  }

  #reportAfterClose({ run, model }: Meter<RunState>): void {
    if (this.#saidClosed) return;
    this.#saidClosed = true;
    const detail = "the client was closed before this run ended, so its last totals are not sent";
    this.#setup.onTrouble({ kind: "reported_after_close", run: run.id, model, detail });
  }

  #dueAtMs(meter: Meter<RunState>): number {
    // A final report is not delayed: nothing more is collected after it.
    const intervalMs = meter.final ? MIN_INTERVAL_MS : Math.max(MIN_INTERVAL_MS, meter.run.reportAfterMs);
    return Math.max(this.#pausedUntilMs, meter.askAtMs, meter.sentAtMs + intervalMs);
  }

  #wakeAt(atMs: number): void {
    if (this.#sending || this.#closed || (this.#timer !== null && this.#timer.atMs <= atMs)) return;
    this.#timer?.cancel();
    const { clock } = this.#setup;
    const nowMs = clock.steadyMs();
    const isBackground = this.#failures > 0 && nowMs - this.#failingSinceMs >= KEEP_ALIVE_MS;
    const send = () => {
      this.#timer = null;
      void this.#send();
    };
    const cancel = clock.after(Math.max(0, atMs - nowMs), send, isBackground);
    this.#timer = { atMs, cancel };
  }

  async #send(): Promise<void> {
    this.#sending = true;
    const taken = this.#takeDue();
    let failure: Answer | null | undefined = await this.#settleTiers(taken);
    const due = failure === null ? this.#sendable(taken) : taken;
    if (failure === null) {
      const delivery = due.length === 0 ? undefined : this.#deliver(due).catch((error) => noAnswer(String(error)));
      failure = await delivery;
    }
    if (failure === null) this.#failures = 0;
    else if (failure !== undefined) this.#pause(failure);
    for (const meter of due) if (!meter.settled) this.#changed.add(meter);
    for (const { run } of due) if (run.settled && run.startedAt !== null) this.forget(run);
    this.#sending = false;
    let nextMs = Number.POSITIVE_INFINITY;
    for (const meter of this.#changed) nextMs = Math.min(nextMs, this.#dueAtMs(meter));
    if (nextMs < Number.POSITIVE_INFINITY) this.#wakeAt(nextMs);
    for (const waiter of [...this.#waiters]) if (waiter.isDone()) waiter.end(true);
  }

  #takeDue(): Meter<RunState>[] {
    const nowMs = this.#setup.clock.steadyMs();
    const due: Meter<RunState>[] = [];
    for (const meter of this.#changed) {
      if (due.length === MAX_BATCH) break;
      if (this.#dueAtMs(meter) <= nowMs) due.push(meter);
    }
    for (const meter of due) this.#changed.delete(meter);
    return due;
  }

  /** Asks for the tiers of usage that waits for them. Returns null, or the failed response if there is no connection. */
  async #settleTiers(due: readonly Meter<RunState>[]): Promise<Answer | null> {
    const { clock, tiers, onTrouble } = this.#setup;
    const waiting = due.filter(({ tier }) => tier === null);
    const names = new Set(waiting.flatMap((meter) => [...meter.byName()].map(([name]) => name)));
    const answers = await Promise.all(
      [...names].map((name) => tiers.ask(name).catch((error) => noAnswer(String(error)))),
    );
    const failure = answers.find((answer) => answer !== null) ?? null;
    for (const run of new Set(waiting.map((meter) => meter.run))) run.settleTiers();
    if (failure === null || failure.status === 0 || failure.status === 401) return failure;
    // Other meters are not held up by this: reports may be accepted although this route fails.
    const pauseMs = tiers.pauseMs([...names][0] ?? "") + MIN_INTERVAL_MS;
    for (const meter of waiting) meter.askAtMs = clock.steadyMs() + pauseMs;
    const { status } = failure;
    onTrouble({ kind: "unreachable", status, detail: describe(failure), failures: 1, pauseMs });
    return null;
  }

  /** Returns the meters whose tier is known, together with those that became due while the tiers were asked for. */
  #sendable(taken: readonly Meter<RunState>[]): Meter<RunState>[] {
    for (const meter of taken) if (meter.tier === null && !meter.settled) this.#changed.add(meter);
    const known = taken.filter(({ tier }) => tier !== null);
    if (known.length === taken.length) return known;
    return [...new Set([...known, ...this.#takeDue().filter((meter) => this.#keepWaiting(meter))])];
  }

  /** Puts a meter back whose tier is not known. Returns whether the meter can be sent. */
  #keepWaiting(meter: Meter<RunState>): boolean {
    if (meter.tier === null) this.#changed.add(meter);
    return meter.tier !== null;
  }

  /** Returns null if the ledger has processed every report, else the failed response. */
  async #deliver(due: readonly Meter<RunState>[]): Promise<Answer | null> {
    const { clock, transport } = this.#setup;
    let failure: Answer | null = null;
    for (const run of new Set(due.map((meter) => meter.run))) {
      if (run.startedAt === null && failure === null) failure = await this.#setup.register(run);
    }
    const snapshots = due.filter(({ run }) => run.startedAt !== null).map(snapshotOf);
    if (failure?.status === 0 || snapshots.length === 0) return failure;
    // Save totals before sending them. A process that is killed and restarted then never continues with lower
    // totals than the ledger has.
    await Promise.all([...new Set(snapshots.map(({ meter }) => meter.run))].map((run) => this.#saveTotals(run)));
    for (const { meter } of snapshots) meter.sentAtMs = clock.steadyMs();
    const outcome = await transport.send(snapshots.map(({ report }) => report));
    if (!("results" in outcome)) return outcome;
    for (const [i, snapshot] of snapshots.entries()) {
      const result = outcome.results[i] as DebitAnswer | ItemRefusal;
      if (!("status" in result)) this.#accept(snapshot, result);
      else if (result.status === 429 || result.status >= 500) {
        failure = { status: result.status, body: result, retryAfterMs: null, dateMs: null };
      } else this.#refuse(snapshot, result);
    }
    return failure;
  }

  async #saveTotals({ id, setup, totals }: RunState): Promise<void> {
    if (setup.keep === undefined) return;
    const { clock, onTrouble } = this.#setup;
    const saving = (async () => setup.keep?.(totals))().then(
      () => "",
      (error: unknown) => String(error),
    );
    const failure = (await withTimeout(clock, KEEP_TIMEOUT_MS, saving)) ?? `not kept within ${KEEP_TIMEOUT_MS} ms`;
    if (failure !== "") onTrouble({ kind: "keep_failed", run: id, detail: failure });
  }

  #accept({ meter, version, weight }: Snapshot, answer: DebitAnswer): void {
    meter.ackedVersion = version;
    this.#unreported -= weight - meter.ackedWeight;
    meter.ackedWeight = weight;
    meter.run.handleAnswer(meter, answer);
  }

  #refuse({ meter, version, report }: Snapshot, { status, code, detail }: ItemRefusal): void {
    if (code === "unknown_model" && meter.run.retryUndated(meter)) return;
    if (code === "validation_failed" && !meter.run.isPlain && hasNewFields(report)) {
      meter.run.usePlainReports();
      return;
    }
    meter.refused = { status, code, detail };
    meter.ackedVersion = version;
    this.#unreported -= meter.weight - meter.ackedWeight;
    meter.ackedWeight = meter.weight;
    const { run, model } = report;
    this.#setup.onTrouble({ kind: "report_refused", run, model, status, code, detail });
    // The meter became final while this report was in progress, so its final totals have not been sent yet.
    if (meter.final && report.final !== true) this.markChanged(meter);
  }

  #pause(failure: Answer): void {
    const { clock, random, onTrouble } = this.#setup;
    if (this.#failures === 0) this.#failingSinceMs = clock.steadyMs();
    this.#failures += 1;
    const pauseMs = backoffMs(this.#failures, random, failure.retryAfterMs);
    this.#pausedUntilMs = clock.steadyMs() + pauseMs;
    const { status } = failure;
    onTrouble({ kind: "unreachable", status, detail: describe(failure), failures: this.#failures, pauseMs });
    this.#stopRunsIfOverLimit();
  }

  #weigh(meter: Meter<RunState>, weight: number): void {
    this.#unreported += weight - meter.weight;
    meter.weight = weight;
  }

  #stopRunsIfOverLimit(): void {
    if (!this.overLimit) return;
    for (const run of this.#runs) run.setAction({ action: "stop", reason: "ledger_unreachable", answer: null });
  }
}

/** Whether an earlier version of the ledger would refuse the report because of a field that it does not know. */
function hasNewFields({ tier, estimated, usage }: Report): boolean {
  const { input_tokens, output_tokens, cache_read_tokens = 0, cache_write_tokens = 0 } = usage;
  const main = { input_tokens, output_tokens, cache_read_tokens, cache_write_tokens };
  return tier !== undefined || estimated !== undefined || !isSame(usage, main);
}

function snapshotOf(meter: Meter<RunState>): Snapshot {
  const { run, model, tier, version, weight, final, estimated, totals } = meter;
  const { id, startedAt, setup } = run;
  const usage = run.isPlain ? inMainKinds(totals) : totals;
  const report: Report = { run: id, model, usage, ...setup.attribution };
  // Fields with their usual values are left out, so that earlier versions of the ledger accept the report.
  if (tier !== null && tier !== STANDARD) report.tier = tier;
  if (startedAt !== null) report.started_at = startedAt;
  if (final) report.final = true;
  if (estimated && !run.isPlain) report.estimated = true;
  return { meter, version, weight, report };
}
