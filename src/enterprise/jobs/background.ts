/**
 * What an enterprise's object does without a caller: one alarm for expiries, turns, the copy, webhooks, an owed
 * referral and pruning. A job that fails is retried with growing pauses and delays no other job.
 */
import { webhookSecretOf } from "../../access/webhook-secret.ts";
import { compareCopy } from "../../copy/compare.ts";
import { deleteCopy, readHead, writeBatch } from "../../copy/write.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, nextRevision, setProgress } from "../books/progress.ts";
import { loadReferral, putReferral, referrerGrant } from "../books/referral.ts";
import { nextWebhookAtMs } from "../books/webhook-queue.ts";
import { confirmBatch, copyAsOfMs, copyIsBehind, rebuildBatches, takeBatch } from "../copy/projection.ts";
import { type AuditCheck, checkOf } from "./audit.ts";
import { deliverWebhooks, type Receiver } from "./deliver-webhooks.ts";
import { prune, RUN_HISTORY_MS } from "./pruning.ts";

export type Job = "settle" | "deliver" | "settle_referral" | "prune" | "project" | "rebuild";

/** The later, the fewer rows of the copy a debit costs; well within the 5 s that the copy may be behind (rule R11). */
const PROJECT_DELAY_MS = 2_500;
const PROJECT_WATCHED_MS = 300;
const RETRY_FIRST_MS = 1_000;
const RETRY_LAST_MS = 60_000;
const PRUNE_PAUSE_MS = 1_000;
const BATCHES_AT_ONCE = 50;
const COPY_LOOKS = 5;
const DELETIONS = 5;
/** So far the copy may be behind (rule R11). */
const COPY_SLOW_MS = 5_000;
/** When the alarm looks whether a rebuild that is under way has been cut off. */
const REBUILD_LOOK_MS = 30_000;
const NEVER = Number.POSITIVE_INFINITY;
/** When the alarm looks whether a delivery that is under way has been cut off. */
const DELIVERY_LOOK_MS = 30_000;
/** Stands for the alarm's time while its jobs run. */
const RUNNING = 0;
const GIVEN_UP_MS = 300_000;

export class Background {
  /** The alarm as this instance last set it. Lost with memory: then it is set again, to the same or an earlier time. */
  #alarmAtMs = NEVER;
  /** When the copy is written next; the alarm for it is stored before the change that asks for it is answered. */
  #projectAtMs = NEVER;
  /** When the next webhook is due, and when a failed job is tried again; recalled from storage after waking. */
  #webhookAtMs = NEVER;
  #retryAtMs = NEVER;
  #recalled = false;
  /** How often each job has failed in a row: only stretches the pause between tries. */
  readonly #failures = new Map<Job, number>();
  /** Deliveries on their way, beside the alarm: a receiver that takes its time keeps no other job waiting. */
  delivering: Promise<void> | null = null;
  /** The projection on its way, so that two never overlap. */
  #projecting: Promise<void> | null = null;
  /** The rebuild on its way: one after another. That one is owed stands in storage. */
  #rebuilding: Promise<number> | null = null;
  readonly #jobs: Record<Job, () => Promise<void>> = {
    settle: async () => {
      this.ledger.settle();
    },
    deliver: () => this.#deliver(),
    settle_referral: () => this.#settleReferral(),
    prune: async () => {
      if (prune(this.ledger)) this.#retryIn(PRUNE_PAUSE_MS);
    },
    project: () => this.project(),
    rebuild: async () => {
      if (!this.#owesRebuild()) return;
      if (this.#rebuilding === null) await this.#rebuildNext();
      else this.#retryIn(REBUILD_LOOK_MS);
    },
  };

  constructor(
    readonly ctx: DurableObjectState,
    readonly env: Env,
    readonly ledger: Ledger,
  ) {}

  /** Something may have changed: the copy is due soon, sooner while somebody watches. */
  changed(watched: boolean): void {
    if (this.#projectAtMs === NEVER && this.ledger.mayOweCopy) {
      this.ledger.mayOweCopy = copyIsBehind(this.ledger);
      if (this.ledger.mayOweCopy)
        this.#projectAtMs = this.#owedSinceMs() + (watched ? PROJECT_WATCHED_MS : PROJECT_DELAY_MS);
    }
    this.#arm();
  }

  /**
   * Since when the copy lacks something, by the real clock: not since now, when an earlier instance was evicted while it
   * was writing, because the alarm that this one sets takes the place of the one that would have tried again.
   */
  #owedSinceMs(): number {
    return Date.now() - (this.ledger.nowMs() - copyAsOfMs(this.ledger));
  }

