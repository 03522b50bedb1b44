/**
 * The core of one enterprise's Durable Object. It checks the caller, lets the ledger decide, and returns the result. It
 * also groups debits into commits, sets the alarm for later work, and pushes changes to watchers. It does not know
 * Workers: the platform is passed in, so the simulator runs this class too. This file is long because all calls of agents,
 * readers and sockets meet here.
 */
import { type Caller, OPERATOR } from "../access/callers.ts";
import { type Denied, deny } from "../access/refusals.ts";
import type { StartRequest } from "../ledger/admission.ts";
import type { Report } from "../ledger/debit.ts";
import { currentForecast, type Gauge } from "../ledger/gauge.ts";
import { summarizeGrant } from "../ledger/grants.ts";
import { Senders } from "../ledger/pace.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { isForgotten } from "../ledger/retention.ts";
import type { AtMs } from "../ledger/time.ts";
import { type DebitAnswerJson, showDecided } from "../wire/debit-answer.ts";
import { type EntryJson, showEntry, type UnreadEntries } from "../wire/entry.ts";
import { type GaugeJson, showGauge } from "../wire/gauge.ts";
import { type GrantJson, showGrant } from "../wire/grant.ts";
import { type ReceiptJson, showReceipt } from "../wire/receipt.ts";
import { LedgerBusy } from "../wire/transient.ts";
import { AccessControl } from "./access-control.ts";
import { type CopyView, type StartAnswerJson, type StartRefusedJson, showState, type ViewAsked } from "./answers.ts";
import { CommitQueue } from "./books/commit-queue.ts";
import { findCycle, type ListedCycle, listCycles } from "./books/cycle-list.ts";
import { findUserName } from "./books/directory.ts";
import { Keyring } from "./books/keyring.ts";
import { Ledger } from "./books/ledger.ts";
import { BudgetCalls } from "./budget-calls.ts";
import { CopyWriter, copyMark, limitCopyCalls } from "./copy/copy-writer.ts";
import { cubeGap } from "./copy/cube-gap.ts";
import { copyAsOfMs } from "./copy/projection.ts";
import { Projector } from "./copy/projector.ts";
import { Rebuilder } from "./copy/rebuild.ts";
import { loadRunRows } from "./copy/run-rows.ts";
import { Deletion } from "./data/deletion.ts";
import { Eraser } from "./data/eraser.ts";
import { Restorer } from "./data/restorer.ts";
import { DataCalls } from "./data-calls.ts";
import { retryForgotten } from "./forgotten-runs.ts";
import { WaitingReporter } from "./jobs/report-waiting.ts";
import { JobRunner } from "./jobs/runner.ts";
import { Management } from "./management.ts";
import { loadOwnEntries, onlyUserOf } from "./members.ts";
import { NotificationCalls } from "./notification-calls.ts";
import { pageExtras } from "./page-view.ts";
import type { Platform } from "./platform.ts";
import { DebitStream } from "./sockets/debit-stream.ts";
import { LivePush } from "./sockets/live.ts";
import {
  CLOSE_POLICY,
  CLOSE_RESTARTING,
  CLOSE_UNAUTHORIZED,
  hasExpired,
  holderOf,
  MAX_LIVE_SOCKETS,
  type Socket,
  type SocketOwner,
} from "./sockets/sockets.ts";
import { within } from "./within.ts";

/** How long an alarm waits for the catalog. */
const CATALOG_LIMIT_MS = 2_000;

export class EnterpriseCore {
  readonly jobs: JobRunner;
  readonly access: AccessControl;
  readonly management: Management;
  readonly data: DataCalls;
  readonly notifications: NotificationCalls;
  readonly budgets: BudgetCalls;
  readonly restorer: Restorer;
  readonly #keyring: Keyring;
  readonly #debits: CommitQueue<Report, DebitAnswerJson | Refused, Refused | Denied>;
  readonly #live: LivePush;
  readonly #stream: DebitStream;
  readonly #writer: CopyWriter;
  readonly #projector: Projector;
  readonly #waiting: WaitingReporter;
  readonly #senders = new Senders();
  /** Whether the catalog was asked about restores. Each instance asks once, because only a new one can have gone back. */
  #asked = false;
  readonly platform: Platform;

