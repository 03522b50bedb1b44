/** The public record of a job. It has no Workers types, so that the core of an enterprise can use it in plain Node. */

export type JobState = "running" | "done" | "failed";

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

export type JobCount = { name: string; state: JobState; jobs: number };

/** A job in the list, with the time of its last change. */
export type ListedJob = JobRecord & { changedAtMs: number };

/** A place in the list of jobs. */
export type JobPosition = { changedAtMs: number; job: string };
