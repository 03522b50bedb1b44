/**
 * The ledger of one enterprise. Its methods load, decide, commit, and return the result. Each is one transaction
 * without `await`. The clock is passed in. The ledger knows SQLite and the rules in src/ledger, but not Workers, so the
 * simulator runs it unchanged. The state in memory mirrors what is stored, and is replaced only after a commit. This file
 * is long because it has one method for each call.
 */
import type { ModelPrice } from "../../catalog/price-entry.ts";
import type { StartRequest } from "../../ledger/admission.ts";
import type { Books, Settings } from "../../ledger/books.ts";
import type { DebitAnswer, Report } from "../../ledger/debit.ts";
import { cycleStartEntry, nextDueAtMs, settleDue } from "../../ledger/due.ts";
import type { By } from "../../ledger/entries.ts";
import { type Gauge, gaugeOf } from "../../ledger/gauge.ts";
import type { GrantRequest, GrantSummary } from "../../ledger/grants.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { Plan } from "../../ledger/plans.ts";
import { type Refused, refuse } from "../../ledger/refusals.ts";
import type { AtMs } from "../../ledger/time.ts";
import { type AlertLinks, type DeploymentLinks, linksOf, NO_LINKS } from "../../wire/links.ts";
import { Budgets } from "./budgets.ts";
import { Change } from "./change.ts";
import type { Channels } from "./channels.ts";
import {
  addGrant,
  changeChannels,
  changeSettings,
  debitOne,
  putOverrides,
  releaseHold,
  type StartAnswer,
  type StartRefused,
  setCap,
  startRun,
  voidGrant,
} from "./commands.ts";
import { fitIntoPortion } from "./debit-portion.ts";
import { paymentsWait } from "./debt-payments.ts";
import { type DirectoryChange, type DirectorySize, movesWorkspaces, putDirectory } from "./directory.ts";
import type { Identity, State } from "./enterprise-row.ts";
import { type EnterpriseState, stateOf } from "./enterprise-state.ts";
import { forgetHeld } from "./held-sums.ts";
import { putNewJob, type StoredJob } from "./job-rows.ts";
import { newEnterprise } from "./new-enterprise.ts";
import { Overrides } from "./overrides.ts";
import { isPricedByOlderBook, PRICE_WAITING } from "./pricing.ts";
import { getProgress, nextRevision, setProgress } from "./progress.ts";
import { Recent } from "./recent.ts";
import { migrate, schemaStep } from "./schema.ts";
import type { Sql } from "./sql.ts";
import { Store } from "./store.ts";
import { tryStoring } from "./try-storing.ts";
import { loadWaitingState, wantPricing } from "./waiting.ts";
import { putWebhook, type QueuedEvent } from "./webhook-queue.ts";

export class Ledger {
  readonly store: Store;
  /** Caches stored runs in memory. Code that writes runs without a `Change` must remove them from this cache. */
  readonly recent = new Recent();
  readonly overrides: Overrides;
  readonly budgets: Budgets;
  /**
   * Whether the copy in D1 may lack changes. Every change sets this to true. It is in memory only, because checking
   * storage costs more than the statements of a debit. A new instance starts with true and checks storage once.
   */
  mayOweCopy = true;
  /**
   * Whether a commit has queued a webhook since the runner last checked. In memory only: the queue itself is stored.
   */
  webhookQueued = false;
  /** Whether a sliced job was started since the runner last checked. In memory only: the job itself is stored. */
  jobStarted = false;
  /** Whether usage that nothing prices is refused. The core sets this from the deployment's variable. */
  refuseUnpriced = true;
  /** Whether what waits for a price has changed since the runner last checked. In memory only: the change is stored. */
  waitingChanged = false;
  /** The stored state. Null until it is loaded, and after a failed commit, so that the next call loads it again. */
  #cached: State | null = null;
  /** The id never changes, so it is kept after a failed commit. The log of the failure can then name the enterprise. */
  #id: string | null = null;
  /** A lower bound for when the next hold ends. In memory only: a bound that is too early only costs one query. */
  #holdEndMs = 0;

