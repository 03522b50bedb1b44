/**
 * How many random cases the property tests try, and from which seed. FUELGAUGE_CASES is the number for all properties
 * together, of which each takes a share: 1,500 by default, and 10,000 or more in the campaign. The seed is fixed, so
 * every run tries the same cases; FUELGAUGE_SEED sets another. A property that fails prints the seed and the path that
 * repeat the failure. The time limit of a test grows with the number of cases (vitest.config.ts).
 */
import process from "node:process";
import type { Parameters } from "fast-check";

const ALL_CASES = Number(process.env.FUELGAUGE_CASES ?? 1_500);
const SEED = Number(process.env.FUELGAUGE_SEED ?? 20_261_123);

/**
 * @param share this property's share of all cases, in thousandths
 * @param least how many cases it tries at least
 */
export function cases(share: number, least = 1): Pick<Parameters<unknown>, "numRuns" | "seed"> {
  return { numRuns: Math.max(least, Math.round((ALL_CASES * share) / 1_000)), seed: SEED };
}
