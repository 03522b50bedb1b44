/** A budget as JSON, as it stands for one id; and the short form that a refused start carries. */
import { z } from "@hono/zod-openapi";
import { BUDGET_ACTIONS, BUDGET_PERIODS, type BudgetPeriod, type BudgetState, EVERY_ID } from "../ledger/budget.ts";
import { DIMENSIONS, type Dimension } from "../ledger/dimensions.ts";
import { type Micros, percentOf, UNITS } from "../ledger/micros.ts";
import { formatIso, parseIso } from "./time.ts";

export const budgetSchema = z
  .object({
    dimension: z.enum(DIMENSIONS),
    id: z.string().describe("`*` is the default for every id that has no other budget for this period"),
    name: z.string().describe("The directory's name, or the id"),
    period: z.enum(BUDGET_PERIODS),
    limit_micros: z.int().nullable().describe("Null if the id is exempt from the default"),
    action: z.enum(BUDGET_ACTIONS).describe("`block` refuses new runs, `warn` only alerts"),
    unit: z.enum(UNITS),
    active: z.boolean().describe("False while the enterprise bills in the other unit"),
    used_micros: z.int().nullable().describe("Charges of the current period; null for `*`"),
    held_micros: z.int().nullable(),
    remaining_micros: z.int().nullable().describe("What is left of the limit, at least 0"),
    used_percent: z.number().nullable(),
    resets_at: z.iso.datetime(),
    inherited: z.boolean().describe("True for the default, listed under the id to which it applies"),
  })
  .openapi("Budget");

export type BudgetJson = z.infer<typeof budgetSchema>;

type ExhaustedBudgetJson = {
  dimension: Dimension;
  id: string;
  period: BudgetPeriod;
  limit_micros: Micros | null;
  used_micros: Micros;
  held_micros: Micros;
  resets_at: string;
};

export function showBudget(state: BudgetState, name: string): BudgetJson {
  const { limitMicros, usedMicros, heldMicros } = state;
  const every = state.id === EVERY_ID;
  return {
    dimension: state.dimension,
    id: state.id,
    name,
    period: state.period,
    limit_micros: limitMicros,
    action: state.action,
    unit: state.unit,
    active: state.active,
    used_micros: every ? null : usedMicros,
    held_micros: every ? null : heldMicros,
    remaining_micros: every || limitMicros === null ? null : Math.max(0, limitMicros - usedMicros),
    used_percent: every ? null : percentOf(usedMicros, limitMicros),
    resets_at: formatIso(state.resetsAtMs),
    inherited: state.inherited,
  };
}

/** The budget that refuses a start. */
export function showExhausted(state: BudgetState): ExhaustedBudgetJson {
  return {
    dimension: state.dimension,
    id: state.id,
    period: state.period,
    limit_micros: state.limitMicros,
    used_micros: state.usedMicros,
    held_micros: state.heldMicros,
    resets_at: formatIso(state.resetsAtMs),
  };
}

/** A budget read from JSON, with the name of its id. The sums of the default, which has none, are 0. */
export type ParsedBudget = BudgetState & { name: string };

export function parseBudget(json: BudgetJson): ParsedBudget {
  return {
    dimension: json.dimension,
    id: json.id,
    name: json.name,
    period: json.period,
    limitMicros: json.limit_micros,
    action: json.action,
    unit: json.unit,
    active: json.active,
    usedMicros: json.used_micros ?? 0,
    heldMicros: json.held_micros ?? 0,
    resetsAtMs: parseIso(json.resets_at),
    inherited: json.inherited,
  };
}
