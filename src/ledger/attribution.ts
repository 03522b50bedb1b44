/**
 * Who a run belongs to, and whether its start is acceptable: the checks that reports and starts share. The workspace,
 * user and surface of a run never change (invariant M5). Once the run is known, a caller may leave them out.
 */
import type { Run, Surface } from "./books.ts";
import { METER_RETENTION_MS } from "./meter.ts";
import type { FieldError, Refusal } from "./refusals.ts";
import type { AtMs } from "./time.ts";

/** What a request says about its run. All of it may be left out once the run is known. */
export type Attribution = {
  surface?: Surface | undefined;
  workspace?: string | undefined;
  user?: string | undefined;
  group?: string | undefined;
  startedAtMs?: AtMs | undefined;
};

/** How far in the future a start may be, for clocks that are not exact. */
const MAX_AHEAD_MS = 300_000;

/** Refuses a request that contradicts what is known about the run, naming the first such field; null if none does. */
export function findConflict(run: Run, request: Attribution): Refusal | null {
  for (const field of ["workspace", "user", "surface"] as const) {
    if (request[field] !== undefined && request[field] !== run[field]) {
      return { code: "run_attribution_conflict", field, known: run[field] };
    }
  }
  return null;
}

/** Creates a run that was not known, or refuses the request and names each field that is missing. */
export function openRun(name: string, request: Attribution): Run | Refusal {
  const { surface, workspace, user, startedAtMs } = request;
  if (surface !== undefined && workspace !== undefined && user !== undefined && startedAtMs !== undefined) {
    return {
      run: name,
      surface,
      workspace,
      user,
      group: request.group ?? null,
      startedAtMs,
      reported: false,
      hold: null,
    };
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
 * Refuses a start that is older than the retention of meters (rule R10), or more than five minutes in the future; null
 * if the start is acceptable. The age counts from the earlier of the known and the requested start, so that neither can
 * charge a forgotten meter again.
 */
export function findStartFault(run: Pick<Run, "startedAtMs">, request: Attribution, nowMs: AtMs): Refusal | null {
  const { startedAtMs } = run;
  const earlierMs = Math.min(startedAtMs, request.startedAtMs ?? startedAtMs);
  if (nowMs - earlierMs > METER_RETENTION_MS) return { code: "run_too_old", startedAtMs: earlierMs };
  if (startedAtMs - nowMs > MAX_AHEAD_MS) return { code: "started_in_future", startedAtMs };
  return null;
}
