// Numbers about numbers: medians, percentiles, and the spread of a figure that was measured several times.
// A ratio is taken within each round, where both sides met the same machine, and only then summed up: that is what
// makes a figure worth something on a machine whose speed moves.

/** A figure that was measured several times. */
export interface Spread {
  median: number;
  low: number;
  high: number;
}

/** The value below which `percent` of the values lie (nearest rank); NaN of nothing. */
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

/** The quotients of two figures that were measured in turns, round by round. */
export function ratiosOf(over: readonly number[], under: readonly number[]): Spread {
  return spreadOf(over.map((value, round) => value / (under[round] as number)));
}
