/**
 * A deployment for tests of usage without a price: a price book, a catalog that receives reports, and one enterprise whose
 * object can be stopped and started again.
 */
import type { Caller } from "../../src/access/callers.ts";
import { indexPrices } from "../../src/catalog/price-book.ts";
import type { ModelPrice } from "../../src/catalog/price-entry.ts";
import type { WaitingReport } from "../../src/catalog/waiting-report.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import { auditBooks } from "../../src/enterprise/jobs/audit.ts";
import type { Report } from "../../src/ledger/debit.ts";
import type { DebitAnswerJson } from "../../src/wire/debit-answer.ts";
import { isEntry } from "../../src/wire/entry.ts";
import { CopyDb } from "../simulation/copy-db.ts";
import { NOON, report, settings } from "../support/books.ts";
import { type StubPlatform, stubPlatform } from "./stub-platform.ts";

export const OPERATOR: Caller = { kind: "operator" };
export const entry = (id: string, input: string, over: Partial<ModelPrice> = {}): ModelPrice => ({
  id,
  aliases: [],
  input,
  output: input,
  ...over,
});

export class Deployment {
  version = 1;
  models: ModelPrice[] = [entry("known", "1")];
  /** What the catalog has received, and what it does when it receives a report. */
  readonly reports: WaitingReport[] = [];
  answerReport: () => Promise<void> = async () => {};
  readonly platform: StubPlatform;
  core: EnterpriseCore;

  constructor(over: Parameters<typeof settings>[0] = {}) {
    this.platform = stubPlatform({
      copy: new CopyDb(async (apply) => apply()) as never,
      prices: async () => this.index,
      waitingUsage: {
        report: async (sent) => {
          await this.answerReport();
          this.reports.push(sent);
          return { version: this.version, pauseMs: 5_000 };
        },
      },
    });
    this.core = new EnterpriseCore(this.platform);
    const all = settings({ allowanceOverrideMicros: 1_000_000, ...over });
    this.core.management.provision("acme", all, all, NOON);
  }

  get index() {
    return indexPrices({ version: this.version, credits_per_usd: 1, models: this.models });
  }

  get sql() {
    return this.platform.sql;
  }

  /** Reports tokens of a model, which the current book prices or does not. */
  report(model: string, input: number, over: Partial<Report> = {}, index = this.index): Report {
    const { tier } = over;
    return report(input, { ...index.find(model, tier), reportedAs: model, ...over });
  }

  async debit(...reports: Report[]): Promise<DebitAnswerJson[]> {
    return (await this.core.debit(OPERATOR, reports)) as DebitAnswerJson[];
  }

  /** The object stops, and another instance starts with what is stored. */
  restart(): void {
    this.core = new EnterpriseCore(this.platform);
  }

  /** The operator puts the next version of the book, and the catalog notifies the object. */
  putBook(...models: ModelPrice[]): void {
    this.version += 1;
    this.models = models;
    this.core.pricesChanged(this.version);
  }

  /** Runs the alarm until nothing is due. */
  async settle(): Promise<void> {
    for (let i = 0; i < 100; i++) {
      await this.core.jobs.runNow("slices");
      await this.core.jobs.runNow("report_waiting");
    }
  }

  receipt(run = "r1") {
    const receipt = this.core.receipt(OPERATOR, run);
    if ("refusal" in receipt) throw new Error(receipt.refusal.code);
    return receipt;
  }

  /** The meters of the receipt by their models. */
  meters() {
    return Object.fromEntries(this.receipt().meters.map((meter) => [meter.model, meter]));
  }

  entries(type: string) {
    const entries = this.core.entries(OPERATOR, Number.MAX_SAFE_INTEGER, 100);
    if ("refusal" in entries) throw new Error(entries.refusal.code);
    return entries.flatMap((entry) => (isEntry(entry) && entry.facts.type === type ? [entry.facts] : []));
  }

  faults() {
    return auditBooks(this.core.ledger).filter(({ ok }) => !ok);
  }
}
