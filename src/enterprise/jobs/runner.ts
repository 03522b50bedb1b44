/**
 * Runs the object's jobs by its one alarm. A job that fails is retried with growing pauses and delays no other job.
 * Everything here is memory. Losing it is harmless: the alarm is durable, is set before a change is answered, and runs
 * every job; what is due is in storage, where a new instance looks before it sets the alarm.
 */
import type { AtMs } from "../../ledger/time.ts";
import { copyAsOfMs, copyIsBehind } from "../copy/projection.ts";
import { JOBS, type Job, type JobDeps, type JobName, LOOK_AGAIN_MS } from "./jobs.ts";
import { NEVER, nextAlarmAt, retryPauseMs } from "./next-alarm.ts";

/** The later the copy is written, the fewer rows a debit costs there. It may be 5 s behind (rule R11). */
const PROJECT_DELAY_MS = 2_500;
const PROJECT_WATCHED_MS = 300;

const NAMES = Object.keys(JOBS) as JobName[];

export class JobRunner {
  /** What the alarm is set to. A new instance does not know, and sets it again to the same time or an earlier one. */
  #alarmAtMs = NEVER;
  /** True while the alarm's jobs run. The platform runs the alarm of an evicted instance again. */
  #running = false;
  /** When each job is due, by the real clock. */
  readonly #dueAtMs = forEachJob(NEVER);
  /** True once storage was asked what is due. */
  #loaded = false;
  /** How often each job has failed in a row. A new instance starts with short pauses again. */
  readonly #failures = forEachJob(0);
  /** The jobs that run beside the alarm now. A new instance starts them again. */
  readonly #beside = new Set<JobName>();

  constructor(readonly deps: JobDeps) {}

  /** Call it after whatever may have changed something, before that is answered: sets the alarm for what is due now. */
  changed(watched: boolean): void {
    const { ledger } = this.deps;
    if (ledger.webhookQueued) {
      ledger.webhookQueued = false;
      this.#dueAtMs.deliver = this.#nowMs();
    }
    if (this.#dueAtMs.project === NEVER && ledger.mayOweCopy) {
      ledger.mayOweCopy = copyIsBehind(ledger);
      if (ledger.mayOweCopy) {
        this.#dueAtMs.project = this.#copyOwedSinceMs() + (watched ? PROJECT_WATCHED_MS : PROJECT_DELAY_MS);
      }
    }
    this.#setAlarm();
  }

  /** What the alarm does: runs every job. */
  async runAll(): Promise<void> {
    this.#running = true;
    try {
      for (const name of NAMES) {
        if ("beside" in JOBS[name]) this.#startBeside(name);
        else await this.#run(name);
      }
    } finally {
      this.#running = false;
      // The alarm that rang is used up.
      this.#alarmAtMs = NEVER;
      this.#setAlarm();
    }
  }

  /** A socket was opened that is valid until then; null if it does not expire. */
  socketOpened(expiresAtMs: AtMs | null): void {
    this.#dueAtMs.close_expired = Math.min(this.#dueAtMs.close_expired, expiresAtMs ?? NEVER);
  }

  /** Lets the next change ask for a projection again, whether the one that has just ended succeeded or not. */
  projectionFinished(): void {
    this.#dueAtMs.project = NEVER;
  }

  /** Runs one job now. When it fails, the alarm retries it. */
  async runNow(name: JobName): Promise<void> {
    await this.#run(name);
    this.#setAlarm();
  }

  /** Rebuilds the copy; returns how many batches that took. When it fails or is cut off, the alarm starts it again. */
  async rebuild(): Promise<number> {
    const { rebuilder } = this.deps;
    rebuilder.request();
    this.#dueAtMs.rebuild = Math.min(this.#dueAtMs.rebuild, this.#nowMs() + LOOK_AGAIN_MS);
    this.#setAlarm();
    return rebuilder.rebuild();
  }

  async #run(name: JobName): Promise<void> {
    const job: Job = JOBS[name];
    try {
      this.#dueAtMs[name] = await job.run(this.deps);
      this.#failures[name] = 0;
    } catch (error) {
      this.#retryLater(name, error);
    }
  }

  #retryLater(name: JobName, error: unknown): void {
    const { ledger, platform } = this.deps;
    this.#failures[name] += 1;
    const failures = this.#failures[name];
    this.#dueAtMs[name] = this.#nowMs() + retryPauseMs(failures);
    platform.log.error({ event: "job_failed", enterprise: ledger.id, job: name, failures, error: String(error) });
  }

  /** Starts a job that the others do not wait for. What becomes due while it runs, it does too. */
  #startBeside(name: JobName): void {
    const job: Job = JOBS[name];
    try {
      const nowMs = this.#nowMs();
      const running = this.#beside.has(name);
      const dueAtMs = running ? nowMs : (job.loadDueAtMs?.(this.deps) ?? nowMs);
      this.#dueAtMs[name] = dueAtMs > nowMs ? dueAtMs : nowMs + LOOK_AGAIN_MS;
      if (running || dueAtMs > nowMs) return;
    } catch (error) {
      this.#retryLater(name, error);
      return;
    }
    this.#beside.add(name);
    void this.#runBeside(name);
  }

  async #runBeside(name: JobName): Promise<void> {
    const { ledger, platform } = this.deps;
    try {
      await this.runNow(name);
    } catch (error) {
      // Nobody waits for this promise. The alarm was set when the job started, to look again.
      platform.log.error({ event: "alarm_not_set", enterprise: ledger.id, job: name, error: String(error) });
    } finally {
      this.#beside.delete(name);
    }
  }

  #setAlarm(): void {
    this.#loadDue();
    const { ledger, platform } = this.deps;
    if (this.#failures.settle === 0) {
      // With a test clock, whoever moves it settles what becomes due.
      this.#dueAtMs.settle = ledger.identity.testClockMs === null ? ledger.nextDueAtMs() : NEVER;
    }
    const atMs = nextAlarmAt({
      nowMs: this.#nowMs(),
      alarmAtMs: this.#alarmAtMs,
      running: this.#running,
      dueAtMs: this.#dueAtMs,
    });
    if (atMs === null) return;
    platform.alarm.set(atMs);
    this.#alarmAtMs = atMs;
  }

  /** Asks storage what is due, once: the alarm of a new instance must never be later than the one that was set. */
  #loadDue(): void {
    if (this.#loaded) return;
    for (const name of NAMES) {
      const job: Job = JOBS[name];
      this.#dueAtMs[name] = Math.min(this.#dueAtMs[name], job.loadDueAtMs?.(this.deps) ?? NEVER);
    }
    this.#loaded = true;
  }

  /**
   * Since when the copy lacks something, by the real clock. Not since now: when an earlier instance was evicted while it
   * was writing the copy, the alarm that this one sets replaces the one that would have retried.
   */
  #copyOwedSinceMs(): AtMs {
    const { ledger } = this.deps;
    return this.#nowMs() - (ledger.nowMs() - copyAsOfMs(ledger));
  }

  #nowMs(): AtMs {
    return this.deps.platform.clock.realNowMs();
  }
}

function forEachJob(value: number): Record<JobName, number> {
  return Object.fromEntries(NAMES.map((name) => [name, value])) as Record<JobName, number>;
}
