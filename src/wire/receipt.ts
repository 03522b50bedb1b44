/** A run's receipt as JSON. */
import { z } from "@hono/zod-openapi";
import { BUCKETS } from "../ledger/books.ts";
import { UNITS } from "../ledger/micros.ts";
import { formatRate, NO_MULTIPLIER, parseRate, resolveRates } from "../ledger/prices.ts";
import type { DrawSummary, MeterSummary, Receipt } from "../ledger/receipt.ts";
import { parseRun, runSchema, showRun } from "./run.ts";
import { formatIso, parseIso } from "./time.ts";

const drawSchema = z.object({
  bucket: z.enum(BUCKETS),
  /** The grant's id, else the start of the cycle. */
  id: z.string(),
  micros: z.int(),
  lapsed_micros: z.int().optional(),
});

const meterSchema = z.object({
  model: z.string(),
  price_book_version: z.int(),
  rates: z.object({ input: z.string(), output: z.string(), cache_read: z.string(), cache_write: z.string() }),
  credits_per_usd: z.int(),
  usage: z.object({
    input_tokens: z.int(),
    output_tokens: z.int(),
    cache_read_tokens: z.int(),
    cache_write_tokens: z.int(),
  }),
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

function showMeter({ model, price, usage, unit, chargedMicros, final, draws }: MeterSummary): MeterJson {
  return {
    model,
    price_book_version: price.bookVersion,
    rates: {
      input: formatRate(price.rates.input),
      output: formatRate(price.rates.output),
      cache_read: formatRate(price.rates.cache_read),
      cache_write: formatRate(price.rates.cache_write),
    },
    credits_per_usd: price.creditsPerUsd,
    usage: {
      input_tokens: usage.input ?? 0,
      output_tokens: usage.output ?? 0,
      cache_read_tokens: usage.cache_read ?? 0,
      cache_write_tokens: usage.cache_write ?? 0,
    },
    unit,
    charged_micros: chargedMicros,
    final,
    draws: draws.map(showDraw),
  };
}

function parseMeter({ model, rates, usage, unit, charged_micros, final, draws, ...json }: MeterJson): MeterSummary {
  return {
    model,
    price: {
      bookVersion: json.price_book_version,
      creditsPerUsd: json.credits_per_usd,
      multiplierMillionths: NO_MULTIPLIER,
      rates: resolveRates({
        input: parseRate(rates.input) ?? 0,
        output: parseRate(rates.output) ?? 0,
        cache_read: parseRate(rates.cache_read) ?? 0,
        cache_write: parseRate(rates.cache_write) ?? 0,
      }),
    },
    usage: {
      input: usage.input_tokens,
      output: usage.output_tokens,
      cache_read: usage.cache_read_tokens,
      cache_write: usage.cache_write_tokens,
    },
    unit,
    chargedMicros: charged_micros,
    final,
    draws: draws.map(parseDraw),
  };
}

function showDraw(draw: DrawSummary): DrawJson {
  const id = draw.bucket === "grant" ? draw.grantId : formatIso(draw.cycleStartsAtMs);
  const shown = { bucket: draw.bucket, id, micros: draw.micros };
  return draw.lapsedMicros === 0 ? shown : { ...shown, lapsed_micros: draw.lapsedMicros };
}

function parseDraw({ bucket, id, micros, lapsed_micros }: DrawJson): DrawSummary {
  const amounts = { micros, lapsedMicros: lapsed_micros ?? 0 };
  return bucket === "grant"
    ? { bucket, grantId: id, ...amounts }
    : { bucket, cycleStartsAtMs: parseIso(id), ...amounts };
}
