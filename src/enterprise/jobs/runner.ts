/**
 * Runs the Durable Object's background jobs from its single alarm. A job that fails is retried with growing pauses and
 * does not delay the other jobs. All state here is in memory only. Losing it is harmless: the alarm is durable, is set
 * before a change is answered, and runs every job. Due times are in storage, and a new instance reads them before it
 * sets the alarm. This file is long because all jobs share one alarm.
 */
import type { Denied } from "../../access/refusals.ts";
import type { Refused } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import { isTransient } from "../../wire/transient.ts";
import { type StoredJob, UNPUBLISHED } from "../books/job-rows.ts";
import { tryStoring } from "../books/try-storing.ts";
import { REBUILD, REBUILD_START } from "../copy/copy-writer.ts";
import { listingDueAtMs } from "../copy/lister.ts";
import { copyAsOfMs, copyIsBehind } from "../copy/projection.ts";
import type { RebuildResult } from "../copy/rebuild.ts";
import { blamesKnownRun } from "../forgotten-runs.ts";
import { within } from "../within.ts";
import { Deliverer } from "./deliverer.ts";
import { type AlarmDeps, CHECK_AGAIN_MS, JOBS, type Job, type JobDeps, type JobName, SLICED_JOBS } from "./jobs.ts";
import { NEVER, nextAlarmAt, retryPauseMs } from "./next-alarm.ts";
import { findReceiver } from "./receivers.ts";
import { forgetRuns } from "./retention.ts";
import { Slicer } from "./slicer.ts";

/** Delaying the write batches debits, so each one costs fewer rows in D1. The copy may be 5 s behind (rule R11). */
const PROJECT_DELAY_MS = 2_500;
const PROJECT_WATCHED_MS = 300;

/** How long a call waits for a rebuild, and after how many slices it looks at the time. */
const REBUILD_LIMIT_MS = 5_000;
const REBUILD_SLICES = 20;
const REBUILD_WAIT_MS = 20;

const EMAIL_TIMEOUT_MS = 10_000;

const NAMES = Object.keys(JOBS) as JobName[];

export class JobRunner {
  /** When the alarm is set to run. A new instance does not know, so it sets the same time again, or an earlier one. */
  #alarmAtMs = NEVER;
  /** True while the alarm's jobs run. After an eviction the flag is lost, and the platform runs the alarm again. */
  #running = false;
  /** When each job is due, by the real clock. */
  readonly #dueAtMs = forEachJob(NEVER);
  /** True once the due times have been loaded from storage. */
  #loaded = false;
  /** How many times in a row each job has failed. A new instance starts at zero, so its first pauses are short. */
  readonly #failures = forEachJob(0);
  /** The jobs that are now running in the background. A new instance starts them again. */
  readonly #inBackground = new Set<JobName>();

  readonly deps: AlarmDeps;

  constructor(deps: JobDeps, slicedJobs = SLICED_JOBS) {
    const { platform, ledger } = deps;
    const deliverer = new Deliverer({
      sql: ledger.sql,
      receiver: (event) => findReceiver(deps, event),
      network: {
        fetch: (url, init) => platform.webhooks.fetch(url, init),
        sendEmail: (email) => within(platform.defer, EMAIL_TIMEOUT_MS, platform.emails.send(email)),
      },
      realNowMs: () => this.#nowMs(),
      onDone: () => this.#delivered(),
      onError: (error) => this.#retryLater("deliver", error),
    });
    this.deps = { ...deps, slicer: new Slicer(platform, ledger, slicedJobs, deps), deliverer };
  }

  /** Reschedules the alarm. Call this after anything that may have changed the books, and before responding. */
  changed(watched: boolean): void {
    const { ledger } = this.deps;
    if (ledger.webhookQueued) {
      ledger.webhookQueued = false;
      this.#dueAtMs.deliver = this.#nowMs();
    }
    if (ledger.waitingChanged) {
      ledger.waitingChanged = false;
      this.#dueAtMs.report_waiting = Math.min(this.#dueAtMs.report_waiting, this.deps.waiting.dueAtMs());
    }
    if (this.#dueAtMs.attribute_payments === NEVER && ledger.paymentsWait) {
      this.#dueAtMs.attribute_payments = this.#nowMs();
    }
    if (this.#dueAtMs.project === NEVER && ledger.mayOweCopy) {
      ledger.mayOweCopy = copyIsBehind(ledger);
      if (ledger.mayOweCopy) {
        const dueAtMs = this.#copyOwedSinceMs() + (watched ? PROJECT_WATCHED_MS : PROJECT_DELAY_MS);
        this.#dueAtMs.project = Math.max(dueAtMs, this.deps.projector.notBeforeMs);
      }
    }
    this.#setAlarm();
  }