  constructor(
    readonly sql: Sql,
    readonly realNowMs: () => AtMs,
    readonly deploymentLinks: DeploymentLinks = NO_LINKS,
  ) {
    this.store = new Store(sql);
    this.overrides = new Overrides(sql);
    this.budgets = new Budgets(sql);
  }

  /** Whether the enterprise was ever provisioned. For an object that was not, this writes nothing. */
  get provisioned(): boolean {
    return this.#cached !== null || (schemaStep(this.sql) > 0 && this.#load() !== null);
  }

  /** When the deletion of the enterprise began; null if it has not. From then on the enterprise is not provisioned. */
  get deletionBegunAtMs(): AtMs | null {
    return schemaStep(this.sql) === 0 ? null : getProgress(this.sql, "deletion_begun_at") || null;
  }

  beginDeletion(): void {
    setProgress(this.sql, "deletion_begun_at", this.realNowMs());
    this.forget();
  }

  /** Drops the state in memory, so that the next call loads it again. */
  forget(): void {
    this.#cached = null;
    this.recent.clear();
    this.store.channels.forget();
  }

  /** The enterprise's id. */
  get id(): string {
    this.#id ??= this.identity.id;
    return this.#id;
  }

  get identity(): Identity {
    return this.#state().identity;
  }

  /** The books as of the last change. */
  get books(): Books {
    return this.#state().books;
  }

  /** Whether payments of debt wait to be attributed to meters. */
  get paymentsWait(): boolean {
    return this.#state().paymentsWait;
  }

  /** Returns the time of the enterprise's test clock if it has one, else the real time, which never goes back here. */
  nowMs(): AtMs {
    const { identity } = this.#state();
    return identity.testClockMs ?? Math.max(this.realNowMs(), identity.lastAtMs);
  }

