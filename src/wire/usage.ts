/** Quantities and rates by usage kind, as reports and receipts show them. */
import { z } from "@hono/zod-openapi";
import { KINDS, type Kind, type UsageField } from "../ledger/kinds.ts";
import { formatRate, parseRate, type Rates, resolveRates, type Usage } from "../ledger/prices.ts";
import { tokens } from "./fields.ts";

const NOTES: { readonly [field in UsageField]?: string } = {
  input_tokens: "Without the tokens of any other kind, such as those that a cache read or wrote",
  cache_write_tokens: "Cache writes that last five minutes, and those of unknown lifetime",
  cache_write_1h_tokens: "Cache writes that last an hour",
  web_searches: "Searches made, not pages opened",
};

/** These are always shown, also when nothing of them was used. Callers of the first release know no others. */
const ALWAYS_SHOWN: readonly Kind[] = ["input", "output", "cache_read", "cache_write"];

type UsageJson = { [field in UsageField]?: number | undefined };
type RatesJson = { [kind in Kind]?: string | undefined };

type RequiredField = "input_tokens" | "output_tokens";

/** The `usage` of a report. */
export const usageSchema = z
  .strictObject(
    Object.fromEntries(
      KINDS.map(({ kind, field }) => {
        const note = NOTES[field];
        const quantity = note === undefined ? tokens : tokens.describe(note);
        return [field, kind === "input" || kind === "output" ? quantity : quantity.default(0)];
      }),
    ) as Record<RequiredField, typeof tokens> & Record<Exclude<UsageField, RequiredField>, z.ZodDefault<typeof tokens>>,
  )
  .describe("This run's running totals for this model and tier");

/** The `usage` of a receipt's meter: every kind that was used. */
export const usedSchema = z.object(
  Object.fromEntries(
    KINDS.map(({ kind, field }) => [field, isAlwaysShown(kind) ? z.int() : z.int().optional()]),
  ) as Record<UsageField, z.ZodOptional<z.ZodInt>>,
);

/** The rates of the kinds that a receipt's meter shows. */
export const ratesSchema = z.object(
  Object.fromEntries(
    KINDS.map(({ kind }) => [kind, isAlwaysShown(kind) ? z.string() : z.string().optional()]),
  ) as Record<Kind, z.ZodOptional<z.ZodString>>,
);

/** Converts the quantities of a report. Kinds that were not used are left out, except the four that are always stored. */
export function parseUsage(json: UsageJson): Usage {
  const usage: Partial<Record<Kind, number>> = {};
  for (const { kind, field } of KINDS) {
    const quantity = json[field] ?? 0;
    if (quantity > 0 || isAlwaysShown(kind)) usage[kind] = quantity;
  }
  return usage;
}

export function showUsage(usage: Usage): UsageJson {
  const shown = KINDS.filter(({ kind }) => isShown(kind, usage));
  return Object.fromEntries(shown.map(({ kind, field }) => [field, usage[kind] ?? 0]));
}

/** Shows the rates of the kinds that were used. */
export function showRates(rates: Rates, usage: Usage): RatesJson {
  const shown = KINDS.filter(({ kind }) => isShown(kind, usage));
  return Object.fromEntries(shown.map(({ kind }) => [kind, formatRate(rates[kind])]));
}

export function parseRates(json: RatesJson): Rates {
  const listed = Object.entries(json).map(([kind, text]) => [kind, parseRate(text ?? "") ?? 0]);
  return resolveRates(Object.fromEntries(listed));
}

function isAlwaysShown(kind: Kind): boolean {
  return ALWAYS_SHOWN.includes(kind);
}

function isShown(kind: Kind, usage: Usage): boolean {
  return isAlwaysShown(kind) || (usage[kind] ?? 0) > 0;
}