  /** Runs every job. The alarm calls this. */
  async runAll(): Promise<void> {
    this.#running = true;
    try {
      for (const name of NAMES) {
        if ("background" in JOBS[name]) this.#startInBackground(name);
        else await this.#run(name);
      }
    } finally {
      this.#running = false;
      // An alarm that has fired is no longer set.
      this.#alarmAtMs = NEVER;
      this.#setAlarm();
    }
  }

  /** Schedules the closing of a socket that was just opened. `expiresAtMs` is null if the socket does not expire. */
  socketOpened(expiresAtMs: AtMs | null): void {
    this.#dueAtMs.close_expired = Math.min(this.#dueAtMs.close_expired, expiresAtMs ?? NEVER);
  }

  /** Call this when a projection has succeeded or failed. The next change can then schedule another one. */
  projectionFinished(): void {
    this.#dueAtMs.project = NEVER;
    // A listing that is being written, or that waits for its next attempt, sets its own time.
    if (this.#inBackground.has("list") || this.#failures.list > 0) return;
    this.#dueAtMs.list = Math.min(this.#dueAtMs.list, listingDueAtMs(this.deps.ledger));
  }

  /** Runs one job now. If the job fails, the alarm retries it. */
  async runNow(name: JobName): Promise<void> {
    await this.#run(name);
    this.#setAlarm();
  }

  /**
   * Rebuilds the copy in D1, or joins a rebuild that is running. Returns the number of batches if the rebuild ends
   * within about five seconds, else the job's id: then the alarm continues it.
   */
  async rebuild(): Promise<RebuildResult | { job: string }> {
    const { id } = await this.start(REBUILD, REBUILD_START);
    const endsAtMs = this.#nowMs() + REBUILD_LIMIT_MS;
    while (this.#nowMs() < endsAtMs) {
      const job = await this.runSlices(REBUILD, REBUILD_SLICES);
      if (job?.id !== id || job.failures > 0) break;
      if (job.state === "done") return job.result as RebuildResult;
      // The alarm may be running a slice.
      await new Promise<void>((resolve) => this.deps.platform.defer(resolve, REBUILD_WAIT_MS));
    }
    return { job: id };
  }

  /** Does nothing in an alarm. It is set again by `reload`. */
  skipAlarm(): void {
    this.#alarmAtMs = NEVER;
  }

  /** Reads again from storage when each job is due, because rows were replaced, and sets the alarm. */
  reload(): void {
    Object.assign(this.#dueAtMs, forEachJob(NEVER));
    Object.assign(this.#failures, forEachJob(0));
    this.#loaded = false;
    this.#alarmAtMs = NEVER;
    this.changed(false);
  }

  /** Sets the alarm for a sliced job that was started without a change of the books. */
  jobStarted(): void {
    this.#setAlarm();
  }

  /**
   * Starts a sliced job, unless one of this name is running, and returns it. The alarm runs its slices. Within a
   * transaction, use `ledger.startJob`.
   */
  async start(name: string, cursor: unknown): Promise<StoredJob> {
    this.deps.ledger.startJob(name, cursor);
    this.#setAlarm();
    return this.deps.slicer.record(name);
  }

  /**
   * Starts a sliced job, unless one of this name is running, and runs up to `maxSlices` of its slices in this call. The
   * catalog gets no record, unless the alarm runs the rest, which happens after a while or after `publish`.
   */
  async runInCall(name: string, cursor: unknown, maxSlices: number): Promise<StoredJob> {
    const { ledger } = this.deps;
    ledger.startJob(name, cursor, UNPUBLISHED);
    ledger.jobStarted = false;
    this.#dueAtMs.slices = Math.min(this.#dueAtMs.slices, this.#nowMs() + CHECK_AGAIN_MS);
    this.#setAlarm();
    return (await this.runSlices(name, maxSlices)) as StoredJob;
  }

  /** Deletes the row of a run that is forgotten, if a start was refused because of it. Returns whether it did. */
  async forgetRun(run: string, refusal: Refused | Denied): Promise<boolean> {
    return blamesKnownRun(refusal) && (await this.forgetRuns([run])).length > 0;
  }

  /** Deletes the rows of those of these runs that are forgotten. Returns which these were. */
  async forgetRuns(runs: readonly string[]): Promise<string[]> {
    // While D1 cannot be reached, the rows stay until the daily job, and so do the refusals.
    return forgetRuns(this.deps, runs, () => this.runNow("project")).catch((error) => {
      if (isTransient(error)) return [];
      throw error;
    });
  }

  /** Makes the catalog's record of a job that was started by `runInCall`, so that its id may be given to the caller. */
  publish(name: string): Promise<StoredJob> {
    return this.deps.slicer.publish(name);
  }

  find(name: string): StoredJob | null {
    return this.deps.slicer.find(name);
  }

  /** Runs up to `maxSlices` slices of a job in this call. The alarm runs the rest. Returns the job as it is then. */
  async runSlices(name: string, maxSlices: number): Promise<StoredJob | null> {
    const job = await this.deps.slicer.runNow(name, maxSlices);
    this.#dueAtMs.slices = this.deps.slicer.nextDueAtMs();
    this.#setAlarm();
    return job;
  }

  /** Reschedules deliveries after one has ended. Nobody awaits this, so it must not throw. */
  #delivered(): void {
    const { deliverer } = this.deps;
    try {
      if (this.#failures.deliver === 0) this.#dueAtMs.deliver = deliverer.nextDueAtMs();
      if (JOBS.note_failed.loadDueAtMs(this.deps) !== NEVER) this.#dueAtMs.note_failed = this.#nowMs();
      this.#setAlarm();
    } catch (error) {
      this.#alarmNotSet("deliver", String(error));
    }
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

  /** Starts a job that the other jobs do not wait for. The job also does the work that becomes due while it runs. */
  #startInBackground(name: JobName): void {
    const job: Job = JOBS[name];
    try {
      const nowMs = this.#nowMs();
      const running = this.#inBackground.has(name);
      const dueAtMs = running ? nowMs : (job.loadDueAtMs?.(this.deps) ?? nowMs);
      this.#dueAtMs[name] = dueAtMs > nowMs ? dueAtMs : nowMs + CHECK_AGAIN_MS;
      if (running || dueAtMs > nowMs) return;
    } catch (error) {
      this.#retryLater(name, error);
      return;
    }
    this.#inBackground.add(name);
    void this.#runInBackground(name);
  }

  async #runInBackground(name: JobName): Promise<void> {
    try {
      await this.runNow(name);
    } catch (error) {
      // Nobody awaits this promise. #startInBackground has already set the alarm to check the job again.
      this.#alarmNotSet(name, String(error));
    } finally {
      this.#inBackground.delete(name);
    }
  }

  #setAlarm(): void {
    this.#loadDue();
    const { ledger, platform } = this.deps;
    if (ledger.jobStarted) {
      ledger.jobStarted = false;
      this.#dueAtMs.slices = Math.min(this.#dueAtMs.slices, this.#nowMs());
    }
    if (this.#failures.settle === 0) {
      const dueAtMs = ledger.nextDueAtMs();
      const { testClockMs } = ledger.identity;
      // A test clock stands still until moveClock moves it. Then only what did not fit into that change is due.
      this.#dueAtMs.settle = testClockMs === null ? dueAtMs : dueAtMs <= testClockMs ? this.#nowMs() : NEVER;
    }
    const atMs = nextAlarmAt({
      nowMs: this.#nowMs(),
      alarmAtMs: this.#alarmAtMs,
      running: this.#running,
      dueAtMs: this.#dueAtMs,
    });
    if (atMs === null) return;
    // A call must not fail because of the alarm while nothing can be stored. The next call sets it.
    if (tryStoring(() => platform.alarm.set(atMs))) this.#alarmAtMs = atMs;
    else this.#alarmNotSet("set_alarm", "the storage is full");
  }

  /**
   * Loads the due times from storage, once per instance. Without them, a new instance could replace the alarm with a
   * later one.
   */
  #loadDue(): void {
    if (this.#loaded) return;
    for (const name of NAMES) {
      const job: Job = JOBS[name];
      this.#dueAtMs[name] = Math.min(this.#dueAtMs[name], job.loadDueAtMs?.(this.deps) ?? NEVER);
    }
    this.#loaded = true;
  }

  /**
   * Returns the time of the oldest change that the copy lacks, by the real clock. The current time would be too late:
   * if an earlier instance was evicted while it wrote the copy, the alarm set here replaces the alarm that would have
   * retried that write.
   */
  #copyOwedSinceMs(): AtMs {
    const { ledger } = this.deps;
    return this.#nowMs() - (ledger.nowMs() - copyAsOfMs(ledger));
  }

  #alarmNotSet(job: JobName | "set_alarm", error: string): void {
    const { ledger, platform } = this.deps;
    platform.log.error({ event: "alarm_not_set", enterprise: ledger.id, job, error });
  }

  #nowMs(): AtMs {
    return this.deps.platform.clock.realNowMs();
  }
}

function forEachJob(value: number): Record<JobName, number> {
  return Object.fromEntries(NAMES.map((name) => [name, value])) as Record<JobName, number>;
}
