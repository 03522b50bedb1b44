// Decides which runs have a report to send now. At full speed a limited number of runs is open, and each always has a
// report to send. With --speed, runs start and reports become due by the clock of the trace.
// A run that waits for an answer is not in the queue, so the reports of one run stay in order unless chaos reorders
// them.
import type { ReplayRun } from "./runs.ts";

/** How fast runs start and reports come due. */
interface QueueOptions {
  /** How many times as fast as the trace; null means as fast as possible. */
  speedRatio: number | null;
  /** How many runs are open at once at full speed. */
  openRuns: number;
  /** How far the enterprise's clock is ahead of ours. Not 0 if it has a test clock. */
  clockOffsetMs: number;
  onRunDone: (done: number) => void;
}

/** setTimeout fires at once if the delay is longer. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The runs with a pending report, first in, first out. */
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

  /** Takes the next run that has a report to send; null if there is none now. */
  take(): ReplayRun | null {
    return this.#pending.shift() ?? null;
  }

  /** Resolves to true when a run may be pending, and to false when all runs are done or the queue is closed. */
  async wait(): Promise<boolean> {
    if (this.#pending.length === 0 && !this.#isOver()) await new Promise<void>((wake) => this.#waiting.push(wake));
    return !this.#isOver();
  }

  /** Returns a run after its answers: it becomes pending again when its next report is due, or is done. */
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

  /** Stops early, after an error. */
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
      Math.min(Math.max(0, waitMs), MAX_TIMER_MS),
    );
    this.#timers.add(timer);
  }

  #wakeAll(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