  /** Returns when the next expiry or turn changes the books, by the enterprise's clock. */
  nextDueAtMs(): AtMs {
    return Math.min(nextDueAtMs(this.books), this.#holdEndMs);
  }

  create(id: string, settings: Settings, testClockMs: AtMs | null, by: By = "operator"): EnterpriseState {
    migrate(this.sql);
    const nowMs = testClockMs ?? this.realNowMs();
    const { identity, books } = newEnterprise(id, settings, nowMs, testClockMs);
    this.sql.transaction(() => {
      this.store.addEnterprise({ identity, books });
      this.store.addEntries([{ ...cycleStartEntry(books.cycle, null, nowMs, by), seq: books.seq }]);
    });
    this.#cached = null;
    this.mayOweCopy = true;
    return this.state();
  }

  /** Stores names in the directory; the projection sends them to the copy. */
  putDirectory(change: DirectoryChange): DirectorySize {
    this.mayOweCopy = true;
    return this.sql.transaction(() => {
      if (movesWorkspaces(this.sql, change)) {
        // Runs without a report count under the directory's group.
        forgetHeld(this.sql);
        this.budgets.forgetSums();
      }
      return putDirectory(this.sql, change);
    });
  }

  /** Queues a message that was not caused by a change of the books. */
  queueWebhook(event: QueuedEvent, channel?: string): void {
    putWebhook(this.sql, event, this.realNowMs(), channel);
    this.webhookQueued = true;
  }

  /** Changes the channels. */
  changeChannels<T>(act: (channels: Channels) => T): T {
    return this.apply((change) => changeChannels(change, act));
  }

  /** Queues what channels should know about what is coming: running out before the reset, bonus that expires. */
  notifyOutlook(): void {
    if (this.store.channels.active.length > 0) this.apply((change) => change.notifyOutlook(this.realNowMs()));
  }

  /**
   * Starts a sliced job as part of the caller's transaction, unless one of this name is running. Returns the job. The
   * next `JobRunner.changed` sets the alarm for it.
   */
  startJob(name: string, cursor: unknown, recorded = -1): StoredJob {
    this.jobStarted = true;
    return putNewJob(this.sql, name, cursor, this.realNowMs(), recorded);
  }

  state(): EnterpriseState {
    const gauge = this.gauge();
    return stateOf({ ...this.#state(), gauge: () => gauge, links: () => this.links() });
  }

  /** Returns where the enterprise's people get more credits and invite others. */
  links(): AlertLinks {
    return linksOf(this.books.settings, this.id, this.deploymentLinks);
  }

  gauge(): Gauge {
    const nowMs = this.nowMs();
    const settled = this.trySettle(nowMs);
    const { identity, books } = this.#state();
    if (settled) return gaugeOf(identity.id, books, nowMs);
    const due = { ...settleDue(books, nowMs).books, overdue: this.store.expired.total(nowMs) };
    return gaugeOf(identity.id, due, nowMs);
  }

  /** Like `settle`, for reads. Returns false if nothing can be stored. Then the read goes on without it. */
  trySettle(nowMs = this.nowMs()): boolean {
    return tryStoring(() => this.settle(nowMs));
  }

  /** Applies everything that is due by now. Returns whether this changed the books. */
  settle(nowMs = this.nowMs()): boolean {
    if (nowMs < this.nextDueAtMs()) return false;
    const { seq } = this.books;
    return this.apply((change) => change.books.seq !== seq, nowMs);
  }

  changeSettings(patch: Partial<Settings>, by: By, plans: readonly Plan[] | null = null): EnterpriseState | Refused {
    return this.apply((change) => {
      const { priceMultiplierMillionths } = change.books.settings;
      const refused = changeSettings(change, patch, plans, by);
      // With a smaller multiplier, a charge that was too large may fit.
      if (change.books.settings.priceMultiplierMillionths !== priceMultiplierMillionths) this.startPricing();
      return refused ?? stateOf(change);
    });
  }

  /** Stores settings that change no balance. Does not apply what is due. */
  putSettings(settings: Settings): void {
    const state = this.#state();
    this.sql.transaction(() => {
      this.store.putSettings(settings);
      nextRevision(this.sql, "settings_revision");
    });
    this.#cached = { ...state, books: { ...state.books, settings } };
    this.mayOweCopy = true;
  }

  /** Replaces the price overrides. They apply to meters that are first priced afterwards. */
  putOverrides(models: readonly ModelPrice[], by: By): this {
    try {
      this.apply((change) => {
        putOverrides(change, this.overrides, models, by);
        this.startPricing();
      });
    } finally {
      this.overrides.forget();
    }
    return this;
  }

  setCap(capMicros: Micros | null, by: By): Gauge | Refused {
    return this.apply((change) => setCap(change, capMicros, by) ?? change.gauge());
  }

  addGrant(request: GrantRequest, by: By): { grant: GrantSummary; created: boolean } | Refused {
    return this.apply((change) => addGrant(change, request, by));
  }

  voidGrant(id: string, by: By): GrantSummary | Refused {
    return this.apply((change) => voidGrant(change, id, by));
  }

  /** Debits reports in one transaction, in order; only the first of them if all would load too many meters at once. */
  debit(sent: readonly Report[]): (DebitAnswer | Refused)[] {
    const reports = fitIntoPortion(this.sql, this.recent, sent);
    return this.apply((change) => {
      change.load([...new Set(reports.map((report) => report.run))]);
      const { priceMultiplierMillionths } = change.books.settings;
      const answers = reports.map((report) =>
        debitOne(change, this.overrides.apply(report, priceMultiplierMillionths), this.refuseUnpriced),
      );
      // The object may know of a later price book than the Worker that sent a report.
      if (change.waiting.any && isPricedByOlderBook(reports, answers, loadWaitingState(this.sql).knownVersion)) {
        this.startPricing();
      }
      return answers;
    });
  }

  /** Starts a pass over the meters that wait for a price, if there are any, as part of the caller's transaction. */
  startPricing(): void {
    if (loadWaitingState(this.sql).meters === 0) return;
    wantPricing(this.sql);
    this.startJob(PRICE_WAITING, null);
  }

  /** Attributes a portion of the payments of debt that wait. Returns whether more of them wait. */
  attributeWaiting(): boolean {
    if (this.paymentsWait) this.apply((change) => change.attributeWaiting());
    return this.paymentsWait;
  }

  /**
   * Attributes payments of debt that wait to the meters of this run, so that its receipt shows them. If nothing can be
   * stored, the receipt still says debt.
   */
  attributeTo(run: string): void {
    if (!this.paymentsWait) return;
    const attribute = (change: Change) => {
      change.load([run]);
      change.attributeTo(run);
    };
    tryStoring(() => this.apply(attribute));
  }

  start(request: StartRequest): StartAnswer | StartRefused {
    return this.apply((change) => startRun(change, request));
  }

  /** Releases the rest of a run's hold. Does nothing if the run is unknown or has no hold. */
  releaseHold(run: string): Gauge {
    return this.apply((change) => {
      releaseHold(change, run);
      return change.gauge();
    });
  }

  /** Moves a test clock forward and applies everything that becomes due by the new time, in order. */
  moveClock(toMs: AtMs): EnterpriseState | Refused {
    const { identity } = this.#state();
    if (identity.testClockMs === null) return refuse({ code: "not_a_test_clock" });
    if (toMs < identity.testClockMs) return refuse({ code: "clock_backwards", clockAtMs: identity.testClockMs });
    return this.apply((change) => {
      change.identity = { ...change.identity, testClockMs: toMs };
      return stateOf(change);
    }, toMs);
  }

  /** Switches a demo enterprise from its test clock to the real one, and marks its history as demo data. */
  followRealClock(): EnterpriseState | Refused {
    const { identity } = this.#state();
    const realMs = this.realNowMs();
    if (identity.testClockMs === null) return refuse({ code: "not_a_test_clock" });
    if (realMs < identity.testClockMs) return refuse({ code: "clock_backwards", clockAtMs: identity.testClockMs });
    return this.apply((change) => {
      change.identity = { ...change.identity, testClockMs: null, demo: true };
      return stateOf(change);
    }, realMs);
  }

  /**
   * Runs one change: settles what is due, lets `decide` replace values, and commits. There is no `await` in here, so no
   * other call can run between load and commit. If it throws, nothing is stored and the state in memory is dropped.
   */
  apply<T>(decide: (change: Change) => T, nowMs = this.nowMs()): T {
    const before = this.#state();
    const change = new Change(this.store, this.recent, this.budgets, before, nowMs, this.deploymentLinks);
    const due = nowMs >= this.nextDueAtMs();
    try {
      const answer = this.sql.transaction(() => {
        if (due) change.settle();
        const decided = decide(change);
        change.notify(this.realNowMs());
        change.commit();
        return decided;
      });
      const { books, identity, paymentsWait } = change;
      this.#cached = { books, identity, paymentsWait };
      change.remember();
      this.mayOweCopy = true;
      if (change.webhookQueued) this.webhookQueued = true;
      if (change.waiting.any) this.waitingChanged = true;
      this.#holdEndMs = due ? this.#loadHoldEnd() : Math.min(this.#holdEndMs, change.soonestHoldEnd());
      return answer;
    } catch (error) {
      this.forget();
      this.budgets.recover(error);
      throw error;
    }
  }

  #state(): State {
    const state = this.#cached ?? this.#load();
    if (state === null) throw new Error("the enterprise was never provisioned");
    return state;
  }

  #load(): State | null {
    migrate(this.sql);
    const stored = this.deletionBegunAtMs === null ? this.store.loadEnterprise() : null;
    this.#cached = stored === null ? null : { ...stored, paymentsWait: paymentsWait(this.sql) };
    this.#holdEndMs = this.#loadHoldEnd();
    return this.#cached;
  }

  #loadHoldEnd(): AtMs {
    return this.store.loadNextHoldEndMs() ?? Number.POSITIVE_INFINITY;
  }
}
