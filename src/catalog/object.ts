/**
 * The catalog: one Durable Object for the whole deployment, called rarely. It stores what does not belong to a single
 * enterprise: price books, plans, operator keys, the list of enterprises, the results of scheduled audits, and the records
 * of records.ts. One object stores all price books because their version numbers must be unique. The list of enterprises
 * makes it possible to rebuild a lost copy. This file is long because it has one method for each call.
 */
import type { PlanCatalogue } from "../ledger/plans.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { CatalogAlarm } from "./alarms.ts";
import { type AuditNote, AuditRecords, type AuditSummary } from "./audit-records.ts";
import { type BusyCause, loadBusyCounts } from "./busy-counts.ts";
import { Deletions } from "./deletions.ts";
import { DeliveryRecords, type FailedDeliveries } from "./delivery-records.ts";
import { type EnterpriseCounts, EnterpriseList } from "./enterprise-list.ts";
import type { FailedJob } from "./job-record.ts";
import { loadFailedJobs } from "./job-records.ts";
import { loadLateCopies } from "./late-copies.ts";
import { loadObjectSizes, type ObjectSize } from "./object-sizes.ts";
import { type ListedOperatorKey, type NewOperatorKey, type OperatorKeyFault, OperatorKeys } from "./operator-keys.ts";
import { type ListedPlace, type Place, Places, type ShardCount } from "./placement.ts";
import { type PlanChange, type PlanRefusal, PlanVersions, type RecordedPlan } from "./plan-versions.ts";
import type { PriceBook } from "./price-book.ts";
import { type ModelPrice, toFourRates } from "./price-entry.ts";
import { type BookChange, type BookRefusal, type PriceVersion, PriceVersions } from "./price-versions.ts";
import { CatalogRecords } from "./records.ts";
import { restoredObject } from "./restored-object.ts";
import { Restores } from "./restores.ts";
import type { WaitingReceived, WaitingReport } from "./waiting-report.ts";
import { WaitingList, type WaitingSummary } from "./waiting-usage.ts";
import { within } from "./within.ts";
/** What the metrics show so that the person on call knows which enterprises an alert is about. */
export type CatalogAttention = {
  busy: Record<BusyCause, number>;
  failedJobs: FailedJob[];
  lateCopies: string[];
  failedDeliveries: FailedDeliveries[];
};

/** The tables that list enterprises by id, besides the list with their places. */
export const LISTS = [
  "audits",
  "demos",
  "enterprise_plans",
  "plan_claims",
  "object_sizes",
  "late_copies",
  "waiting_usage",
  "deliveries_failed",
  "webhook_secrets_failed",
];
/** Of these, the tables that repeat what an object has reported. */
const STATES = ["enterprise_plans", "object_sizes", "late_copies"];
/** An object that has not responded after this time is notified again later. */
const NOTIFY_LIMIT_MS = 5_000;

