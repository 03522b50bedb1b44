/**
 * What every reader of usage needs: the enterprise's view, its copy, the cycle that was asked for, and the filters that
 * apply. This is the one place where a caller who may see only one user's data gets that filter.
 */
import type { Caller } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import type { CheckedCopy } from "../copy/checked-copy.ts";
import { filtersOf, type Selection } from "../copy/selection.ts";
import type { CopyView } from "../enterprise/answers.ts";
import { dayEnd, type Span } from "../ledger/calendar.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { parseIso } from "../wire/time.ts";
import { withModelId } from "./canonical-model.ts";
import { enterpriseStub } from "./enterprise-stub.ts";
import { readCopy } from "./read-copy.ts";

type Asked = {
  selection?: Selection;
  /** The start of a cycle; the current one if absent. */
  cycleStartsAtMs?: AtMs | undefined;
};

/** What says which usage is not in the cube. */
type Recorded = Pick<CopyView, "notInCube" | "nowMs" | "timeZone">;

export type UsageView = { view: CopyView; copy: CheckedCopy; cycle: Span; selection: Selection };

/** Opens the copy of an enterprise for a reader. Refuses a cycle that does not exist, and another user's data. */
export async function openUsage(
  env: Env,
  background: Pick<ExecutionContext, "waitUntil">,
  { address, caller }: { address: Address; caller: Caller },
  { selection = {}, cycleStartsAtMs }: Asked = {},
): Promise<UsageView | Refused | Denied> {
  const view = await enterpriseStub(env, address).copyView(caller, { cycleStartsAtMs });
  if (isRefusal(view)) return view;
  const current = { startsAtMs: view.cycleStartsAtMs, endsAtMs: parseIso(view.gauge.cycle.ends_at) };
  // An object of the last release answers only for the current cycle.
  const isCurrent = cycleStartsAtMs === undefined || cycleStartsAtMs === current.startsAtMs;
  const cycle = isCurrent ? current : (view.askedCycle ?? null);
  const narrowed = narrow(selection, view.onlyUser ?? null);
  if (cycle === null || narrowed === null) return refuse({ code: "not_found" });
  const copy = readCopy(env, background, address, view.copy);
  return { view, copy, cycle, selection: await withModelId(env, background, { address, caller, copy }, narrowed) };
}

/**
 * Returns the first moment from which filters can answer, if the window reaches further back; null if they can answer.
 * Usage that an earlier release recorded has totals only.
 *
 * @param always whether the question needs the cube without a filter, too
 */
export function tooEarly(
  { view, selection }: { view: Recorded; selection: Selection },
  window: Span,
  always = false,
): AtMs | null {
  if (!always && filtersOf(selection).length === 0) return null;
  const gap = gapOf(view);
  return gap !== null && window.startsAtMs < gap.untilMs && window.endsAtMs > gap.fromMs ? gap.untilMs : null;
}

/** Returns the first moment from which filters can answer; null if they can answer for all that is kept. */
export function filteredFromMs(view: Recorded): AtMs | null {
  return gapOf(view)?.untilMs ?? null;
}

function gapOf({ notInCube, nowMs, timeZone }: Recorded) {
  // An object of the last release has no cube at all.
  if (notInCube === undefined) return { fromMs: 0, untilMs: dayEnd(nowMs, timeZone) };
  return notInCube;
}

/** Adds the forced filter. Returns null if the selection asks for another user's data. */
function narrow(selection: Selection, onlyUser: string | null): Selection | null {
  if (onlyUser === null) return selection;
  return selection.user === undefined || selection.user === onlyUser ? { ...selection, user: onlyUser } : null;
}
