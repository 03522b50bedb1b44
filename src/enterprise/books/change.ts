/**
 * One change of the books: the working set between load and commit, inside one transaction without `await`. Decisions
 * replace values in the working set, and commit writes only the values that were replaced. If the transaction fails,
 * the change is discarded. The state in memory outside this class then still equals what is stored. This file is long
 * because the working set is one class.
 */
import {
  type Books,
  byFirstReport,
  type Cycle,
  type Draw,
  type Grant,
  grantRemaining,
  type Meter,
  type Run,
} from "../../ledger/books.ts";
import { debtCycles, payDebt } from "../../ledger/debt.ts";
import { settleDue } from "../../ledger/due.ts";
import type { Entry, NewEntry } from "../../ledger/entries.ts";
import { type Gauge, gaugeOf } from "../../ledger/gauge.ts";
import { changedGrants, dropGrants, findGrant, putGrants } from "../../ledger/grant-list.ts";
import { endExpiredHold } from "../../ledger/holds.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { type AlertLinks, type DeploymentLinks, linksOf } from "../../wire/links.ts";
import { budgetNotice, type Notice } from "../../wire/notice.ts";
import { assertBalances, assertGrant } from "./assertions.ts";
import { BudgetChange } from "./budget-change.ts";
import type { Budgets } from "./budgets.ts";
import { addPayments, keepPayments, loadPayments, oldestPaidCycleMs, paymentsWait } from "./debt-payments.ts";
import { nameOf } from "./directory.ts";
import type { Identity, State } from "./enterprise-row.ts";
import { notify, notifyOutlook } from "./notify.ts";
import { holdItem, type OutboxItem, putOutbox } from "./outbox.ts";
import type { Recent } from "./recent.ts";
import type { Store } from "./store.ts";
import { WaitingChanges } from "./waiting.ts";

/** Attributing payments to this many debtors takes about 20 milliseconds. */
const MAX_DEBTORS = 1_000;
const MAX_PAYMENTS = 1_000;

export class Change {
  books: Books;
  identity: Identity;
  paymentsWait: boolean;
  /** Whether this change has queued a message. */
  webhookQueued = false;
  readonly #runs = new Map<string, Run>();
  /** The meters of each loaded run, in the order of their first reports. */
  readonly #meters = new Map<string, Meter[]>();
  readonly #newRuns = new Set<string>();
  readonly #changedRuns = new Set<string>();
  /** New meters by run and key, until they are written. */
  readonly #newMeters = new Map<string, Meter>();
  /** Each with what is stored of it, if that is known. */
  readonly #changedMeters = new Map<string, { meter: Meter; stored?: Meter | undefined }>();
  /** Stored meters that got a price after they had waited for one. */
  readonly #pricedMeters = new Map<string, Meter>();
  /** Meters that waited too long for a price. */
  readonly #droppedMeters: Meter[] = [];
  /** What this change does to the usage that waits for a price. */
  readonly waiting = new WaitingChanges();
  /** Runs that are not loaded but have a changed meter, because the meter's debt was paid. */
  readonly #touchedRuns = new Set<string>();
  /** Grants that this change has loaded, as they are stored. */
  readonly #loadedGrants = new Set<Grant>();
  readonly #cycles: Cycle[] = [];
  readonly #entries: Entry[] = [];
  readonly #items: OutboxItem[] = [];
  readonly #notices: Notice[] = [];
  /** The runs whose expired holds this change has ended, as they were. */
  readonly #ended: Run[] = [];
  /** What this change moves of budgets; null if there are none, so that debits then do no work for them. */
  readonly budgets: BudgetChange | null;

  constructor(
    readonly store: Store,
    readonly recent: Recent,
    budgets: Budgets,
    readonly before: State,
    readonly nowMs: AtMs,
    readonly deploymentLinks: DeploymentLinks,
  ) {
    this.budgets = budgets.none ? null : new BudgetChange(budgets, store.sql, nowMs, () => this.books);
    this.books = before.books;
    this.identity = before.identity;
    this.paymentsWait = before.paymentsWait;
  }

  /**
   * Applies everything that is due by now, in order: grants expire and cycles turn, then holds expire. Each change ends
   * only a portion of the expired holds. The others no longer count against the balance, and later changes end them.
   */
  settle(): void {
    const settled = settleDue(this.books, this.nowMs, this.store.maxEnded.grants);
    this.books = settled.books;
    this.#cycles.push(...settled.closed);
    this.record(settled.entries);
    this.books = { ...this.books, overdue: this.store.expired.total(this.nowMs) };
    for (const run of this.store.loadExpiredHolds(this.nowMs, this.store.maxEnded.holds)) this.#endExpiredHold(run);
  }

