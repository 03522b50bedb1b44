/**
 * The catalog: one Durable Object for the whole deployment, called rarely. It stores what does not belong to a single
 * enterprise: price books, plans, operator keys, the list of enterprises, the results of scheduled audits, and the records
 * of records.ts. One object stores all price books because their version
 * numbers must be unique. The list of enterprises makes it possible to rebuild a lost copy. This file is long because it
 * has one method for each call.
 */
import type { PlanCatalogue } from "../ledger/plans.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { CatalogAlarm } from "./alarms.ts";
import { Deletions } from "./deletions.ts";
import { DeliveryRecords } from "./delivery-records.ts";
import { loadObjectSizes, type ObjectSize } from "./object-sizes.ts";
import { type ListedOperatorKey, type NewOperatorKey, type OperatorKeyFault, OperatorKeys } from "./operator-keys.ts";
import { type Place, Places, type ShardCount } from "./placement.ts";
import { type PlanChange, type PlanRefusal, PlanVersions, type RecordedPlan } from "./plan-versions.ts";
import type { PriceBook } from "./price-book.ts";
import { type ModelPrice, toFourRates } from "./price-entry.ts";
import { type BookChange, type BookRefusal, type PriceVersion, PriceVersions } from "./price-versions.ts";
import { CatalogRecords } from "./records.ts";
import type { WaitingReceived, WaitingReport } from "./waiting-report.ts";
import { WaitingList, type WaitingSummary } from "./waiting-usage.ts";
import { within } from "./within.ts";

/**
 * The result of a scheduled audit. `unreadable` means that the copy could not be read, and `failed` that the audit itself
 * did not finish. Earlier releases recorded `too_large`.
 */
export type AuditState = "ok" | "drift" | "unreadable" | "too_large" | "failed";
export type AuditNote = { state: AuditState; checkedAtMs: number; detail: string };

/** Summarizes the last audits of all enterprises. Each enterprise is counted in exactly one state. */
export type AuditSummary = {
  counts: Record<AuditState | "never", number>;
  /** The times of the oldest and the newest of these audits; null before the first audit. */
  oldestAtMs: number | null;
  latestAtMs: number | null;
  wrong: ({ enterprise: string } & AuditNote)[];
};

const MAX_WRONG = 100;
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
/** An object that has not responded after this time is notified again later. */
const NOTIFY_LIMIT_MS = 5_000;

export class CatalogObject extends CatalogRecords {
  readonly #sql = this.ctx.storage.sql;
  readonly #places = new Places(this.#sql);
  readonly #prices: PriceVersions;
  readonly #plans: PlanVersions;
  readonly #deletions = new Deletions(this.#sql);
  readonly #waiting: WaitingList;
  readonly #alarm = new CatalogAlarm(this.ctx.storage, [
    { nextDueAtMs: () => this.#deletions.nextDueAtMs(), run: () => this.#runDeletions() },
    { nextDueAtMs: () => this.#waiting.nextDueAtMs(), run: () => this.#notifyOfPrices() },
  ]);
  readonly #operatorKeys: OperatorKeys;
  readonly #deliveries: DeliveryRecords;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS audits (id TEXT PRIMARY KEY, state TEXT NOT NULL, checked_at_ms INTEGER NOT NULL,
        detail TEXT NOT NULL) STRICT, WITHOUT ROWID`,
    );
    this.#sql.exec("CREATE INDEX IF NOT EXISTS audits_wrong ON audits (checked_at_ms) WHERE state <> 'ok'");
    this.#deliveries = new DeliveryRecords(this.#sql);
    const isUpgraded = () => this.#sql.exec("SELECT 1 FROM enterprises LIMIT 1").toArray().length > 0;
    this.#operatorKeys = new OperatorKeys(this.#sql, () => Date.now());
    this.#plans = new PlanVersions(ctx.storage, () => Date.now());
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
  beginDeletion(enterprise: string, objectId: string): { job: string } | null {
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
  enterprises(beforeNumber: number, limit: number): { number: number; id: string }[] {
    const statement = "SELECT number, id FROM enterprises WHERE number < ? ORDER BY number DESC LIMIT ?";
    return this.#sql.exec<{ number: number; id: string }>(statement, beforeNumber, limit).toArray();
  }

  /** Returns the enterprises to audit next: first those never audited, then those with the oldest audits. */
  nextToAudit(limit: number): string[] {
    const statement = `SELECT enterprises.id FROM enterprises LEFT JOIN audits USING (id)
      ORDER BY coalesce(checked_at_ms, 0), number LIMIT ?`;
    return this.#sql
      .exec<{ id: string }>(statement, limit)
      .toArray()
      .map(({ id }) => id);
  }

  /** Records the result of an enterprise's last audit. */
  noteAudit(id: string, { state, checkedAtMs, detail }: AuditNote): void {
    this.#sql.exec("INSERT OR REPLACE INTO audits VALUES (?, ?, ?, ?)", id, state, checkedAtMs, detail);
  }

  /** Summarizes the last audits of all enterprises. Lists at most MAX_WRONG audits that were not ok. */
  auditSummary(): AuditSummary {
    const counts = { ok: 0, drift: 0, unreadable: 0, too_large: 0, failed: 0, never: 0 };
    const byState = `SELECT coalesce(state, 'never') AS state, count(*) AS n FROM enterprises LEFT JOIN audits USING (id)
      GROUP BY 1`;
    for (const { state, n } of this.#sql.exec<{ state: keyof typeof counts; n: number }>(byState)) counts[state] = n;
    const times = "SELECT min(checked_at_ms) AS oldestAtMs, max(checked_at_ms) AS latestAtMs FROM audits";
    const { oldestAtMs, latestAtMs } = this.#sql
      .exec<{ oldestAtMs: number | null; latestAtMs: number | null }>(times)
      .one();
    return { counts, oldestAtMs, latestAtMs, wrong: this.wrongAudits(MAX_WRONG) };
  }

  /** Returns the enterprises whose last audit was not ok, latest audit first. Reads only the rows it returns. */
  wrongAudits(limit: number): AuditSummary["wrong"] {
    const statement = `SELECT id AS enterprise, state, checked_at_ms AS checkedAtMs, detail FROM audits WHERE state <> 'ok'
      ORDER BY checked_at_ms DESC LIMIT ?`;
    return this.#sql.exec<AuditSummary["wrong"][number]>(statement, limit).toArray();
  }

  /** Returns the last scheduled audit of an enterprise; null before its first one. */
  lastAudit(id: string): AuditNote | null {
    const statement = "SELECT state, checked_at_ms AS checkedAtMs, detail FROM audits WHERE id = ?";
    return this.#sql.exec<AuditNote>(statement, id).toArray()[0] ?? null;
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
