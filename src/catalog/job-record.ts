/** The public record of a job. It has no Workers types, so that the core of an enterprise can use it in plain Node. */

export type JobState = "running" | "done" | "failed";

/** The jobs of which the catalog has a record. The metrics show all of them from the start. */
export const RECORDED_JOBS = ["audit", "delete", "erase", "move", "rebuild", "restore"] as const;
export const JOB_STATES = ["running", "done", "failed"] as const satisfies JobState[];

/** A job as GET /v1/jobs/{job} shows it. */
export type JobRecord = {
  job: string;
  name: string;
  enterprise: string;
  state: JobState;
  /** The part that is done, from 0 to 1. */
  progress: number;
  detail: string;
};

export type FailedJob = Pick<JobRecord, "job" | "name" | "enterprise">;

export type JobCount = { name: string; state: JobState; jobs: number };

/** A job in the list, with the time of its last change. */
export type ListedJob = JobRecord & { changedAtMs: number };

/** A place in the list of jobs. */
export type JobPosition = { changedAtMs: number; job: string };
