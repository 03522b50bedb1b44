/**
 * Audits an enterprise within a call. A small audit ends within the call. A large one goes on as a job, and its result is
 * kept for later calls.
 */
import type { AtMs } from "../../ledger/time.ts";
import { type StoredJob, UNPUBLISHED } from "../books/job-rows.ts";
import type { Platform } from "../platform.ts";
import { AUDIT_CURSOR, type AuditResult } from "./audit.ts";
import type { JobRunner } from "./runner.ts";

export type AuditOptions = {
  /** Whether the caller can handle the job of a large audit. Workers of the last release cannot. */
  sliced?: boolean;
  /** How old the stored result of a large audit may be. */
  maxAgeMs?: number;
};

/** An audit that goes on. `failing` is why its last slice failed; the slice is retried. */
export type AuditJob = { job: string; failing?: string };

/** The audit that is running, and the last result. */
export type AuditState = {
  running: { job: string; progress: number; detail: string } | null;
  result: AuditResult | null;
  /** Why the last audit failed, if it did. */
  failed: string | null;
};

const NAME = "audit";
/** How many slices run in the call. This takes a few seconds at most, and is enough for small books. */
const SLICES_IN_CALL = 100;
const PAUSE_MS = 500;

/**
 * With `sliced`, returns the job of a large audit, and once that is done its result, until it is `maxAgeMs` old. Without
 * `sliced`, waits for the end of the audit.
 */
export async function auditInCall(
  jobs: JobRunner,
  platform: Platform,
  { sliced = false, maxAgeMs = 0 }: AuditOptions,
): Promise<AuditResult | AuditJob> {
  const last = jobs.find(NAME);
  const kept = sliced && last !== null && isKept(last, platform.clock.realNowMs() - maxAgeMs);
  let job = kept ? last : await jobs.runInCall(NAME, AUDIT_CURSOR, SLICES_IN_CALL);
  while (!sliced && job.state === "running") {
    await new Promise<void>((resolve) => platform.defer(resolve, PAUSE_MS));
    job = (await jobs.runSlices(NAME, SLICES_IN_CALL)) ?? job;
  }
  if (job.state === "failed") throw new Error(`the audit failed: ${job.detail}`);
  if (job.state === "done") return job.result as AuditResult;
  const { id, failures, detail } = await jobs.publish(NAME);
  return failures === 0 ? { job: id } : { job: id, failing: detail };
}

export function stateOfAudit(jobs: JobRunner): AuditState {
  const last = jobs.find(NAME);
  return {
    running: last?.state === "running" ? { job: last.id, progress: last.progress, detail: last.detail } : null,
    result: last?.state === "done" ? (last.result as AuditResult) : null,
    failed: last?.state === "failed" ? last.detail : null,
  };
}

/** Whether this audit has ended since that time, and its job is known to callers, who now ask for its result. */
function isKept({ state, recorded, endedAtMs }: StoredJob, sinceMs: AtMs): boolean {
  return state !== "running" && recorded !== UNPUBLISHED && (endedAtMs ?? 0) > sinceMs;
}
