/**
 * The interface of a sliced job: work whose amount grows with an enterprise's history or with what became due, done in
 * slices. Between two slices waiting calls run. The job's cursor is stored after each slice, so the work survives an
 * eviction and a crash. slicer.ts runs the slices.
 */

/** The outcome of a slice. `commit` runs in the transaction that stores the outcome, so it happens exactly once. */
export type Step<C> = { commit?(): void } & (
  | {
      /** Where the next slice starts. JSON below 100 KB. */
      next: C;
      /** The part of the job that is done, from 0 to 1. */
      progress?: number;
      detail?: string;
      /** How long to wait before the next slice, for example because D1 is behind. */
      pauseMs?: number;
    }
  | {
      /** The job is done. One sentence on what it did. */
      done: string;
      /** What the job found, if somebody reads it later. JSON below 100 KB. */
      result?: unknown;
    }
);

export type SlicedJob<C = unknown, D = unknown> = {
  /**
   * Does one slice. Bound it by rows and bytes, to at most 8 ms of work without `await`: within an object the clock
   * stands still between I/O, so a time limit does not work. If the slice throws, or the object stops before the outcome
   * is stored, the slice runs again from the same cursor. Therefore write only in `commit`, or write what may be written
   * twice. Give every call that leaves the object a timeout.
   */
  slice(deps: D, cursor: C): Step<C> | Promise<Step<C>>;
  /** Removes what the job keeps outside its cursor. Runs in the transaction in which the job fails for good. */
  abandon?(deps: D): void;
  /** After this many failures in a row the job fails for good. The default is 20, which takes about 15 minutes. */
  maxFailures?: number;
  /** Whether the catalog has a public record of the job, so that GET /v1/jobs/{job} finds it. */
  listed?: true;
};
