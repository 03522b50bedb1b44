/**
 * Reads and changes the catalogue of plans. Before a plan is left out, every enterprise's plan must be recorded in the
 * catalog object. Enterprises of the last release are not, so this asks their objects, a hundred at a time.
 */
import { OPERATOR } from "../access/callers.ts";
import { catalogOf } from "../catalog/object.ts";
import type { PlanChange, PlanRefusal, RecordedPlan } from "../catalog/plan-versions.ts";
import { FIRST_PLANS, type PlanCatalogue } from "../ledger/plans.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { findEnterprise } from "./enterprise-stub.ts";

/** How many times one request asks a hundred objects. The next request continues where this one has stopped. */
const MAX_ROUNDS = 5;

export async function readPlans(env: Env): Promise<PlanCatalogue> {
  try {
    return await catalogOf(env).plans();
  } catch (error) {
    if (!isMissing(error)) throw error;
    return { version: 1, plans: FIRST_PLANS };
  }
}

/** Makes the next version of the catalogue, unless it is refused. `unrecorded` means: try again, this takes longer. */
export async function changePlans(env: Env, change: PlanChange): Promise<PlanCatalogue | PlanRefusal> {
  for (let round = 1; ; round++) {
    const changed = await catalogOf(env).changePlans(change);
    if (!("unrecorded" in changed) || round > MAX_ROUNDS) return changed;
    if ((await recordPlans(env, changed.unrecorded)) === 0) return changed;
  }
}

/** Records the plans of some enterprises that the last release has created. Does nothing once all are recorded. */
export async function recordSomePlans(env: Env): Promise<void> {
  const unrecorded = await catalogOf(env).enterprisesWithoutPlan();
  if (unrecorded.length > 0) await recordPlans(env, unrecorded);
}

/** Begins the change of an enterprise's plan. Returns null if there is no such plan. */
export async function claimPlan(env: Env, id: string, plan: string): Promise<number | null> {
  try {
    return await catalogOf(env).claimPlan(id, plan);
  } catch (error) {
    if (!isMissing(error)) throw error;
    return FIRST_PLANS.some((known) => known.id === plan) ? 0 : null;
  }
}

/** Ends a claim. If this fails, the claim is only checked again when its plan is left out of the catalogue. */
export async function endClaim(env: Env, claim: number, id: string, recorded: RecordedPlan | null): Promise<void> {
  try {
    await catalogOf(env).endPlanClaim(claim, id, recorded);
  } catch (error) {
    console.error(JSON.stringify({ event: "plan_claim_not_ended", enterprise: id, error: String(error) }));
  }
}

/** Returns how many of the enterprises could be read. */
async function recordPlans(env: Env, ids: readonly string[]): Promise<number> {
  const read = await Promise.allSettled(ids.map((id) => readState(env, id)));
  const found = read.flatMap((state, i) => {
    if (state.status === "rejected") return [];
    // An enterprise that is listed but was never created has no plan.
    const recorded =
      state.value === null || isRefusal(state.value)
        ? { plan: "", seq: 0 }
        : { plan: state.value.settings.plan, seq: state.value.gauge.seq };
    return [{ id: ids[i] as string, ...recorded }];
  });
  await catalogOf(env).recordPlans(found);
  return found.length;
}

async function readState(env: Env, id: string) {
  return (await findEnterprise(env, id))?.state(OPERATOR) ?? null;
}

/** During a deploy the catalog may still run the last release, which lacks these methods. */
function isMissing(error: unknown): boolean {
  return /does not implement/.test(String(error));
}
