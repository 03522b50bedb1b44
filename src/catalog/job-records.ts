/**
 * The public records of jobs, in the catalog's tables. An enterprise's Durable Object sends a record when it starts a
 * job, rarely while the job runs, and when the job ends. The records are here so that they survive their enterprise.
 */

import type { FailedJob, JobCount, JobPosition, JobRecord, JobState, ListedJob } from "./job-record.ts";

/** How long a record is kept after its last change. */
const RETENTION_MS = 35 * 86_400_000;
const PRUNED_AT_ONCE = 100;

export function createJobRecords(sql: SqlStorage): void {
  sql.exec(
    `CREATE TABLE IF NOT EXISTS jobs (id TEXT PRIMARY KEY, name TEXT NOT NULL, enterprise TEXT NOT NULL,
      state TEXT NOT NULL, progress REAL NOT NULL, detail TEXT NOT NULL, changed_at_ms INTEGER NOT NULL)
      STRICT, WITHOUT ROWID`,
  );
  sql.exec("CREATE INDEX IF NOT EXISTS jobs_by_age ON jobs (changed_at_ms)");
  sql.exec("CREATE INDEX IF NOT EXISTS jobs_by_state ON jobs (name, state)");
  sql.exec("CREATE INDEX IF NOT EXISTS jobs_by_state_and_age ON jobs (state, changed_at_ms)");
}

/**
 * Stores the record of a job, or replaces it. A job that has ended does not run again, so a late record of an earlier
 * state changes nothing. Also deletes some records that are past their retention.
 */
export function putJobRecord(sql: SqlStorage, record: JobRecord, nowMs: number): void {
  const { job, name, enterprise, state, progress, detail } = record;
  sql.exec(
    `INSERT INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET state = excluded.state,
      progress = excluded.progress, detail = excluded.detail, changed_at_ms = excluded.changed_at_ms
      WHERE jobs.state = 'running'`,
    ...[job, name, enterprise, state, progress, detail, nowMs],
  );
  const old = "SELECT id FROM jobs WHERE changed_at_ms < ? ORDER BY changed_at_ms LIMIT ?";
  sql.exec(`DELETE FROM jobs WHERE id IN (${old})`, nowMs - RETENTION_MS, PRUNED_AT_ONCE);
}

export function loadJobRecord(sql: SqlStorage, job: string): JobRecord | null {
  const statement = "SELECT id AS job, name, enterprise, state, progress, detail FROM jobs WHERE id = ?";
  return sql.exec<JobRecord>(statement, job).toArray()[0] ?? null;
}

/**
 * Lists records by their last change, newest first, and reads only those that it returns.
 * @param before the place after which the list continues
 */
export function listJobRecords(
  sql: SqlStorage,
  state: JobState | null,
  before: JobPosition | null,
  limit: number,
): ListedJob[] {
  const { changedAtMs, job } = before ?? { changedAtMs: Number.MAX_SAFE_INTEGER, job: "" };
  const statement = `SELECT id AS job, name, enterprise, state, progress, detail, changed_at_ms AS changedAtMs FROM jobs
    WHERE (changed_at_ms, id) < (?, ?) ${state === null ? "" : "AND state = ?"}
    ORDER BY changed_at_ms DESC, id DESC LIMIT ?`;
  const bound = [changedAtMs, job, ...(state === null ? [] : [state]), limit];
  return sql.exec<ListedJob>(statement, ...bound).toArray();
}

/** Returns the jobs that have failed, the latest first. */
export function loadFailedJobs(sql: SqlStorage, limit: number): FailedJob[] {
  const statement = `SELECT id AS job, name, enterprise FROM jobs WHERE state = 'failed'
    ORDER BY changed_at_ms DESC LIMIT ?`;
  return sql.exec<FailedJob>(statement, limit).toArray();
}

/** Counts the jobs on record by name and state. */
export function countJobRecords(sql: SqlStorage): JobCount[] {
  const statement = "SELECT name, state, count(*) AS jobs FROM jobs GROUP BY name, state ORDER BY name, state";
  return sql.exec<JobCount>(statement).toArray();
}
