/** A run as it is listed, and its receipt: the meters with their usage, pinned rates, charge and draws (rule R12). */
import { type Bucket, type Draw, type Meter, NO_GROUP, type Run, type Surface } from "./books.ts";
import { runTotal } from "./debit.ts";
import type { Micros, Unit } from "./micros.ts";
import { splitMeterKey } from "./tiers.ts";
import type { AtMs } from "./time.ts";

/** One row of the list of runs. `unit` is the unit of the run's first meter; the charge counts only meters of that unit. */
export type RunSummary = {
  run: string;
  surface: Surface;
  workspace: string;
  group: string;
  user: string;
  startedAtMs: AtMs;
  /** Null if the run has not reported yet. */
  lastReportAtMs: AtMs | null;
  models: string[];
  chargedMicros: Micros;
  unit: Unit;
  final: boolean;
};

/**
 * A draw as a receipt shows it: its bucket is identified by the grant's id or by the start of the cycle. `summed` is the
 * sum of a meter's older draws on buckets of one type.
 */
export type DrawSummary = Pick<Draw, "micros" | "lapsedMicros"> &
  (
    | { bucket: "grant"; grantId: string }
    | { bucket: Exclude<Bucket, "grant">; cycleStartsAtMs: AtMs }
    | { bucket: Bucket; summed: true }
  );

/** A meter as a receipt shows it. The draws add up to the charge. */
export type MeterSummary = Pick<
  Meter,
  "model" | "tier" | "reportedAs" | "price" | "usage" | "unit" | "chargedMicros" | "final" | "estimated"
> & { draws: DrawSummary[] };

export type Receipt = RunSummary & { meters: MeterSummary[] };

/**
 * The run as it is listed.
 *
 * @param fallbackUnit the unit of a run that has not reported yet
 */
export function summarizeRun(run: Run, meters: readonly Meter[], fallbackUnit: Unit): RunSummary {
  const unit = meters[0]?.unit ?? fallbackUnit;
  return {
    run: run.run,
    surface: run.surface,
    workspace: run.workspace,
    group: run.group ?? NO_GROUP,
    user: run.user,
    startedAtMs: run.startedAtMs,
    lastReportAtMs: meters.reduce<AtMs | null>((last, meter) => Math.max(last ?? 0, meter.lastReportAtMs), null),
    models: [...new Set(meters.map((meter) => meter.model))],
    chargedMicros: runTotal(meters, unit),
    unit,
    final: meters.length > 0 && meters.every((meter) => meter.final),
  };
}

/**
 * The meter as its receipt shows it.
 *
 * @param olderSums sums of the draws that came before those of the meter, by bucket
 */
export function summarizeMeter(meter: Meter, olderSums: readonly Draw[] = []): MeterSummary {
  const { key, model, tier, reportedAs, price, usage, unit, chargedMicros, final, estimated, draws } = meter;
  return {
    model,
    tier,
    reportedAs: reportedAs.length > 0 ? reportedAs : [splitMeterKey(key).name],
    price,
    usage,
    unit,
    chargedMicros,
    final,
    estimated,
    // A draw of which everything was refunded remains only because it counts in its cycle.
    draws: summarizeDraws(draws.filter(isShown), olderSums.filter(isShown)),
  };
}

function isShown({ micros, lapsedMicros }: Draw): boolean {
  return micros > 0 || lapsedMicros > 0;
}

/** How many draws of a meter a receipt lists one by one (rule R12). */
export const MAX_LISTED_DRAWS = 1_000;

/** Lists the newest draws. Older ones are summed by bucket, in front of the others. */
function summarizeDraws(draws: readonly Draw[], olderSums: readonly Draw[]): DrawSummary[] {
  const listed = draws.slice(-MAX_LISTED_DRAWS).map(summarizeDraw);
  const older = new Map<Bucket, DrawSummary>();
  for (const { bucket, micros, lapsedMicros } of [...olderSums, ...draws.slice(0, -MAX_LISTED_DRAWS)]) {
    const sum = older.get(bucket);
    older.set(bucket, {
      bucket,
      summed: true,
      micros: micros + (sum?.micros ?? 0),
      lapsedMicros: lapsedMicros + (sum?.lapsedMicros ?? 0),
    });
  }
  return [...older.values(), ...listed];
}

function summarizeDraw({ bucket, grantId, cycleStartsAtMs, micros, lapsedMicros }: Draw): DrawSummary {
  const amounts = { micros, lapsedMicros };
  return bucket === "grant"
    ? { bucket, grantId: grantId as string, ...amounts }
    : { bucket, cycleStartsAtMs, ...amounts };
}
