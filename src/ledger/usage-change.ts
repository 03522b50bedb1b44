/**
 * What one debit adds to the usage of a model and tier: quantities and amounts by kind, cache savings, and whether this
 * is the run's first report for them. Sums of these changes are the usage cube. This file knows no cube.
 */
import type { Meter } from "./books.ts";
import type { Debit } from "./debit.ts";
import { type ByKind, cacheSavings, scaleParts, splitCharge, subtract } from "./kind-split.ts";

export type UsageChange = {
  model: string;
  tier: string;
  /** What the running totals grew by. */
  quantities: ByKind;
  /** The parts of the charge that count in the current cycle, by kind. They add up to the debit's `cycleMicros`. */
  amounts: ByKind;
  savingsMicros: number;
  /** 1 for the run's first report for this model, or for this model and tier; −1 if the meter has left the model. */
  ofModel: number;
  ofMeter: number;
};

type Changed = Pick<Debit, "before" | "meter" | "chargedMicros" | "cycleMicros" | "books">;

/**
 * Returns the changes of a debit. There are two if a price has given the meter its model's id: usage of this cycle then
 * moves from the reported name to the id. Usage that was reported in an earlier cycle stays there under its name.
 *
 * @param others the other meters of the run
 */
export function usageChanges(debit: Changed, others: readonly Meter[]): UsageChange[] {
  const { before, meter } = debit;
  const isFirst = before === null;
  const isRenamed = before !== null && before.model !== meter.model;
  const moves = isRenamed && meter.firstReportAtMs >= debit.books.cycle.startsAtMs;
  const amounts = subtract(partsOf(meter), before === null ? {} : partsOf(before));
  const change: UsageChange = {
    model: meter.model,
    tier: meter.tier,
    quantities: subtract(meter.usage, before === null || moves ? {} : before.usage),
    amounts: scaleParts(amounts, debit.chargedMicros, debit.cycleMicros),
    savingsMicros: savingsOf(meter) - (before === null ? 0 : savingsOf(before)),
    ofModel: (isFirst || isRenamed) && !has(others, meter.model) ? 1 : 0,
    ofMeter: (isFirst || isRenamed) && !has(others, meter.model, meter.tier) ? 1 : 0,
  };
  if (!moves) return [change];
  const left: UsageChange = {
    model: before.model,
    tier: before.tier,
    quantities: subtract({}, before.usage),
    amounts: {},
    savingsMicros: 0,
    ofModel: has(others, before.model) ? 0 : -1,
    ofMeter: has(others, before.model, before.tier) ? 0 : -1,
  };
  return [change, left];
}

function partsOf({ usage, price, unit }: Meter): ByKind {
  return price === null ? {} : splitCharge(usage, price, unit);
}

function savingsOf({ usage, price, unit }: Meter): number {
  return price === null ? 0 : cacheSavings(usage, price, unit);
}

function has(meters: readonly Meter[], model: string, tier?: string): boolean {
  return meters.some((meter) => meter.model === model && (tier === undefined || meter.tier === tier));
}
