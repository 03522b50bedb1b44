/**
 * Runs sliced jobs: from the alarm, and within a call that hopes to finish a small job at once. After each slice it
 * stores the cursor and lets waiting calls run. It also keeps the catalog's public record of each listed job up to date.
 * It does not know what the jobs do.
 */
import type { AtMs } from "../../ledger/time.ts";
import { loadDueJobs, loadJob, nextJobAtMs, putJob, type StoredJob, UNPUBLISHED } from "../books/job-rows.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Platform } from "../platform.ts";
import { within } from "../within.ts";
import { NEVER, retryPauseMs } from "./next-alarm.ts";
import type { SlicedJob, Step } from "./sliced-job.ts";

/** An alarm runs this many slices. The next alarm continues, with the CPU time that the platform gives each alarm. */
const SLICES_PER_ALARM = 200;
const MAX_FAILURES = 20;
/** If calls are running the slices that are due, the alarm checks again after this time. */
const BUSY_PAUSE_MS = 1_000;
/** A call that finds a slice running checks again after this time. */
const SHARED_PAUSE_MS = 20;
/** The catalog learns of each further twentieth of a job, so a long job calls it about twenty times. */
const RECORDED_STEP = 0.05;
const RECORD_TIMEOUT_MS = 5_000;
/** After the catalog has failed, no record is sent for this long, so that the slices do not wait for it. */
const RECORD_PAUSE_MS = 60_000;
/** The value of `recorded` once the catalog has recorded that the job has ended. */
const END_RECORDED = 2;

export class Slicer<D> {
  /**
   * The names of the jobs whose slice is running in this instance, so that two calls never run the same slice. Losing it
   * is harmless: a new instance has no slice running.
   */
  readonly #running = new Set<string>();
  /** Until when no record is sent. Losing it only costs an attempt. */
  #noRecordUntilMs = 0;

  constructor(
    readonly platform: Platform,
    readonly ledger: Ledger,
    readonly jobs: Readonly<Record<string, SlicedJob<unknown, D>>>,
    readonly deps: D,
  ) {}

  /** Returns when the next slice is due; NEVER if no job is running. */
  nextDueAtMs(): AtMs {
    return nextJobAtMs(this.ledger.sql) ?? NEVER;
  }

  find(name: string): StoredJob | null {
    return loadJob(this.ledger.sql, name);
  }

  /** Records a started job in the catalog, so that callers can find it, and returns it. A failed record follows later. */
  async record(name: string): Promise<StoredJob> {
    const job = this.find(name) as StoredJob;
    await this.#record(job);
    return job;
  }

  /** Makes the first record of a job that had none, and returns the job. */
  async publish(name: string): Promise<StoredJob> {
    const job = this.find(name) as StoredJob;
    if (job.recorded === UNPUBLISHED) putJob(this.ledger.sql, { ...job, recorded: -1 });
    return this.record(name);
  }

