/** The catalogue of plans as JSON. What GET returns can be sent back with PUT. */
import { z } from "@hono/zod-openapi";
import type { Plan, PlanCatalogue } from "../ledger/plans.ts";
import { id, label, micros } from "./fields.ts";

const MAX_PLANS = 100;

const plan = z.strictObject({
  id,
  name: label(200),
  allowance_micros: micros.describe("The credits of one cycle"),
  free: z.boolean().default(false).describe("True: enterprises with this plan get the alert `free_tier`"),
});

export const plansPut = z
  .strictObject({
    plans: z
      .array(plan)
      .min(1, "must have a plan")
      .max(MAX_PLANS, `must have at most ${MAX_PLANS} plans`)
      .superRefine((plans, context) => {
        const ids = plans.map((known) => known.id);
        for (const [i, known] of ids.entries()) {
          if (ids.indexOf(known) === i) continue;
          context.addIssue({ code: "custom", path: [i, "id"], message: `"${known}" is already in the list` });
        }
      }),
    version: z.int().optional().describe("Refuse the change with 409 unless this is still the current version"),
  })
  .openapi("PlansPut");

export const plansSchema = z
  .object({
    version: z.int(),
    plans: z.array(
      z.object({ id: z.string(), name: z.string(), allowance_micros: z.int(), free: z.boolean() }).openapi("Plan"),
    ),
  })
  .openapi("Plans");

export function showPlans({ version, plans }: PlanCatalogue): z.infer<typeof plansSchema> {
  return {
    version,
    plans: plans.map(({ id, name, allowanceMicros, free }) => ({ id, name, allowance_micros: allowanceMicros, free })),
  };
}

export function parsePlans({ plans }: Pick<z.infer<typeof plansPut>, "plans">): Plan[] {
  return plans.map(({ id, name, allowance_micros, free }) => ({ id, name, allowanceMicros: allowance_micros, free }));
}
