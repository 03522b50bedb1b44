/**
 * A deployment for tests of a restore: one enterprise whose object stores to a file, a catalog, and a platform whose
 * recovery puts a copy of that file back. Bookmarks are the times at which a copy was taken.
 */
import { copyFileSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JobRecord } from "../../../src/catalog/job-record.ts";
import type { RestoreSteps } from "../../../src/catalog/restore-steps.ts";
import { type RestoredObject, Restores } from "../../../src/catalog/restores.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { auditInCall } from "../../../src/enterprise/jobs/audit-in-call.ts";
import type { Recovery } from "../../../src/enterprise/platform.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { openCatalogSql } from "../../support/catalog-sql.ts";
import { openSql } from "../../support/node-sql.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

export class Restorable {
  readonly #folder = mkdtempSync(join(tmpdir(), "restore-"));
  /** The files of all instances; the last one is the current one. */
  #files = 0;
  #next: string | null = null;
  readonly platform: StubPlatform;
  readonly copy: CopyDb;
  readonly restores: Restores;
  readonly jobs = new Map<string, JobRecord>();
  /** Objects whose lists the catalog has forgotten. */
  readonly back: string[] = [];
  /** Called before each step; throws to make it fail. */
  beforeStep: (name: keyof RestoreSteps) => void | Promise<void> = () => {};
  /** Called after each step that succeeded; throws as if the answer was lost. */
  afterStep: (name: keyof RestoreSteps) => void = () => {};
  /** Whether the platform takes the object back when it restarts. */
  goesBack = true;
  core: EnterpriseCore;

  constructor() {
    this.copy = new CopyDb(async (apply) => apply());
    const recovery: Recovery = {
      isSupported: async () => true,
      bookmarkAt: async (atMs) => this.#snapshot(atMs),
      startNextAt: async (bookmark) => {
        this.#next = bookmark;
        return this.#save(`undo-${this.#files}`);
      },
      restart: () => this.#restart(),
      isListed: async (enterprise) => this.restores.listed().includes(enterprise),
    };
    this.platform = stubPlatform({ copy: this.copy, sql: this.#open(), recovery });
    this.core = new EnterpriseCore(this.platform);
    this.restores = new Restores(openCatalogSql(), (record) => void this.jobs.set(record.job, record));
  }

  /** Takes a copy of the object's file, which a restore to this moment or later goes back to. */
  save(): number {
    this.#save(String(this.platform.nowMs));
    this.#times.push(this.platform.nowMs);
    return this.platform.nowMs;
  }

  /** The object stops, and another instance starts with the same file. */
  restart(): void {
    this.core = new EnterpriseCore(this.platform);
  }

  begin(atMs: number, by = "operator"): string {
    return this.restores.begin({ enterprise: "acme", objectId: "id", atMs, by }, this.platform.nowMs).job;
  }

  /** Runs the catalog's alarm and the object's, until the job has ended. Returns its record. */
  async run(job: string): Promise<JobRecord> {
    for (let i = 0; i < 300 && this.jobs.get(job)?.state === "running"; i++) await this.tick();
    return this.jobs.get(job) as JobRecord;
  }

  /** Runs both alarms once, when the catalog's is due. */
  async tick(): Promise<void> {
    this.platform.nowMs = Math.max(this.platform.nowMs + 1, this.restores.nextDueAtMs() ?? 0);
    await this.restores.runDue(
      () => this.platform.nowMs,
      () => this.#object(),
      (enterprise) => this.back.push(enterprise),
    );
    await this.core.alarm();
    if (this.core.ledger.provisioned) await this.core.jobs.runSlices("rebuild", 50);
  }

  async faults(): Promise<unknown[]> {
    await this.core.alarm();
    const audit = await auditInCall(this.core.jobs, this.platform, {});
    return "checks" in audit ? audit.checks.filter(({ ok }) => !ok) : [audit];
  }

  readonly #times: number[] = [];

  #snapshot(atMs: number): string {
    const time = this.#times.filter((savedAtMs) => savedAtMs <= atMs).at(-1);
    return time === undefined ? "nothing" : String(time);
  }

  #save(name: string): string {
    copyFileSync(this.#file(), join(this.#folder, name));
    return name;
  }

  #file(): string {
    return join(this.#folder, `object-${this.#files}.sqlite`);
  }

  #open(): Sql {
    const sql = openSql(this.#file());
    sql.all("PRAGMA synchronous = OFF");
    sql.all("PRAGMA journal_mode = MEMORY");
    return sql;
  }

  #restart(): never {
    const { goesBack } = this;
    if (goesBack && this.#next !== null) {
      this.#files += 1;
      if (this.#next !== "nothing") copyFileSync(join(this.#folder, this.#next), this.#file());
      this.platform.sql = this.#open();
    }
    this.#next = null;
    this.core = new EnterpriseCore(this.platform);
    throw new Error("the object was restarted");
  }

  /** The object as the catalog calls it: values are plain, and calls may fail. */
  #object(): RestoredObject {
    return new Proxy({} as RestoredObject, {
      get:
        (_, name: keyof RestoreSteps) =>
        async (...args: unknown[]) => {
          await this.beforeStep(name);
          const { restorer } = this.core;
          const sent = JSON.parse(JSON.stringify(args)) as unknown[];
          const answer = await (restorer[name] as (...sent: unknown[]) => unknown).apply(restorer, sent);
          this.afterStep(name);
          return answer === undefined ? undefined : JSON.parse(JSON.stringify(answer));
        },
    });
  }
}
