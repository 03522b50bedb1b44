/**
 * Who a run belongs to, and whether it may be heard: the guards that a report and a start share. A run has one
 * workspace, user and surface for good (invariant M5). Once it is known, its own facts win over what is left out.
 */
import type { Run, Surface } from "./books.ts";
import { FENCE_MS } from "./meter.ts";
import type { FieldError, Refusal } from "./refusals.ts";
import type { AtMs } from "./time.ts";

/** What usage is summed by and filtered by. */
export const DIMENSIONS = ["workspace", "group", "user"] as const;
export type Dimension = (typeof DIMENSIONS)[number];

/** What a caller says of a run; all of it may be left out once the run is known. */
export type Attribution = {
  surface?: Surface | undefined;
  workspace?: string | undefined;
  user?: string | undefined;
  group?: string | undefined;
  startedAtMs?: AtMs | undefined;
};

const AHEAD_MS = 300_000;

/** The first field in which the caller contradicts what is known of the run. */
export function findConflict(run: Run, said: Attribution): Refusal | null {
  for (const field of ["workspace", "user", "surface"] as const) {
    if (said[field] !== undefined && said[field] !== run[field]) {
      return { code: "run_attribution_conflict", field, known: run[field] };
    }
  }
  return null;
}

/** A run heard of for the first time; a refusal naming each field that it lacks. */
export function openRun(name: string, said: Attribution): Run | Refusal {
  const { surface, workspace, user, startedAtMs } = said;
  if (surface !== undefined && workspace !== undefined && user !== undefined && startedAtMs !== undefined) {
    return { run: name, surface, workspace, user, group: said.group ?? null, startedAtMs, reported: false, hold: null };
  }
  const fields = [
    { path: "surface", value: surface },
    { path: "workspace", value: workspace },
    { path: "user", value: user },
    { path: "started_at", value: startedAtMs },
  ];
  const errors: FieldError[] = fields
    .filter(({ value }) => value === undefined)
    .map(({ path }) => ({ path, message: "required until the run is known" }));
  return { code: "validation_failed", errors };
}

/**
 * Too old for the fence (rule R10), or over five minutes ahead; null when the start is in order. The earlier of what is
 * known and what is said counts against the fence: neither may let a forgotten meter in again.
 */
export function findStartFault(run: Pick<Run, "startedAtMs">, said: Attribution, nowMs: AtMs): Refusal | null {
  const { startedAtMs } = run;
  const earlierMs = Math.min(startedAtMs, said.startedAtMs ?? startedAtMs);
  if (nowMs - earlierMs > FENCE_MS) return { code: "run_too_old", startedAtMs: earlierMs };
  if (startedAtMs - nowMs > AHEAD_MS) return { code: "started_in_future", startedAtMs };
  return null;
}