  /** An event was put into the outbox of webhooks; the change that did it arms the alarm. */
  outboxGrew(): void {
    this.#webhookAtMs = Date.now();
  }

  /** The alarm: runs every job. It never throws, because a thrown alarm is retried a few times and then lost. */
  async runDue(): Promise<void> {
    // While it runs nothing needs another one: what comes in meanwhile is armed for at the end.
    this.#alarmAtMs = RUNNING;
    this.#retryAtMs = NEVER;
    this.#deliverBeside();
    for (const job of Object.keys(this.#jobs) as Job[]) if (job !== "deliver") await this.attempt(job);
    this.#alarmAtMs = NEVER;
    this.#arm();
  }

  /** Runs one job; when it fails the alarm tries it again. */
  async attempt(job: Job): Promise<void> {
    try {
      await this.#jobs[job]();
      this.#failures.delete(job);
    } catch (error) {
      const failures = (this.#failures.get(job) ?? 0) + 1;
      this.#failures.set(job, failures);
      const { id } = this.ledger.identity;
      console.error(JSON.stringify({ event: "job_failed", enterprise: id, job, failures, error: String(error) }));
      const pauseMs = Math.min(RETRY_LAST_MS, RETRY_FIRST_MS * 2 ** Math.min(failures - 1, 10));
      // The copy keeps to its pause even while changes ask for it to be written soon.
      if (job === "project") this.#projectAtMs = Date.now() + pauseMs;
      if (job === "deliver") this.#webhookAtMs = Date.now() + pauseMs;
      this.#retryIn(pauseMs);
    }
  }

  /** Sends the copy everything that it lacks. */
  async project(): Promise<void> {
    this.#projecting ??= this.#projectAll().finally(() => {
      this.#projecting = null;
    });
    await this.#projecting;
  }

  /**
   * Deletes the copy of this enterprise and writes it anew; how many batches that took. That it is to be done is stored
   * first: what fails or is cut off half-way, the alarm begins again.
   */
  async rebuild(): Promise<number> {
    nextRevision(this.ledger.sql, "rebuild_asked");
    this.#retryIn(REBUILD_LOOK_MS);
    return this.#rebuildNext();
  }

  /** Compares the copy with the ledger, row by row. */
  async auditCopy(): Promise<AuditCheck> {
    const { ledger, env } = this;
    try {
      for (let look = 1; ; look++) {
        await this.project();
        const { seq } = ledger.books;
        const runsSinceMs = ledger.nowMs() - RUN_HISTORY_MS;
        const { rows, faults } = await compareCopy(env.DB, ledger.identity.id, rebuildBatches(ledger), runsSinceMs);
        const check = checkOf("copy_equals_ledger", rows, "rows of the copy equal the ledger's", faults);
        // While debits go on, what differs may only be on its way: look again.
        if (check.ok || seq === ledger.books.seq || look === COPY_LOOKS) return check;
      }
    } catch (error) {
      return { name: "copy_equals_ledger", ok: false, detail: `the copy cannot be read: ${String(error)}` };
    }
  }

  #owesRebuild(): boolean {
    const { sql } = this.ledger;
    return getProgress(sql, "rebuild_asked") > getProgress(sql, "rebuilt");
  }

  async #rebuildNext(): Promise<number> {
    const before = this.#rebuilding ?? Promise.resolve();
    const next = before.then(
      () => this.#rebuildAll(),
      () => this.#rebuildAll(),
    );
    this.#rebuilding = next;
    try {
      return await next;
    } finally {
      if (this.#rebuilding === next) this.#rebuilding = null;
    }
  }

