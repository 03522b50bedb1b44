/**
 * The receipt of a run (rule R12): its meters with tokens, pinned rates, charge, and the bucket of every micro.
 * The draws of a meter sum to its charge; what a refund could not give back stands beside them as `lapsed_micros`.
 */
import { type Bucket, type Draw, type Meter, NO_GROUP, type Run, type Surface } from "./books.ts";
import { runTotal } from "./debit.ts";
import { isoOf, isoOrNull } from "./entries.ts";
import type { Micros, Unit } from "./micros.ts";
import { formatRate } from "./prices.ts";

/** One row of the list of runs. `unit` is that of the run's first meter. */
export type RunView = {
  run: string;
  surface: Surface;
  workspace: string;
  group: string;
  user: string;
  started_at: string;
  last_report_at: string | null;
  models: string[];
  charged_micros: Micros;
  unit: Unit;
  final: boolean;
};

export type DrawView = { bucket: Bucket; id: string; micros: Micros; lapsed_micros?: Micros };

export type MeterView = {
  model: string;
  price_book_version: number;
  /** USD per million tokens, as they were pinned. */
  rates: { input: string; output: string; cache_read: string; cache_write: string };
  credits_per_usd: number;
  usage: { input_tokens: number; output_tokens: number; cache_read_tokens: number; cache_write_tokens: number };
  unit: Unit;
  charged_micros: Micros;
  final: boolean;
  draws: DrawView[];
};

export type Receipt = RunView & { meters: MeterView[] };

/** @param fallbackUnit the unit of a run that has reported nothing yet */
export function viewRun(run: Run, meters: readonly Meter[], fallbackUnit: Unit): RunView {
  const unit = meters[0]?.unit ?? fallbackUnit;
  const lastReportAtMs = meters.reduce<number | null>((last, meter) => Math.max(last ?? 0, meter.lastReportAtMs), null);
  return {
    run: run.run,
    surface: run.surface,
    workspace: run.workspace,
    group: run.group ?? NO_GROUP,
    user: run.user,
    started_at: isoOf(run.startedAtMs),
    last_report_at: isoOrNull(lastReportAtMs),
    models: meters.map((meter) => meter.model),
    charged_micros: runTotal(meters, unit),
    unit,
    final: meters.length > 0 && meters.every((meter) => meter.final),
  };
}

export function viewMeter(meter: Meter): MeterView {
  const { rates } = meter.price;
  return {
    model: meter.model,
    price_book_version: meter.price.bookVersion,
    rates: {
      input: formatRate(rates.input),
      output: formatRate(rates.output),
      cache_read: formatRate(rates.cacheRead),
      cache_write: formatRate(rates.cacheWrite),
    },
    credits_per_usd: meter.price.creditsPerUsd,
    usage: {
      input_tokens: meter.tokens.input,
      output_tokens: meter.tokens.output,
      cache_read_tokens: meter.tokens.cacheRead,
      cache_write_tokens: meter.tokens.cacheWrite,
    },
    unit: meter.unit,
    charged_micros: meter.chargedMicros,
    final: meter.final,
    draws: meter.draws.map(viewDraw),
  };
}

function viewDraw(draw: Draw): DrawView {
  const view = { bucket: draw.bucket, id: draw.grantId ?? isoOf(draw.cycleStartsAtMs), micros: draw.micros };
  return draw.lapsedMicros === 0 ? view : { ...view, lapsed_micros: draw.lapsedMicros };
}
