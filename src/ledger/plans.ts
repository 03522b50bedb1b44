/**
 * Plans and their monthly allowances (rule R7). The operator edits the catalogue of plans, which is stored elsewhere.
 * The settings of an enterprise hold the terms of its plan as they were last read, so deciding needs no catalogue. Plans
 * do not affect prices.
 */
import { MICROS_PER_CREDIT, type Micros } from "./micros.ts";

/** What a plan gives. `free`: the enterprise gets the alert `free_tier`. */
export type PlanTerms = { allowanceMicros: Micros; free: boolean };

export type Plan = PlanTerms & { id: string; name: string };

/** A version of the catalogue. A version never changes. */
export type PlanCatalogue = { version: number; plans: readonly Plan[] };

/** The catalogue of a new deployment, and the terms of enterprises that the last release has created. */
export const FIRST_PLANS: readonly Plan[] = [
  plan("free", "Free", 500, true),
  plan("pro", "Pro", 5_000),
  plan("team", "Team", 25_000),
  plan("enterprise", "Enterprise", 100_000),
];

type PlanSettings = {
  plan: string;
  /** The terms of the plan as last read from the catalogue; absent: those of FIRST_PLANS. */
  planTerms?: PlanTerms;
  allowanceOverrideMicros: Micros | null;
};

/** Returns the terms of the plan as last read from the catalogue. */
export function termsOf({ plan, planTerms }: Pick<PlanSettings, "plan" | "planTerms">): PlanTerms {
  return planTerms ?? findTerms(FIRST_PLANS, plan) ?? { allowanceMicros: 0, free: false };
}

/** The allowance of one cycle: the override if there is one (0 counts too), otherwise the plan's. */
export function allowanceOf(settings: PlanSettings): Micros {
  return settings.allowanceOverrideMicros ?? termsOf(settings).allowanceMicros;
}

/** Returns the terms of a plan in a catalogue; undefined if it has no such plan. */
export function findTerms(plans: readonly Plan[], id: string): PlanTerms | undefined {
  const found = plans.find((plan) => plan.id === id);
  return found && { allowanceMicros: found.allowanceMicros, free: found.free };
}

function plan(id: string, name: string, allowanceCredits: number, free = false): Plan {
  return { id, name, allowanceMicros: allowanceCredits * MICROS_PER_CREDIT, free };
}