export class CatalogObject extends CatalogRecords {
  readonly #sql = this.ctx.storage.sql;
  readonly #places = new Places(this.#sql);
  readonly #audits = new AuditRecords(this.#sql);
  readonly #prices: PriceVersions;
  readonly #plans: PlanVersions;
  readonly #deletions = new Deletions(this.#sql);
  readonly #waiting: WaitingList;
  readonly #restores = new Restores(this.#sql, (record) => this.putJob(record));
  readonly #alarm = new CatalogAlarm(this.ctx.storage, [
    { nextDueAtMs: () => this.#deletions.nextDueAtMs(), run: () => this.#runDeletions() },
    { nextDueAtMs: () => this.#waiting.nextDueAtMs(), run: () => this.#notifyOfPrices() },
    { nextDueAtMs: () => this.#restores.nextDueAtMs(), run: () => this.#runRestores() },
  ]);
  readonly #operatorKeys: OperatorKeys;
  readonly #deliveries: DeliveryRecords;
  readonly #list: EnterpriseList;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#deliveries = new DeliveryRecords(this.#sql);
    const isUpgraded = () => this.#sql.exec("SELECT 1 FROM enterprises LIMIT 1").toArray().length > 0;
    this.#operatorKeys = new OperatorKeys(this.#sql, () => Date.now());
    this.#plans = new PlanVersions(ctx.storage, () => Date.now());
    this.#list = new EnterpriseList(this.#sql);
    this.#prices = new PriceVersions(ctx.storage, () => Date.now(), isUpgraded);
    this.#waiting = new WaitingList(
      this.#sql,
      () => Date.now(),
      () => this.#prices.currentVersion,
    );
    // A new release may have brought a new version of the price book.
    this.#alarm.schedule();
  }

  /** Returns the current price book; null if its version is `knownVersion`. */
  bookSince(knownVersion: number | null): PriceBook | null {
    return this.#prices.currentVersion === knownVersion ? null : this.#prices.current();
  }

  /** Returns one version of the price book; null if there is no such version, or if it was never stored. */
  bookAt(version: number): PriceBook | null {
    return this.#prices.at(version);
  }

  /** Lists the versions of the price book below `before`, newest first. */
  priceVersions(before: number, limit: number): PriceVersion[] {
    return this.#prices.list(before, limit);
  }

  /** Makes the next version of the price book, which becomes the current one, unless the change is refused. */
  changeBook(change: BookChange): PriceBook | BookRefusal {
    const changed = this.#prices.change(change);
    this.#alarm.schedule();
    return changed;
  }

  /** Stores what waits for a price in an enterprise, whose object is then notified about new versions. */
  reportWaiting(report: WaitingReport, objectId: string): WaitingReceived {
    return this.#waiting.report(report, objectId);
  }

  /** Sums what waits for a price in all enterprises. */
  waitingSummary(limit: number): WaitingSummary {
    return this.#waiting.summary(limit);
  }

  /** Serves Workers of the first release during a deploy: they know entries with exactly four rates. */
  currentBook(knownVersion: number | null): PriceBook | null {
    const book = this.bookSince(knownVersion);
    return book === null ? null : { ...book, models: book.models.map(toFourRates) };
  }

  /** Serves Workers of the first release during a deploy. */
  addBook(creditsPerUsd: number, models: ModelPrice[]): PriceBook {
    const change = { models, remove: "all", creditsPerUsd, knownVersion: null, by: "operator" } as const;
    const book = this.changeBook(change);
    if (!("version" in book)) throw new Error("the price book was not added");
    return { ...book, models: book.models.map(toFourRates) };
  }

  /** Lists an enterprise and chooses its place, once. Refuses an id that was deleted less than 35 days ago. */
  place(id: string, region: string, shards: readonly string[]): Place | Refused {
    if (this.isDeleted(id)) return refuse({ code: "enterprise_deleted" });
    return this.#places.add(id, region, shards);
  }

  /** Returns where an enterprise is; null if it is not listed. */
  placeOf(id: string): Place | null {
    return this.#places.find(id);
  }

  /** Records that the copy of an enterprise was moved. Idempotent. */
  noteMoved(id: string, shard: string): void {
    this.#places.move(id, shard);
  }

  /** Returns how many enterprises each database has, and the objects that are nearly full, largest first. */
  storage(): { shards: ShardCount[]; objects: ObjectSize[] } {
    return { shards: this.#places.count(), objects: loadObjectSizes(this.#sql) };
  }

  /** Adds an operator key. Returns false if there are too many. */
  addOperatorKey(key: NewOperatorKey): boolean {
    return this.#operatorKeys.add(key);
  }

  operatorKeys(before: number, limit: number): ListedOperatorKey[] {
    return this.#operatorKeys.list(before, limit);
  }

  operatorKey(id: string): ListedOperatorKey | null {
    return this.#operatorKeys.get(id);
  }

  revokeOperatorKey(id: string): boolean {
    return this.#operatorKeys.revoke(id);
  }

  /** Returns why an operator key is refused now; null if it is not. */
  useOperatorKey(id: string, hash: string): OperatorKeyFault | null {
    return this.#operatorKeys.use(id, hash);
  }

  plans(): PlanCatalogue {
    return this.#plans.current();
  }

  /** Makes the next version of the catalogue of plans, unless it is refused. */
  changePlans(change: PlanChange): PlanCatalogue | PlanRefusal {
    return this.#plans.change(change);
  }

  /** Begins the change of an enterprise's plan; see PlanVersions.claim. */
  claimPlan(id: string, plan: string): number | null {
    return this.#plans.claim(id, plan);
  }

  endPlanClaim(claim: number, id: string, recorded: RecordedPlan | null): void {
    this.#plans.endClaim(claim, id, recorded);
  }

  enterprisesWithoutPlan(): string[] {
    return this.#plans.unrecorded();
  }

  recordPlans(found: ({ id: string } & RecordedPlan)[]): void {
    this.#plans.recordAll(found);
  }

  /** Serves Workers of the last release during a deploy. */
  enrol(id: string): void {
    this.place(id, "", []);
  }

  /** Whether an enterprise with this id was deleted less than 35 days ago. */
  isDeleted(id: string): boolean {
    return this.#deletions.isBlocked(id, Date.now());
  }

  /**
   * Begins the deletion of an enterprise, and removes it from every list. Returns the job; null if it is not listed. The
   * catalog's alarm continues until nothing is left.
   * @param objectId the id of the enterprise's object, which depends on its region
   */
  beginDeletion(enterprise: string, objectId: string): { job: string } | null | Refused {
    if (this.#restores.isRunning(enterprise)) return refuse({ code: "ledger_busy" });
    return this.ctx.storage.transactionSync(() => {
      if (!this.#places.remove(enterprise)) return null;
      const job = crypto.randomUUID();
      this.#forget(enterprise);
      this.#deletions.begin({ enterprise, objectId, job }, Date.now());
      this.putJob({ job, name: "delete", enterprise, state: "running", progress: 0, detail: "" });
      this.#alarm.schedule();
      return { job };
    });
  }

  /**
   * Begins the restore of an enterprise, or returns the job of the one that is running; null if it is not listed.
   * @param by who asked for it; a Worker of the last release does not send it
   */
  beginRestore(enterprise: string, objectId: string, atMs: number, by = "operator"): { job: string } | null {
    if (this.#places.find(enterprise) === null) return null;
    const begun = this.ctx.storage.transactionSync(() =>
      this.#restores.begin({ enterprise, objectId, atMs, by }, Date.now()),
    );
    this.#alarm.schedule();
    return begun;
  }

  /** Lists the enterprises whose calls must be refused, because they are being restored. */
  restoring(): string[] {
    return this.#restores.listed();
  }

  isRestoring(enterprise: string): boolean {
    return this.#restores.listed().includes(enterprise);
  }

  override alarm(): Promise<void> {
    return this.#alarm.run();
  }

  /** Notifies objects in which usage waits for a price about the current version of the price book. */
  #notifyOfPrices(): Promise<void> {
    return this.#waiting.notifySome(async (objectId, version) => {
      const { ENTERPRISE } = this.env;
      const noted = await within(NOTIFY_LIMIT_MS, async () =>
        ENTERPRISE.get(ENTERPRISE.idFromString(objectId)).pricesChanged(version),
      );
      return !isRefusal(noted);
    });
  }

  #runRestores(): Promise<void> {
    return this.#restores.runDue(
      () => Date.now(),
      (objectId) => restoredObject(this.env, objectId),
      (enterprise) => this.#forgetState(enterprise),
    );
  }

  /** Removes what an enterprise's object has reported before it went back. The object or a schedule reports it again. */
  #forgetState(enterprise: string): void {
    for (const table of STATES) this.#sql.exec(`DELETE FROM ${table} WHERE id = ?`, enterprise);
  }

  #forget(enterprise: string): void {
    for (const table of LISTS) this.#sql.exec(`DELETE FROM ${table} WHERE id = ?`, enterprise);
  }

  #runDeletions(): Promise<void> {
    return this.#deletions.runDue(
      () => Date.now(),
      (enterprise, objectId) => {
        const { ENTERPRISE } = this.env;
        // Another request may have listed it again meanwhile.
        this.#forget(enterprise);
        return ENTERPRISE.get(ENTERPRISE.idFromString(objectId)).deleteStep(enterprise);
      },
      ({ job, enterprise }) => {
        const detail = "deleted the object and the copy";
        this.putJob({ job, name: "delete", enterprise, state: "done", progress: 1, detail });
      },
    );
  }

  /** Returns the enterprises with a number below `beforeNumber`, newest first. */
  enterprises(beforeNumber: number, limit: number): ListedPlace[] {
    const statement = "SELECT number, id, shard FROM enterprises WHERE number < ? ORDER BY number DESC LIMIT ?";
    return this.#sql.exec<ListedPlace>(statement, beforeNumber, limit).toArray();
  }

  /** Lists the ids of all enterprises, or of those with a plan, after `after`. */
  enterprisesById(plan: string | null, after: string, limit: number): string[] {
    return this.#list.list(plan, after, limit);
  }

  countEnterprises(): EnterpriseCounts {
    return this.#list.counts();
  }

  nextToAudit(limit: number): string[] {
    return this.#audits.next(limit);
  }

  /** Records the result of an enterprise's last audit. */
  noteAudit(id: string, note: AuditNote): void {
    this.#audits.note(id, note);
  }

  auditSummary(): AuditSummary {
    return this.#audits.summary();
  }

  /** Returns the enterprises whose last audit was not ok, latest audit first. */
  wrongAudits(limit: number): AuditSummary["wrong"] {
    return this.#audits.wrong(limit);
  }

  lastAudit(id: string): AuditNote | null {
    return this.#audits.last(id);
  }

  /** Returns what the metrics show of single enterprises that need attention, and how often ledgers were busy. */
  attention(limit: number): CatalogAttention {
    return {
      busy: loadBusyCounts(this.#sql),
      failedJobs: loadFailedJobs(this.#sql, limit),
      lateCopies: loadLateCopies(this.#sql, limit),
      failedDeliveries: this.#deliveries.mostFailed(limit),
    };
  }

  /** Records how many messages an enterprise has given up in total. A late, smaller number changes nothing. */
  noteFailedDeliveries(enterprise: string, failed: number): void {
    this.#deliveries.noteFailed(enterprise, failed);
  }

  /** Sums the messages that all enterprises have given up. */
  countFailedDeliveries(): number {
    return this.#deliveries.countFailed();
  }

  /** Lists enterprises of an earlier release that may not have stored their webhook secret, and counts all of them. */
  webhookSecretsToStore(limit: number): { ids: string[]; left: number } {
    return this.#deliveries.secretsToStore(limit);
  }

  /** Records which enterprises have stored their webhook secret, or need none, and which could not be asked. */
  webhookSecretsStored(stored: string[], failed: string[]): void {
    this.#deliveries.secretsStored(stored, failed);
  }
}

/** Returns a stub of the deployment's catalog. */
export function catalogOf(env: Env): DurableObjectStub<CatalogObject> {
  return env.CATALOG.getByName("catalog");
}
