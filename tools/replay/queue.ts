// Which runs have a report to send right now. At full speed a bounded number of runs is open and each of them always
// has one; with a speed, runs start and reports come due by the clock of the trace.
// A run whose report is under way is not in the queue: its next report waits for the answer, so reports of one run
// never overtake each other unless chaos has planned it.
import type { ReplayRun } from "./runs.ts";

/** How fast runs start and reports come due. */
interface QueueOptions {
  /** How many times as fast as the trace; null is as fast as possible. */
  speedRatio: number | null;
  /** At full speed, so many runs are open at once. */
  openRuns: number;
  /** What the enterprise's clock is ahead of this one: an enterprise may have a clock of its own. */
  clockOffsetMs: number;
  onRunDone: (done: number) => void;
}

/** A longer one would overflow and fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** The runs with a pending report, first come first served. */
export class RunQueue {
  readonly #runs: ReplayRun[];
  readonly #options: QueueOptions;
  readonly #originMs = performance.now();
  readonly #pending: ReplayRun[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #waiting: (() => void)[] = [];
  #started = 0;
  #done = 0;
  #closed = false;

  constructor(runs: ReplayRun[], options: QueueOptions) {
    this.#runs = runs;
    this.#options = options;
    if (options.speedRatio === null) while (this.#started < Math.min(runs.length, options.openRuns)) this.#startNext();
    else this.#startWhenDue();
  }

  /** Takes the next run that has something to send; null when none has at the moment. */
  take(): ReplayRun | null {
    return this.#pending.shift() ?? null;
  }

  /** Resolves with true when something may be pending, and with false when all is done or {@link close}d. */
  async wait(): Promise<boolean> {
    if (this.#pending.length === 0 && !this.#isOver()) await new Promise<void>((wake) => this.#waiting.push(wake));
    return !this.#isOver();
  }

  /** Gives a run back after its answers: its next report becomes pending when it is due, or the run is done. */
  giveBack(run: ReplayRun, pauseMs: number): void {
    if (run.next < run.deliveries.length) {
      this.#schedule(run, pauseMs);
      return;
    }
    this.#done += 1;
    this.#options.onRunDone(this.#done);
    if (this.#options.speedRatio === null && this.#started < this.#runs.length) this.#startNext();
    if (this.#isOver()) this.#wakeAll();
  }

  /** Ends everything early, after an error. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#wakeAll();
  }

  #isOver(): boolean {
    return this.#closed || this.#done === this.#runs.length;
  }

  #startNext(): void {
    const run = this.#runs[this.#started++]!;
    run.startedAt = new Date(Date.now() + this.#options.clockOffsetMs).toISOString();
    this.#schedule(run, 0);
  }

  #startWhenDue(): void {
    const run = this.#runs[this.#started];
    if (!run) return;
    this.#after(this.#msUntil(run.atMs), () => {
      this.#startNext();
      this.#startWhenDue();
    });
  }

  #schedule(run: ReplayRun, pauseMs: number): void {
    const dueMs = run.atMs + run.deliveries[run.next]!.report.dueMs;
    const waitMs = Math.max(pauseMs, this.#options.speedRatio === null ? 0 : this.#msUntil(dueMs));
    const enqueue = (): void => {
      this.#pending.push(run);
      this.#waiting.shift()?.();
    };
    if (waitMs > 0) this.#after(waitMs, enqueue);
    else enqueue();
  }

  #msUntil(traceMs: number): number {
    return this.#originMs + traceMs / this.#options.speedRatio! - performance.now();
  }

  #after(waitMs: number, then: () => void): void {
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        then();
      },
      Math.min(Math.max(0, waitMs), LONGEST_TIMER_MS),
    );
    this.#timers.add(timer);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
