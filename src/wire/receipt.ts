/** A run's receipt as JSON. */
import { z } from "@hono/zod-openapi";
import { BUCKETS } from "../ledger/books.ts";
import { UNITS } from "../ledger/micros.ts";
import { formatRate, NO_MULTIPLIER, parseRate } from "../ledger/prices.ts";
import type { DrawSummary, MeterSummary, Receipt } from "../ledger/receipt.ts";
import { STANDARD_TIER } from "../ledger/tiers.ts";
import { parseRun, runSchema, showRun } from "./run.ts";
import { formatIso, parseIso } from "./time.ts";
import { parseRates, parseUsage, ratesSchema, showRates, showUsage, usedSchema } from "./usage.ts";

const drawSchema = z.object({
  bucket: z.enum(BUCKETS),
  id: z
    .string()
    .nullable()
    .describe("The grant's id, else the start of the cycle; null for the sum of older draws on buckets of this type"),
  micros: z.int(),
  lapsed_micros: z.int().optional(),
});

const meterSchema = z.object({
  model: z.string(),
  tier: z.string(),
  reported_as: z.array(z.string()).describe("The names under which it was reported, at most 16"),
  priced: z.boolean().describe("False while its usage waits for a price, and is charged nothing"),
  estimated: z.boolean().describe("True after an estimate, until an exact final report"),
  price_book_version: z.int().nullable(),
  rates: ratesSchema
    .nullable()
    .describe("The rates pinned when it was first priced: USD per million tokens or thousand searches"),
  credits_per_usd: z.int().nullable(),
  price_multiplier: z.string().nullable(),
  usage: usedSchema.describe("Every kind that was used"),
  unit: z.enum(UNITS),
  charged_micros: z.int(),
  final: z.boolean(),
  draws: z.array(drawSchema),
});

export const receiptSchema = runSchema.extend({ meters: z.array(meterSchema) }).openapi("Receipt");

type DrawJson = z.infer<typeof drawSchema>;
type MeterJson = z.infer<typeof meterSchema>;
export type ReceiptJson = z.infer<typeof receiptSchema>;

export function showReceipt(receipt: Receipt): ReceiptJson {
  return { ...showRun(receipt), meters: receipt.meters.map(showMeter) };
}

export function parseReceipt(json: ReceiptJson): Receipt {
  return { ...parseRun(json), meters: json.meters.map(parseMeter) };
}

function showMeter({ price, usage, reportedAs, chargedMicros, draws, ...meter }: MeterSummary): MeterJson {
  const { model, tier, estimated, unit, final } = meter;
  return {
    model,
    tier,
    reported_as: [...reportedAs],
    priced: price !== null,
    estimated,
    price_book_version: price?.bookVersion ?? null,
    rates: price === null ? null : showRates(price.rates, usage),
    credits_per_usd: price?.creditsPerUsd ?? null,
    price_multiplier: price === null ? null : formatRate(price.multiplierMillionths),
    usage: showUsage(usage),
    unit,
    charged_micros: chargedMicros,
    final,
    draws: draws.map(showDraw),
  };
}

/** Reads a meter. A receipt of the last release has no tier, no names and no multiplier. */
function parseMeter({ model, usage, unit, final, draws, ...json }: MeterJson): MeterSummary {
  const { tier = STANDARD_TIER, reported_as: reportedAs = [model], estimated = false } = json as Partial<MeterJson>;
  return {
    model,
    tier,
    reportedAs,
    price: parsePrice(json),
    usage: parseUsage(usage),
    unit,
    chargedMicros: json.charged_micros,
    final,
    estimated,
    draws: draws.map(parseDraw),
  };
}

function parsePrice(json: Pick<MeterJson, "price_book_version" | "rates" | "credits_per_usd" | "price_multiplier">) {
  const { price_book_version: bookVersion, credits_per_usd: creditsPerUsd, rates, price_multiplier } = json;
  if (bookVersion === null || creditsPerUsd === null || rates === null) return null;
  const multiplierMillionths = parseRate(price_multiplier ?? "1") ?? NO_MULTIPLIER;
  return { bookVersion, creditsPerUsd, multiplierMillionths, rates: parseRates(rates) };
}

/** Shows the id of a draw's bucket. A sum of older draws has none. */
function showDraw(draw: DrawSummary): DrawJson {
  const shown = { bucket: draw.bucket, id: idOf(draw), micros: draw.micros };
  return draw.lapsedMicros === 0 ? shown : { ...shown, lapsed_micros: draw.lapsedMicros };
}

function idOf(draw: DrawSummary): string | null {
  if ("summed" in draw) return null;
  return draw.bucket === "grant" ? draw.grantId : formatIso(draw.cycleStartsAtMs);
}

function parseDraw({ bucket, id, micros, lapsed_micros }: DrawJson): DrawSummary {
  const amounts = { micros, lapsedMicros: lapsed_micros ?? 0 };
  if (id === null) return { bucket, summed: true, ...amounts };
  return bucket === "grant"
    ? { bucket, grantId: id, ...amounts }
    : { bucket, cycleStartsAtMs: parseIso(id), ...amounts };
}
