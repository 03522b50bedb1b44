/**
 * The plans and their monthly allowances (rule R7). Plans do not affect prices.
 */
import { MICROS_PER_CREDIT, type Micros } from "./micros.ts";

export const PLANS = ["free", "pro", "team", "enterprise"] as const;
export type Plan = (typeof PLANS)[number];

const ALLOWANCE_CREDITS: Record<Plan, number> = { free: 500, pro: 5_000, team: 25_000, enterprise: 100_000 };

/** The allowance of one cycle: the override if there is one (0 counts too), otherwise the plan's. */
export function allowanceOf(plan: Plan, overrideMicros: Micros | null): Micros {
  return overrideMicros ?? ALLOWANCE_CREDITS[plan] * MICROS_PER_CREDIT;
}
