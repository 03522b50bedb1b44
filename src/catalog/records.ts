/**
 * The part of the catalog object that only keeps records: of jobs, late copies, large objects, demo
 * enterprises, and which of the operator's sessions were signed out.
 */
import { DurableObject } from "cloudflare:workers";
import { addBusyCounts, type BusyCounts, createBusyCounts } from "./busy-counts.ts";
import type { JobCount, JobPosition, JobRecord, JobState, ListedJob } from "./job-record.ts";
import { countJobRecords, createJobRecords, listJobRecords, loadJobRecord, putJobRecord } from "./job-records.ts";
import { countLateCopies, createLateCopies, noteLateCopy } from "./late-copies.ts";
import { createObjectSizes, noteObjectSize } from "./object-sizes.ts";

export class CatalogRecords extends DurableObject<Env> {
  readonly #sql = this.ctx.storage.sql;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    createJobRecords(this.#sql);
    createObjectSizes(this.#sql);
    createLateCopies(this.#sql);
    createBusyCounts(this.#sql);
    this.#sql.exec(
      `CREATE TABLE IF NOT EXISTS operator_sessions_ended (id TEXT PRIMARY KEY, expires_at_ms INTEGER NOT NULL)
        STRICT, WITHOUT ROWID`,
    );
    this.#sql.exec("CREATE TABLE IF NOT EXISTS demos (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE) STRICT");
  }

  /** Stores the public record of a job, or replaces it. */
  putJob(record: JobRecord): void {
    putJobRecord(this.#sql, record, Date.now());
  }

  /** Returns the public record of a job; null if there is none. */
  job(id: string): JobRecord | null {
    return loadJobRecord(this.#sql, id);
  }

  /** Lists the records of jobs that changed before `before`, or all, by their last change, newest first. */
  jobs(state: JobState | null, before: JobPosition | null, limit: number): ListedJob[] {
    return listJobRecords(this.#sql, state, before, limit);
  }

  /** Counts the jobs on record by name and state. */
  countJobs(): JobCount[] {
    return countJobRecords(this.#sql);
  }

  /** Notes that the copy of an enterprise is late, or no longer is. */
  noteLateCopy(enterprise: string, isLate: boolean): void {
    noteLateCopy(this.#sql, enterprise, isLate);
  }

  countLateCopies(): number {
    return countLateCopies(this.#sql);
  }

  /** Notes the size of an object that is nearly full; 0 bytes if it no longer is. */
  noteObjectSize(enterprise: string, bytes: number): void {
    noteObjectSize(this.#sql, enterprise, bytes);
  }

  /** Adds responses that a ledger is busy, as one instance of the Worker has counted them. */
  noteBusy(counts: BusyCounts): void {
    addBusyCounts(this.#sql, counts);
  }

  /** Adds a demo enterprise to the list on the start page. Idempotent. */
  enrolDemo(id: string): void {
    this.#sql.exec("INSERT INTO demos (id) VALUES (?) ON CONFLICT (id) DO NOTHING", id);
  }

  /** Returns the demo enterprises in the order in which they were added. */
  demos(limit: number): string[] {
    const rows = this.#sql.exec<{ id: string }>("SELECT id FROM demos ORDER BY number LIMIT ?", limit).toArray();
    return rows.map(({ id }) => id);
  }

  /** Records that an operator's session was signed out. Forgets sessions that have expired, a hundred at a time. */
  endOperatorSession(id: string, expiresAtMs: number): void {
    const old = "SELECT id FROM operator_sessions_ended WHERE expires_at_ms <= ? LIMIT 100";
    this.#sql.exec(`DELETE FROM operator_sessions_ended WHERE id IN (${old})`, Date.now());
    this.#sql.exec("INSERT OR IGNORE INTO operator_sessions_ended VALUES (?, ?)", id, expiresAtMs);
  }

  hasOperatorSessionEnded(id: string): boolean {
    return this.#sql.exec("SELECT 1 FROM operator_sessions_ended WHERE id = ?", id).toArray().length > 0;
  }
}