  /** Loads runs and their meters into the working set. */
  load(runs: readonly string[]): void {
    const missing = runs.filter((run) => !this.#meters.has(run) && !this.#loadCached(run));
    this.#endExpiredHolds(runs);
    if (missing.length === 0) return;
    for (const run of missing) this.#meters.set(run, []);
    for (const run of this.store.loadRuns(missing)) if (!this.#runs.has(run.run)) this.#runs.set(run.run, run);
    for (const meter of this.store.loadMeters(missing)) this.#meters.get(meter.run)?.push(meter);
    this.#endExpiredHolds(missing);
  }

  run(name: string): Run | null {
    return this.#runs.get(name) ?? null;
  }

  metersOf(run: string): readonly Meter[] {
    return this.#meters.get(run) ?? [];
  }

  /**
   * Returns the meters of a loaded run, one of them with all draws that a refund may undo. `usedUp` are those of its grants
   * that are usable and not in the books.
   */
  metersFor(run: string, refund: { meter: Meter; micros: Micros } | null) {
    if (refund === null) return { meters: this.metersOf(run) };
    const meter = this.store.olderDraws.take(refund.meter, refund.micros);
    const ids = new Set<string>();
    for (const { grantId } of meter.draws) if (grantId !== null) ids.add(grantId);
    const missing = [...ids].filter((id) => findGrant(this.books.grants, id) === null);
    const usedUp = missing.length === 0 ? [] : this.store.loadUsableGrants(missing, this.nowMs);
    return {
      meters: this.metersOf(run).map((known) => (known === refund.meter ? meter : known)),
      usedUp: new Map(usedUp.map((grant) => [grant.id, grant])),
    };
  }

  /** Returns a grant in its state so far within this change; null if there is no such grant. */
  findGrant(id: string): Grant | null {
    return findGrant(this.books.grants, id) ?? this.store.loadGrants([id])[0] ?? null;
  }

  /** Adds stored grants to the books. */
  addGrants(grants: readonly Grant[]): void {
    for (const grant of grants) this.#loadedGrants.add(grant);
    this.books = { ...this.books, grants: putGrants(this.books.grants, grants) };
  }

  /** Adds or replaces a run in the working set. The run must have been loaded, or its hold must have expired. */
  putRun(run: Run): void {
    this.budgets?.moveHold(this.#runs.get(run.run) ?? null, run);
    const isNew = this.#meters.has(run.run) && !this.#runs.has(run.run);
    this.#runs.set(run.run, run);
    if (isNew) this.#newRuns.add(run.run);
    else if (!this.#newRuns.has(run.run)) this.#changedRuns.add(run.run);
  }

  /** Adds or replaces a meter of a loaded run, or replaces a stored meter of another run. */
  putMeter(next: Meter): void {
    const key = `${next.run}\n${next.key}`;
    const meters = this.#meters.get(next.run);
    const index = meters?.findIndex((known) => known.key === next.key);
    const before = index === undefined ? undefined : meters?.[index];
    const meter = this.store.olderDraws.shorten(next, before);
    if (meter.price === null || before?.price === null) this.waiting.note(before ?? null, meter);
    if (index === -1 || this.#newMeters.has(key)) this.#newMeters.set(key, meter);
    else {
      const { stored = before } = this.#changedMeters.get(key) ?? {};
      this.#changedMeters.set(key, { meter, stored });
      const hadPrice = before?.price !== null;
      if (this.#pricedMeters.has(key) || (!hadPrice && meter.price !== null)) this.#pricedMeters.set(key, meter);
    }
    if (meters === undefined) this.#touchedRuns.add(meter.run);
    else if (index !== undefined && index >= 0) meters[index] = meter;
    else {
      meters.push(meter);
      meters.sort(byFirstReport);
    }
  }

  /** Deletes a meter of a loaded run that has waited too long for a price. Returns whether the run has none left. */
  dropMeter(meter: Meter): boolean {
    const left = this.metersOf(meter.run).filter((known) => known.key !== meter.key);
    this.#meters.set(meter.run, left);
    this.#droppedMeters.push(meter);
    this.waiting.note(meter, null);
    return left.length === 0;
  }

  addItem(item: OutboxItem): void {
    if (item.debit !== null) this.budgets?.charge(item.debit);
    this.#items.push(item);
  }

  /** Computes the gauge from the current state of this change. */
  gauge(): Gauge {
    return gaugeOf(this.identity.id, this.books, this.nowMs);
  }

  /** Raises seq by one, for the next entry or outbox item. */
  takeSeq(): void {
    this.books = { ...this.books, seq: this.books.seq + 1 };
  }

  /** Adds the entries of a decision. The decision must have just raised seq by one for each entry. */
  record(entries: readonly NewEntry[]): void {
    const first = this.books.seq - entries.length + 1;
    this.#entries.push(...entries.map((entry, i) => ({ ...entry, seq: first + i })));
  }

  /**
   * Pays this cycle's debt from free credit. Attributes the payment to up to 1,000 meters, oldest first. What is left of
   * it waits for `attributeWaiting`. Returns how much was paid.
   */
  payDebt(): Micros {
    const { books, payments, paidMicros } = payDebt(this.books, this.nowMs);
    this.books = books;
    const left = this.paymentsWait ? payments : this.#attribute(payments);
    addPayments(this.store.sql, left);
    this.paymentsWait ||= left.length > 0;
    return paidMicros;
  }

  /** Attributes a portion of the payments that wait. */
  attributeWaiting(): void {
    const { sql } = this.store;
    const cycleStartsAtMs = oldestPaidCycleMs(sql);
    if (cycleStartsAtMs !== null) {
      const loaded = loadPayments(sql, cycleStartsAtMs, MAX_PAYMENTS);
      keepPayments(sql, loaded, this.#attribute(loaded.map(({ draw }) => draw)));
    }
    this.paymentsWait = paymentsWait(sql);
  }

  /**
   * Attributes payments that wait to the meters of a loaded run. If a decision saw a meter that owes what is paid, its
   * next draw would come before the payment, and its refund would go to the wrong bucket.
   */
  attributeTo(run: string): void {
    if (!this.paymentsWait) return;
    const { sql } = this.store;
    for (const meter of this.metersOf(run)) {
      for (const cycleStartsAtMs of debtCycles(meter)) this.#attributeAllTo(run, meter.key, cycleStartsAtMs);
    }
    this.paymentsWait = paymentsWait(sql);
  }

  /** Returns where the enterprise's people get more credits and invite others. */
  links(): AlertLinks {
    return linksOf(this.books.settings, this.identity.id, this.deploymentLinks);
  }

  /** Has a message queued, for every receiver that wants it, when this change commits. */
  announce(notice: Notice): void {
    this.#notices.push(notice);
  }

  /** Queues the messages that this change causes: those announced, and those about the balance. */
  notify(realNowMs: AtMs): void {
    for (const { state, level } of this.budgets?.announce() ?? []) {
      this.announce(budgetNotice(state, nameOf(this.store.sql, state.dimension, state.id), level));
    }
    if (this.books === this.before.books && this.#notices.length === 0) return;
    const ended = this.#cycles.at(-1) ?? null;
    const before = this.before.books;
    const { books, queued } = notify({ ...this.#situation(realNowMs), before, notices: this.#notices, ended });
    this.books = books;
    this.webhookQueued ||= queued;
  }

  /** Queues what is about to happen, if it was not queued before. */
  notifyOutlook(realNowMs: AtMs): void {
    const { queued, books } = notifyOutlook(this.#situation(realNowMs));
    this.books = books;
    this.webhookQueued ||= queued;
  }

  #situation(realNowMs: AtMs) {
    const { store, identity, books, nowMs, deploymentLinks } = this;
    const channels = store.channels.active;
    return { sql: store.sql, id: identity.id, books, nowMs, realNowMs, channels, deploymentLinks };
  }

  /** Writes the values that were replaced, and asserts their invariants. */
  commit(): void {
    const touched = changedGrants(this.books.grants, this.before.books.grants);
    const grants = touched.filter((grant) => !this.#loadedGrants.has(grant));
    for (const grant of grants) assertGrant(grant);
    assertBalances(this.books);
    this.#flushMeters();
    this.store.deleteWaiting(this.#droppedMeters);
    this.store.deleteMeters(this.#droppedMeters);
    this.waiting.store(this.store.sql);
    this.store.addRuns([...this.#newRuns].map((run) => this.#runs.get(run) as Run));
    for (const run of this.#changedRuns) this.store.putRun(this.#runs.get(run) as Run);
    this.store.addGrants(grants.filter((grant) => grant.seq > this.before.books.seq));
    this.store.putGrants(grants.filter((grant) => grant.seq <= this.before.books.seq));
    this.store.putCycles(this.#cycles, this.before.books.capMicros);
    this.store.addEntries(this.#entries);
    const moves = this.budgets?.takeMoves(this.#items.length > 0) ?? null;
    putOutbox(this.store.sql, this.#items, this.nowMs, this.books.cycle.timeZone, moves);
    if (this.books === this.before.books && this.identity === this.before.identity) return;
    this.identity = { ...this.identity, lastAtMs: Math.max(this.identity.lastAtMs, this.nowMs) };
    this.store.putBalances(this);
    if (this.books.settings !== this.before.books.settings) this.store.putSettings(this.books.settings);
    const usedUp = touched.filter((grant) => grantRemaining(grant) === 0);
    if (usedUp.length > 0) this.books = { ...this.books, grants: dropGrants(this.books.grants, usedUp) };
  }

  /** Updates the cache of recent runs with the loaded runs. Call this only after the transaction has committed. */
  remember(): void {
    this.budgets?.keep();
    this.store.expired.ended(this.#ended, this.nowMs);
    this.recent.forget(this.#touchedRuns);
    this.recent.forget(this.#changedRuns);
    for (const [name, meters] of this.#meters) {
      const run = this.#runs.get(name);
      if (run !== undefined) this.recent.keep({ run, meters });
    }
  }

  /** Returns when the first hold of the runs that this change has written expires; Infinity if there is none. */
  soonestHoldEnd(): AtMs {
    let soonest = Number.POSITIVE_INFINITY;
    for (const name of [...this.#newRuns, ...this.#changedRuns]) {
      soonest = Math.min(soonest, this.#runs.get(name)?.hold?.expiresAtMs ?? Number.POSITIVE_INFINITY);
    }
    return soonest;
  }

  /** Loads a run from the cache of recent runs. Returns false if the run is not in the cache. */
  #loadCached(name: string): boolean {
    const known = this.recent.find(name);
    if (known === undefined) return false;
    if (!this.#runs.has(name)) this.#runs.set(name, known.run);
    // Copy the list, because this change may replace meters in it.
    this.#meters.set(name, [...known.meters]);
    return true;
  }

  /** Ends the expired holds of loaded runs that `settle` has not ended yet. A decision must not see an expired hold. */
  #endExpiredHolds(names: readonly string[]): void {
    for (const name of names) {
      const run = this.#runs.get(name);
      if (run?.hold && run.hold.expiresAtMs <= this.nowMs) this.#endExpiredHold(run);
    }
  }

  #endExpiredHold(run: Run): void {
    const ended = endExpiredHold(this.books, run);
    this.books = ended.books;
    this.takeSeq();
    // The run may not be loaded. What its hold was must be known to count its end.
    if (!this.#runs.has(run.run)) this.#runs.set(run.run, run);
    this.putRun(ended.run);
    this.#ended.push(run);
    this.budgets?.endedHold(run);
    this.addItem(holdItem(run, this.books.seq));
  }

  /** Attributes payments of one cycle to the oldest debtors, up to the limit. Returns the payments that are left. */
  #attribute(payments: readonly Draw[]): readonly Draw[] {
    let left = payments;
    for (let seen = 0; left[0] !== undefined && seen < MAX_DEBTORS; ) {
      // The next query finds meters in debt by their stored rows, so this change's meters must be written first.
      this.#flushMeters();
      const debtors = this.store.loadDebtors(left[0].cycleStartsAtMs);
      if (debtors.length === 0) throw new Error("there is debt, but no meter owes it");
      const attributed = this.store.olderDraws.pay(left, debtors);
      for (const meter of attributed.paid) this.putMeter(meter);
      left = attributed.payments;
      seen += debtors.length;
    }
    return left;
  }

  #attributeAllTo(run: string, key: string, cycleStartsAtMs: AtMs): void {
    const { sql, olderDraws } = this.store;
    for (;;) {
      const meters = this.metersOf(run).filter((known) => known.key === key);
      const loaded = loadPayments(sql, cycleStartsAtMs, MAX_PAYMENTS);
      const draws = loaded.map(({ draw }) => draw);
      const { payments, paid } = olderDraws.pay(draws, meters);
      if (paid[0] === undefined) return;
      keepPayments(sql, loaded, payments);
      this.putMeter(paid[0]);
    }
  }

  #flushMeters(): void {
    this.store.addMeters([...this.#newMeters.values()]);
    for (const { meter, stored } of this.#changedMeters.values()) this.store.putMeter(meter, stored);
    this.store.putPrices([...this.#pricedMeters.values()]);
    this.#newMeters.clear();
    this.#changedMeters.clear();
    this.#pricedMeters.clear();
  }
}