  /** Runs slices of one job in this call, until the job ends, pauses or has had `maxSlices`. Returns the job. */
  async runNow(name: string, maxSlices: number): Promise<StoredJob | null> {
    for (let slices = 0; slices < maxSlices; slices++) {
      const job = this.find(name);
      if (job === null || job.state !== "running" || (job.dueAtMs ?? NEVER) > this.#nowMs()) break;
      // If another call runs the slice, this call waits for it.
      await this.#yield((await this.#runSlice(name)) ? 0 : SHARED_PAUSE_MS);
    }
    return this.find(name);
  }

  /** Runs a limited number of slices of all jobs that are due, in turns. Returns when to continue. */
  async runDue(): Promise<AtMs> {
    for (let slices = 0; slices < SLICES_PER_ALARM; ) {
      const due = loadDueJobs(this.ledger.sql, this.#nowMs());
      let ran = false;
      for (const { name } of due) {
        ran = (await this.#runSlice(name)) || ran;
        slices += 1;
        await this.#yield();
      }
      if (!ran) return Math.max(this.nextDueAtMs(), this.#nowMs() + BUSY_PAUSE_MS);
    }
    return this.nextDueAtMs();
  }

  /** Runs the next slice, or makes the missing record, of a job. Returns false if that is already under way. */
  async #runSlice(name: string): Promise<boolean> {
    if (this.#running.has(name)) return false;
    this.#running.add(name);
    try {
      // Load the job here: a call may have run slices of it since the list of due jobs was made.
      const job = this.find(name);
      if (job?.state === "running" && (job.dueAtMs ?? NEVER) <= this.#nowMs()) await this.#slice(job);
      const now = this.find(name);
      if (now !== null) await this.#record(now);
      return true;
    } finally {
      this.#running.delete(name);
    }
  }

  async #slice(job: StoredJob): Promise<void> {
    const definition = this.jobs[job.name];
    try {
      if (definition === undefined) throw new Error("this release does not know the job");
      const step = definition.slice(this.deps, job.cursor);
      this.#store(job, step instanceof Promise ? await step : step);
    } catch (error) {
      this.#fail(job, definition, error);
    }
  }

  /** Stores the outcome of a slice, unless the job was replaced while its slice waited. */
  #store(before: StoredJob, step: Step<unknown>): void {
    const { sql } = this.ledger;
    sql.transaction(() => {
      const job = this.find(before.name);
      if (job?.id !== before.id || job.state !== "running") return;
      step.commit?.();
      const nowMs = this.#nowMs();
      if ("done" in step) {
        const { done: detail, result = null } = step;
        const ended = { state: "done", cursor: null, progress: 1, endedAtMs: nowMs, failures: 0 } as const;
        putJob(sql, { ...job, ...ended, detail, result, dueAtMs: this.#dueOfEnded(job, nowMs) });
      } else {
        const { next: cursor, progress = job.progress, detail = job.detail, pauseMs = 0 } = step;
        putJob(sql, { ...job, cursor, progress, detail, failures: 0, dueAtMs: nowMs + pauseMs });
      }
    });
  }

  #fail(before: StoredJob, definition: SlicedJob<unknown, D> | undefined, error: unknown): void {
    const { sql, id: enterprise } = this.ledger;
    const failures = before.failures + 1;
    this.platform.log.error({ event: "job_failed", enterprise, job: before.name, failures, error: String(error) });
    sql.transaction(() => {
      const job = this.find(before.name);
      if (job?.id !== before.id || job.state !== "running") return;
      const nowMs = this.#nowMs();
      if (failures < (definition?.maxFailures ?? MAX_FAILURES)) {
        putJob(sql, { ...job, failures, detail: String(error), dueAtMs: nowMs + retryPauseMs(failures) });
        return;
      }
      definition?.abandon?.(this.deps);
      const ended = { state: "failed", cursor: null, endedAtMs: nowMs, failures } as const;
      putJob(sql, { ...job, ...ended, detail: String(error), dueAtMs: this.#dueOfEnded(job, nowMs) });
    });
  }

  /** A listed job that has ended stays due until the catalog has recorded its end. */
  #dueOfEnded({ name, recorded }: StoredJob, nowMs: AtMs): AtMs | null {
    return this.jobs[name]?.listed === true && recorded !== UNPUBLISHED ? nowMs : null;
  }

  /** Sends the job's public record to the catalog if it is too old there. If that fails, tries again later. */
  async #record(job: StoredJob): Promise<void> {
    if (this.jobs[job.name]?.listed !== true || job.recorded === UNPUBLISHED) return;
    const ended = job.state !== "running";
    if (ended ? job.recorded === END_RECORDED : job.recorded >= 0 && job.progress < job.recorded + RECORDED_STEP)
      return;
    const recorded = this.#nowMs() >= this.#noRecordUntilMs && (await this.#sendRecord(job));
    const { sql } = this.ledger;
    sql.transaction(() => {
      const now = this.find(job.name);
      if (now?.id !== job.id) return;
      if (recorded) putJob(sql, { ...now, recorded: ended ? END_RECORDED : job.progress, ...(ended && NOT_DUE) });
      else if (ended) putJob(sql, { ...now, dueAtMs: this.#noRecordUntilMs });
    });
  }

  /** Sends a job's record to the catalog. Returns whether that worked. */
  async #sendRecord({ id, name, state, progress, detail }: StoredJob): Promise<boolean> {
    const { platform, ledger } = this;
    try {
      const record = { job: id, name, enterprise: ledger.id, state, progress, detail };
      await within(platform.defer, RECORD_TIMEOUT_MS, platform.jobRecords.put(record));
      return true;
    } catch (error) {
      this.#noRecordUntilMs = this.#nowMs() + RECORD_PAUSE_MS;
      platform.log.error({ event: "job_not_recorded", enterprise: ledger.id, job: name, error: String(error) });
      return false;
    }
  }

  /** Lets calls that wait for this object run before the next slice. */
  #yield(pauseMs = 0): Promise<void> {
    return new Promise((resolve) => this.platform.defer(resolve, pauseMs));
  }

  #nowMs(): AtMs {
    return this.platform.clock.realNowMs();
  }
}

const NOT_DUE = { dueAtMs: null };
