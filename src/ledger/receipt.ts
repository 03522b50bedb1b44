/** A run as it is listed, and its receipt: the meters with their usage, pinned rates, charge and draws (rule R12). */
import { type Bucket, type Draw, type Meter, NO_GROUP, type Run, type Surface } from "./books.ts";
import { runTotal } from "./debit.ts";
import type { Micros, Unit } from "./micros.ts";
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

/** A draw as a receipt shows it: its bucket is identified by the grant's id or by the start of the cycle. */
export type DrawSummary = Pick<Draw, "micros" | "lapsedMicros"> &
  ({ bucket: "grant"; grantId: string } | { bucket: Exclude<Bucket, "grant">; cycleStartsAtMs: AtMs });

/** A meter as a receipt shows it. The draws add up to the charge. */
export type MeterSummary = Pick<Meter, "model" | "price" | "usage" | "unit" | "chargedMicros" | "final"> & {
  draws: DrawSummary[];
};

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
    models: meters.map((meter) => meter.model),
    chargedMicros: runTotal(meters, unit),
    unit,
    final: meters.length > 0 && meters.every((meter) => meter.final),
  };
}

/** The meter as its receipt shows it. */
export function summarizeMeter({ model, price, usage, unit, chargedMicros, final, draws }: Meter): MeterSummary {
  return { model, price, usage, unit, chargedMicros, final, draws: draws.map(summarizeDraw) };
}

function summarizeDraw({ bucket, grantId, cycleStartsAtMs, micros, lapsedMicros }: Draw): DrawSummary {
  const amounts = { micros, lapsedMicros };
  return bucket === "grant"
    ? { bucket, grantId: grantId as string, ...amounts }
    : { bucket, cycleStartsAtMs, ...amounts };
}