  async #rebuildAll(): Promise<number> {
    const { ledger, env } = this;
    ledger.settle();
    const asked = getProgress(ledger.sql, "rebuild_asked");
    await this.#deleteCopy();
    let batches = 0;
    for (const batch of rebuildBatches(ledger)) {
      await writeBatch(env.DB, batch);
      batches += 1;
      // A large book takes a while: what is charged meanwhile does not wait for its end.
      await this.project();
    }
    setProgress(ledger.sql, "rebuilt", Math.max(asked, getProgress(ledger.sql, "rebuilt")));
    return batches;
  }

  async #deleteCopy(): Promise<void> {
    const { ledger, env } = this;
    const { id } = ledger.identity;
    let head = await readHead(env.DB, id);
    for (let tried = 0; tried === 0 || head !== null; tried++) {
      if (tried === DELETIONS) throw new Error("D1_ERROR: the copy was written while it was to be deleted");
      // A copy that is ahead of this ledger, which was restored to an earlier time, must not win over what follows.
      setProgress(ledger.sql, "copy", Math.max(head ?? 0, getProgress(ledger.sql, "copy")));
      await deleteCopy(env.DB, id, head);
      head = await readHead(env.DB, id);
    }
  }

  async #projectAll(): Promise<void> {
    const startedMs = Date.now();
    try {
      for (let sent = 0; sent < BATCHES_AT_ONCE; sent++) {
        const batch = takeBatch(this.ledger);
        if (batch === null) return;
        await writeBatch(this.env.DB, batch);
        confirmBatch(this.ledger, batch);
      }
    } finally {
      // Whatever came in meanwhile, or is left, asks for its own time.
      this.#projectAtMs = NEVER;
      const ms = Date.now() - startedMs;
      if (ms > COPY_SLOW_MS) {
        console.warn(JSON.stringify({ event: "copy_slow", enterprise: this.ledger.identity.id, ms }));
      }
    }
  }

  /** Begins to deliver what is due, unless that is under way; whatever is put in meanwhile is delivered with it. */
  #deliverBeside(): void {
    const dueAtMs = nextWebhookAtMs(this.ledger.sql) ?? NEVER;
    if (this.delivering === null && dueAtMs > Date.now()) {
      this.#webhookAtMs = dueAtMs;
      return;
    }
    this.#webhookAtMs = Date.now() + DELIVERY_LOOK_MS;
    this.delivering ??= this.attempt("deliver").then(() => {
      this.delivering = null;
      this.#arm();
    });
  }

  async #deliver(): Promise<void> {
    const { sql } = this.ledger;
    await deliverWebhooks({
      sql,
      receiver: () => this.#receiver(),
      fetch: (url, init) => fetch(url, init),
      realNowMs: () => Date.now(),
    });
    this.#webhookAtMs = nextWebhookAtMs(sql) ?? NEVER;
  }

  async #receiver(): Promise<Receiver | null> {
    const { books, identity } = this.ledger;
    const url = books.settings.webhookUrl;
    return url === null ? null : { url, secret: await webhookSecretOf(this.env.SIGNING_SECRET, identity.id, url) };
  }

  async #settleReferral(): Promise<void> {
    const { sql, identity } = this.ledger;
    const referral = loadReferral(sql);
    if (referral === null || referral.settled) return;
    const grant = referrerGrant(identity.id, referral.bonusMicros);
    await this.env.ENTERPRISE.getByName(referral.referrer).addGrant(grant);
    putReferral(sql, { ...referral, settled: true });
  }

  /** Sets the alarm to the earliest of all that is due, unless it is set so early already. */
  #arm(): void {
    this.#recall();
    // An enterprise with a test clock is turned by whoever moves its clock.
    const dueAtMs = this.ledger.identity.testClockMs === null ? this.ledger.nextDueAtMs() : NEVER;
    const wantedMs = Math.min(dueAtMs, this.#projectAtMs, this.#webhookAtMs, this.#retryAtMs);
    // An alarm that is minutes late was given up by the platform: the next call sets it anew.
    const standing = this.#alarmAtMs === RUNNING || this.#alarmAtMs > Date.now() - GIVEN_UP_MS;
    if (wantedMs === NEVER || (standing && wantedMs >= this.#alarmAtMs)) return;
    this.#alarmAtMs = wantedMs;
    this.ctx.storage.setAlarm(Math.max(wantedMs, Date.now()));
  }

  #retryIn(delayMs: number): void {
    this.#retryAtMs = Math.min(this.#retryAtMs, Date.now() + delayMs);
    this.#arm();
  }

  /** Once after waking: what storage knows to be due, so that a new alarm never postpones it. */
  #recall(): void {
    if (this.#recalled) return;
    this.#recalled = true;
    this.#webhookAtMs = Math.min(this.#webhookAtMs, nextWebhookAtMs(this.ledger.sql) ?? NEVER);
    const owed = this.#owesRebuild() || loadReferral(this.ledger.sql)?.settled === false;
    if (owed) this.#retryAtMs = Math.min(this.#retryAtMs, Date.now());
  }
}
