/**
 * The rows of the table `jobs`: work that takes many slices, and how far it has come. There is at most one row for each
 * name, so at most one job of a kind runs in an enterprise. This file stores rows. It does not know what the jobs do.
 */

import type { JobState } from "../../catalog/job-record.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql, SqlRow } from "./sql.ts";

export type StoredJob = {
  name: string;
  /** The job's public id. A job that is started again gets a new one. */
  id: string;
  /** How many jobs of this name were started so far, this one included. */
  generation: number;
  state: JobState;
  /** Where the next slice starts. Only the job knows its meaning. */
  cursor: unknown;
  /** The part that is done, from 0 to 1. */
  progress: number;
  /** What the job is doing or has done, or why it failed. */
  detail: string;
  /** What a job that is done has found; null if it only acts. */
  result: unknown;
  /** How many slices have failed in a row. */
  failures: number;
  /** When the next slice may run, by the real clock. Null once the job has ended and the catalog knows it. */
  dueAtMs: AtMs | null;
  /** The progress that the catalog has recorded: UNPUBLISHED, -1 before the first record, 2 once it has recorded the end. */
  recorded: number;
  startedAtMs: AtMs;
  endedAtMs: AtMs | null;
};

/** The value of `recorded` of a job whose id nobody knows, so that the catalog needs no record of it. */
export const UNPUBLISHED = -2;

/** A cursor and a result are each stored as one value, which must stay far below the 2 MB that SQLite accepts. */
const MAX_VALUE_CHARS = 100_000;

export function loadJob(sql: Sql, name: string): StoredJob | null {
  const row = sql.all("SELECT * FROM jobs WHERE name = ?", name)[0];
  return row === undefined ? null : jobOfRow(row);
}

/** Loads the jobs that have a slice or a record to make by now, the one that has waited longest first. */
export function loadDueJobs(sql: Sql, nowMs: AtMs): StoredJob[] {
  return sql.all("SELECT * FROM jobs WHERE due_at_ms <= ? ORDER BY due_at_ms, name", nowMs).map(jobOfRow);
}

/** Returns when the next job is due; null if there is none. */
export function nextJobAtMs(sql: Sql): AtMs | null {
  return (sql.all("SELECT min(due_at_ms) AS at_ms FROM jobs")[0]?.at_ms ?? null) as AtMs | null;
}

/**
 * Starts a job, as part of the caller's transaction, and returns it. If a job of this name is running, changes nothing
 * and returns that one.
 * @param cursor where the first slice starts; JSON below 100 KB
 */
export function putNewJob(sql: Sql, name: string, cursor: unknown, nowMs: AtMs, recorded = -1): StoredJob {
  const last = loadJob(sql, name);
  if (last?.state === "running") return last;
  const job: StoredJob = {
    ...{ name, id: crypto.randomUUID(), generation: (last?.generation ?? 0) + 1, state: "running", cursor },
    ...{ progress: 0, detail: "", result: null, failures: 0, dueAtMs: nowMs, recorded },
    ...{ startedAtMs: nowMs, endedAtMs: null },
  };
  putJob(sql, job);
  return job;
}

export function putJob(sql: Sql, job: StoredJob): void {
  sql.run(
    `INSERT INTO jobs (name, id, generation, state, cursor, progress, detail, result, failures, due_at_ms, recorded,
      started_at_ms, ended_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (name) DO UPDATE SET id = excluded.id, generation = excluded.generation, state = excluded.state,
        cursor = excluded.cursor, progress = excluded.progress, detail = excluded.detail, result = excluded.result,
        failures = excluded.failures, due_at_ms = excluded.due_at_ms, recorded = excluded.recorded,
        started_at_ms = excluded.started_at_ms, ended_at_ms = excluded.ended_at_ms`,
    job.name,
    job.id,
    job.generation,
    job.state,
    serialize(job, "cursor"),
    job.progress,
    job.detail,
    serialize(job, "result"),
    job.failures,
    job.dueAtMs,
    job.recorded,
    job.startedAtMs,
    job.endedAtMs,
  );
}

function serialize(job: StoredJob, field: "cursor" | "result"): string {
  const text = JSON.stringify(job[field] ?? null);
  if (text.length > MAX_VALUE_CHARS) throw new Error(`the ${field} of job ${job.name} has ${text.length} characters`);
  return text;
}

function jobOfRow(row: SqlRow): StoredJob {
  return {
    name: row.name as string,
    id: row.id as string,
    generation: row.generation as number,
    state: row.state as JobState,
    cursor: JSON.parse(row.cursor as string),
    progress: row.progress as number,
    detail: row.detail as string,
    result: JSON.parse(row.result as string),
    failures: row.failures as number,
    dueAtMs: row.due_at_ms as AtMs | null,
    recorded: row.recorded as number,
    startedAtMs: row.started_at_ms as AtMs,
    endedAtMs: row.ended_at_ms as AtMs | null,
  };
}
