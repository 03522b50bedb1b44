/** The schemas of price-book entries, for the price book and for the overrides of an enterprise. */
import { z } from "@hono/zod-openapi";
import { byKind } from "../ledger/kinds.ts";
import { MAX_QUANTITY, parseRate } from "../ledger/prices.ts";
import type { FieldError } from "../ledger/refusals.ts";
import { STANDARD_TIER, TIER_PATTERN, TIER_RULE } from "../ledger/tiers.ts";
import { id } from "./fields.ts";

const MAX_ALIASES = 100;
const MAX_TIERS = 20;

const rate = z
  .string()
  .refine(
    (text) => parseRate(text) !== null,
    'must be a decimal string of up to 7 digits and 6 decimals such as "0.075"',
  )
  .openapi({ type: "string", example: "0.075" });

/** A name that an entry may have: an id, or `*` for every name that no other entry matches. */
export const modelName = z.union([z.literal("*"), id]);

const optionalRates = byKind(() => rate.optional());

const tierSchema = z.strictObject({
  above_input_tokens: z
    .int()
    .min(0)
    .max(MAX_QUANTITY)
    .optional()
    .describe("A call whose prompt has more tokens than this belongs to the tier"),
  ...optionalRates,
});

const TIER_NAME_RULE = `${TIER_RULE}, and not be ${STANDARD_TIER}`;

/** zod's record ignores this key, so without this check it would be accepted and lost. */
function refuseProto(tiers: unknown, context: z.RefinementCtx): unknown {
  if (typeof tiers === "object" && tiers !== null && Object.hasOwn(tiers, "__proto__")) {
    context.addIssue({ code: "custom", path: ["__proto__"], message: TIER_NAME_RULE });
  }
  return tiers;
}

const tiersSchema = z
  .preprocess(
    refuseProto,
    z.record(
      z.string().refine((name) => TIER_PATTERN.test(name) && name !== STANDARD_TIER, TIER_NAME_RULE),
      tierSchema,
    ),
  )
  .refine((tiers) => Object.keys(tiers).length <= MAX_TIERS, `must have at most ${MAX_TIERS} tiers`)
  .describe("Other prices for some calls, such as `above_200000`, `batch` or `priority`");

/** An entry as callers send it. A missing rate falls back to another one, as rule R1 says. */
export const entrySchema = z
  .strictObject({
    id: modelName,
    aliases: z.array(id).max(MAX_ALIASES).default([]),
    ...optionalRates,
    input: rate,
    output: rate,
    tiers: tiersSchema.optional(),
  })
  .openapi("ModelPrice");

const shownRates = byKind(() => z.string().optional());

/** An entry as responses show it. */
export const shownEntrySchema = z
  .object({
    id: z.string(),
    aliases: z.array(z.string()),
    ...shownRates,
    input: z.string(),
    output: z.string(),
    tiers: z
      .record(z.string(), z.object({ above_input_tokens: z.int().optional(), ...shownRates }))
      .optional()
      .describe("The prices of tiers. A rate that a tier does not list is the entry's own."),
  })
  .openapi("ListedModelPrice");

const filledRates = byKind(() => z.string());

/** The members of an entry in which every rate is filled in. */
export const FILLED_ENTRY = {
  aliases: z.array(z.string()),
  ...filledRates,
  tiers: z.record(z.string(), z.object({ above_input_tokens: z.int().optional(), ...filledRates })),
};

/** Returns an error for each name that appears twice, with the path of its later appearance. */
export function findDuplicates(models: readonly { id: string; aliases: string[] }[]): FieldError[] {
  const seen = new Set<string>();
  const errors: FieldError[] = [];
  for (const [i, { id: own, aliases }] of models.entries()) {
    const names = [["id", own], ...aliases.map((alias, k) => [`aliases.${k}`, alias])] as [string, string][];
    for (const [place, name] of names) {
      if (seen.has(name)) errors.push({ path: `models.${i}.${place}`, message: `"${name}" already names a model` });
      seen.add(name);
    }
  }
  return errors;
}
