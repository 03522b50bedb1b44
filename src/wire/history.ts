/** Imported history: days before an enterprise's first cycle, as an earlier system has recorded them. */
import { z } from "@hono/zod-openapi";
import { NO_GROUP, type Surface } from "../ledger/books.ts";
import { isDate } from "../ledger/calendar.ts";
import { KINDS, type UsageField } from "../ledger/kinds.ts";
import { type Micros, UNITS, type Unit } from "../ledger/micros.ts";
import type { Usage } from "../ledger/prices.ts";
import { id, micros, surface, tokens } from "./fields.ts";
import { parseUsage } from "./usage.ts";

/** How many rows one call imports. */
export const MAX_ROWS = 1_000;
const MAX_REQUESTS = 1_000_000_000_000;

const usageSchema = z
  .strictObject(
    Object.fromEntries(KINDS.map(({ field }) => [field, tokens.optional()])) as Record<
      UsageField,
      z.ZodOptional<typeof tokens>
    >,
  )
  .describe("The quantities of this row; a kind that is left out counts as 0");

const rowSchema = z.strictObject({
  day: z
    .string()
    .refine(isDate, "must be a date such as 2026-03-10")
    .openapi({ type: "string", format: "date", example: "2026-02-27" })
    .describe("The local date, before the first cycle and at most 400 days ago"),
  surface,
  workspace: id,
  group: id.optional().describe("`none` by default"),
  user: id,
  model: id,
  requests: z
    .int("must be an integer")
    .min(0, "must not be negative")
    .max(MAX_REQUESTS, `must be at most ${MAX_REQUESTS}`),
  amount_micros: micros,
  usage: usageSchema.optional(),
});

export const historySchema = z
  .strictObject({
    unit: z.enum(UNITS),
    rows: z.array(rowSchema).min(1, "must have at least one row").max(MAX_ROWS, `must have at most ${MAX_ROWS} rows`),
  })
  .openapi("History");

export type ImportedRow = {
  day: string;
  surface: Surface;
  workspace: string;
  group: string;
  user: string;
  model: string;
  requests: number;
  amountMicros: Micros;
  usage: Usage;
};

export type ImportRequest = { unit: Unit; rows: ImportedRow[] };

export function parseHistory({ unit, rows }: z.infer<typeof historySchema>): ImportRequest {
  return {
    unit,
    rows: rows.map(({ amount_micros, group = NO_GROUP, usage, ...row }) => ({
      ...row,
      group,
      amountMicros: amount_micros,
      usage: usage === undefined ? {} : parseUsage(usage),
    })),
  };
}