  constructor(
    bare: Platform,
    readonly ledger = new Ledger(bare.sql, () => bare.clock.realNowMs(), bare.links),
  ) {
    const { sql, clock, defer, sockets } = bare;
    const platform = limitCopyCalls(bare);
    this.platform = platform;
    this.#keyring = new Keyring(sql, ledger.store.erasures);
    this.access = new AccessControl({
      keyring: this.#keyring,
      sockets,
      realNowMs: () => clock.realNowMs(),
      state: () => showState(ledger.state()),
      answer: (caller, act) => this.#answer(caller, act),
    });
    this.#writer = new CopyWriter(ledger, platform, () => this.jobs.jobStarted());
    this.#projector = new Projector(ledger, platform, this.#writer, () => this.jobs.projectionFinished());
    const rebuilder = new Rebuilder(ledger, platform, this.#writer);
    this.#waiting = new WaitingReporter(ledger, platform);
    const eraser = new Eraser({ ledger, platform }, this.#writer);
    const projector = this.#projector;
    this.jobs = new JobRunner({ platform, ledger, projector, rebuilder, waiting: this.#waiting, eraser });
    this.restorer = new Restorer({ ledger, platform, keyring: this.#keyring, jobs: this.jobs, writer: this.#writer });
    ledger.refuseUnpriced = bare.unpricedUsage === "refuse";
    this.budgets = new BudgetCalls({
      ledger,
      keyring: this.#keyring,
      answer: (caller, act) => this.#answer(caller, act),
    });
    this.#live = new LivePush({ sockets, clock, defer, gauge: () => this.budgets.gaugeForEach(this.#showGauge()) });
    this.management = new Management({
      ledger,
      platform,
      keyring: this.#keyring,
      jobs: this.jobs,
      fault: (caller) => this.#fault(caller),
      answer: (caller, act) => this.#answer(caller, act),
      showGauge: (gauge) => this.#showGauge(gauge),
      afterChange: () => this.#afterChange(),
      // Watchers must see the new date even if nothing in the books was due.
      clockMoves: () => this.#live.invalidate(),
    });
    this.data = new DataCalls({
      ledger,
      deletion: new Deletion(ledger, platform, this.#writer),
      platform,
      jobs: this.jobs,
      answer: (caller, act) => this.#answer(caller, act),
    });
    this.notifications = new NotificationCalls({
      ledger,
      platform,
      keyring: this.#keyring,
      answer: (caller, act) => this.#answer(caller, act),
    });
    this.#debits = new CommitQueue(
      (reports) => {
        const senders = this.#senders.count();
        return ledger.debit(reports).map((decided) => showDecided(decided, senders));
      },
      () => this.#afterChange(),
      defer,
    );
    this.#stream = new DebitStream(
      platform,
      (reports, refuse) => this.#debit(reports, refuse),
      () => ledger.id,
    );
  }

  // Agents

  async debit(caller: Caller, reports: readonly Report[]): Promise<(DebitAnswerJson | Refused)[] | Refused | Denied> {
    return this.#fault(caller) ?? this.#debit(reports, () => this.#fault(caller));
  }

  /** Notes that the price book has a new version, because usage of this enterprise waits for a price. */
  pricesChanged(version: number): { noted: true } | Refused | Denied {
    return this.#answer(OPERATOR, () => {
      this.#waiting.pricesChanged(version);
      return { noted: true as const };
    });
  }

  start(caller: Caller, request: StartRequest): StartAnswerJson | StartRefusedJson | Refused | Denied {
    return this.#answer(caller, () => {
      const answer = this.ledger.start(request);
      return { ...answer, gauge: this.#showGauge(answer.gauge) };
    });
  }

  releaseHold(caller: Caller, run: string): GaugeJson | Refused | Denied {
    return this.#answer(caller, () => this.#showGauge(this.ledger.releaseHold(run)));
  }

  // Readers

  gauge(caller: Caller): GaugeJson | Refused | Denied {
    return this.#answer(caller, () => this.budgets.gaugeFor(caller, this.#showGauge()));
  }

  copyView(caller: Caller, asked: ViewAsked = {}): CopyView | Refused | Denied {
    return this.#answer(caller, () => {
      const { cycleStartsAtMs } = asked;
      const onlyUser = this.#onlyUserOf(caller);
      const gauge = this.budgets.gaugeFor(caller, this.#showGauge());
      const { cycle, settings } = this.ledger.books;
      const { leftAtResetMicros, expiringMicros } = currentForecast(this.ledger.books, this.ledger.nowMs());
      return {
        gauge,
        suspended: settings.suspended,
        timeZone: cycle.timeZone,
        cycleStartsAtMs: cycle.startsAtMs,
        nowMs: this.ledger.nowMs(),
        copyAsOfMs: copyAsOfMs(this.ledger),
        forecast: { leftAtResetMicros, expiringMicros },
        onlyUser,
        userName: "user" in caller ? findUserName(this.platform.sql, caller.user) : null,
        copy: copyMark(this.platform.sql),
        notInCube: cubeGap(this.ledger),
        hasBudgets: this.budgets.any,
        ...(cycleStartsAtMs === undefined ? {} : { askedCycle: findCycle(this.ledger, cycleStartsAtMs) }),
        ...pageExtras(this.ledger, asked, onlyUser),
      };
    });
  }

  /** Lists the cycles that started before `beforeMs`, newest first. Returns one more than `limit` if there are more. */
  cycles(caller: Caller, beforeMs: AtMs, limit: number): ListedCycle[] | Refused | Denied {
    return this.#answer(caller, () => {
      this.ledger.trySettle();
      return listCycles(this.ledger, beforeMs, limit);
    });
  }

  /** Checks the copy, because a reader has found it incomplete. Requests a rebuild if it is. */
  async checkCopy(): Promise<void> {
    if (this.ledger.provisioned && !this.restorer.underWay) await this.#writer.check();
  }

  /** Returns why the object cannot be taken back to this moment; null if it can. */
  async checkRestore(atMs: AtMs): Promise<Refused | Denied | null> {
    return this.#fault(OPERATOR) ?? this.restorer.check(atMs);
  }

  receipt(caller: Caller, run: string): ReceiptJson | Refused | Denied {
    return this.#answer(caller, () => {
      this.ledger.attributeTo(run);
      const row = loadRunRows(this.ledger, [run])[0];
      const known = this.ledger.store.loadRuns([run])[0];
      // A run that never reported may be forgotten before its row is deleted.
      if (row === undefined || known === undefined || isForgotten(known, this.ledger.nowMs())) {
        return refuse({ code: "not_found" });
      }
      const onlyUser = this.#onlyUserOf(caller);
      if (onlyUser !== null && row.user !== onlyUser) return refuse({ code: "not_found" });
      return showReceipt({ ...row, meters: this.ledger.store.loadReceipt(run) });
    });
  }

  /**
   * Returns entries before `beforeSeq`, newest first. Returns `limit` + 1 entries if there are more than `limit`. For a
   * caller who sees only their own, the last one may only say up to where the journal was searched.
   */
  entries(caller: Caller, beforeSeq: number, limit: number): (EntryJson | UnreadEntries)[] | Refused | Denied {
    return this.#answer(caller, () => {
      const onlyUser = this.#onlyUserOf(caller);
      if (onlyUser === null) return this.ledger.store.loadEntryPage(beforeSeq, limit + 1).map(showEntry);
      const { entries, readToSeq } = loadOwnEntries(this.ledger, onlyUser, beforeSeq, limit);
      return [...entries.map(showEntry), ...(readToSeq === null ? [] : [{ readToSeq }])];
    });
  }

  /** Returns grants before `beforeSeq`, newest first. Returns `limit` + 1 grants if there are more than `limit`. */
  grants(caller: Caller, beforeSeq: number, limit: number): { seq: number; view: GrantJson }[] | Refused | Denied {
    return this.#answer(caller, () => {
      if (this.#onlyUserOf(caller) !== null) return refuse({ code: "not_found" });
      this.ledger.trySettle();
      const page = this.ledger.store.loadGrantPage(beforeSeq, limit + 1);
      return page.map((grant) => ({ seq: grant.seq, view: showGrant(summarizeGrant(grant, this.ledger.nowMs())) }));
    });
  }

  grant(caller: Caller, id: string): GrantJson | Refused | Denied {
    return this.#answer(caller, () => {
      if (this.#onlyUserOf(caller) !== null) return refuse({ code: "not_found" });
      this.ledger.trySettle();
      const grant = this.ledger.store.loadGrants([id])[0];
      return grant === undefined
        ? refuse({ code: "not_found" })
        : showGrant(summarizeGrant(grant, this.ledger.nowMs()));
    });
  }

  // Sockets

  /** Opens a socket for a caller that the Worker has authenticated. Returns null on success. */
  openSocket(owner: SocketOwner, accept: () => Socket): Refused | Denied | null {
    const fault = this.#fault(owner.caller);
    if (fault !== null) return fault;
    const holder = holderOf(owner.caller);
    if (owner.kind === "live" && holder !== null && this.platform.sockets.countLiveOf(holder) >= MAX_LIVE_SOCKETS) {
      return deny({ code: "rate_limited" });
    }
    const socket = accept();
    if (owner.kind === "live") {
      this.jobs.socketOpened(owner.expiresAtMs);
      socket.send(this.budgets.gaugeForEach(this.#showGauge())(owner.caller));
    }
    this.#afterChange();
    return null;
  }

  /**
   * Replies to a message of the debit stream, even if the ledger fails. Closes the socket of a key that is no longer
   * valid.
   */
  async receive(socket: Socket, message: string | ArrayBuffer): Promise<void> {
    const { owner } = socket;
    if (owner.kind === "live") {
      // The platform replies to `ping` without waking the object. Live clients have no reason to send anything else.
      socket.close(CLOSE_POLICY, "send nothing but ping");
      return;
    }
    if (this.restorer.underWay) return socket.close(CLOSE_RESTARTING, "the enterprise is being restored");
    const refuse = () =>
      hasExpired(owner, this.#realNowMs()) ? deny({ code: "key_expired" }) : this.#fault(owner.caller);
    const reply = await this.#stream.answer(message, refuse);
    if (isRefusal(reply)) socket.close(CLOSE_UNAUTHORIZED, "unauthorized");
    else socket.send(JSON.stringify(reply));
  }

  // The alarm

  async alarm(): Promise<void> {
    if (!this.ledger.provisioned) return;
    if (await this.#isRestoring()) return this.jobs.skipAlarm();
    await this.jobs.runAll();
    this.#afterChange();
  }

  /** Commits reports. Answers that usage has no price only once the catalog knows of this enterprise (rule R13). */
  async #debit(
    reports: readonly Report[],
    refuse: () => Refused | Denied | null,
  ): Promise<(DebitAnswerJson | Refused)[] | Refused | Denied> {
    this.#senders.note(reports[0]?.run ?? "", this.#realNowMs());
    const decided = await this.#debits.add(reports, refuse);
    const retries = !isRefusal(decided) && decided.some(isRefusal);
    const decide = (again: readonly Report[]) => this.#debits.add(again, refuse);
    const answers = retries
      ? await retryForgotten(reports, decided, { ledger: this.ledger, jobs: this.jobs, decide })
      : decided;
    const unpriced = !isRefusal(answers) && answers.some((answer) => !isRefusal(answer) && !answer.priced);
    if (unpriced && this.#waiting.isUnlisted) await this.jobs.runNow("report_waiting");
    return answers;
  }

  /** Whether the alarm must do nothing: a file that has just gone back does not know it yet, so the catalog is asked once. */
  async #isRestoring(): Promise<boolean> {
    const { recovery, defer, log } = this.platform;
    if (recovery !== undefined && !this.#asked && !this.restorer.underWay) {
      try {
        if (await within(defer, CATALOG_LIMIT_MS, recovery.isListed(this.ledger.id))) return true;
      } catch (error) {
        // Restores make no progress while the catalog does not answer, so the alarm goes on.
        log.warn({ event: "restores_not_read", enterprise: this.ledger.id, error: String(error) });
      }
      this.#asked = true;
    }
    return this.restorer.underWay;
  }

  /** Converts the gauge to the JSON form that responses, sockets and webhooks use. */
  #showGauge(gauge: Gauge = this.ledger.gauge()): GaugeJson {
    return showGauge(gauge, this.ledger.links());
  }

  #onlyUserOf(caller: Caller): string | null {
    return onlyUserOf(caller, this.ledger.books.settings);
  }

  /** Returns why the caller is refused now, or null if it is not refused. Throws while the object is being restored. */
  #fault(caller: Caller): Refused | Denied | null {
    if (!this.ledger.provisioned) return refuse({ code: "not_found" });
    if (this.restorer.underWay) throw new LedgerBusy(`${this.ledger.id} is being restored`);
    return this.#keyring.findFault(caller, this.#realNowMs());
  }

  #answer<T>(caller: Caller, act: () => T): T | Refused | Denied {
    const fault = this.#fault(caller);
    if (fault !== null) return fault;
    const answer = act();
    this.#afterChange();
    return answer;
  }

  /** Reschedules the alarm and pushes the gauge. Every call that may have changed something ends with this. */
  #afterChange(): void {
    const watched = this.platform.sockets.countLive() > 0;
    this.jobs.changed(watched);
    this.#live.changed(this.ledger.books, watched);
  }

  #realNowMs(): AtMs {
    return this.platform.clock.realNowMs();
  }
}
