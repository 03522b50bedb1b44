// Medians, percentiles, and the spread of repeated measurements.
// Ratios are computed within each round and summarized afterwards. In a round both sides run under the same conditions,
// so the ratio means something even if the machine's speed changes.

/** The spread of a figure that was measured several times. */
export interface Spread {
  median: number;
  low: number;
  high: number;
}

/** The nearest-rank percentile; NaN if there are no values. */
export function percentile(values: readonly number[], percent: number): number {
  if (values.length === 0) return Number.NaN;
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] as number;
}

/** The middle value, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = Float64Array.from(values).sort();
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

export function spreadOf(values: readonly number[]): Spread {
  return { median: median(values), low: Math.min(...values), high: Math.max(...values) };
}

/** The ratios of two figures that were measured in turns, round by round. */
export function ratiosOf(numerators: readonly number[], denominators: readonly number[]): Spread {
  return spreadOf(numerators.map((value, round) => value / (denominators[round] as number)));
}
