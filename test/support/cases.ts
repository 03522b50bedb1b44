/**
 * How many random cases the properties try, and from which seed. FUELGAUGE_CASES is the number for all properties of
 * this folder together (10,000 unless told); each takes its share in thousandths. The seed is fixed, so a run repeats
 * itself; FUELGAUGE_SEED names another, and a property that fails prints the seed and path that replay it.
 */
import process from "node:process";
import type { Parameters } from "fast-check";
import { vi } from "vitest";

const ALL_CASES = Number(process.env.FUELGAUGE_CASES ?? 10_000);
const SEED = Number(process.env.FUELGAUGE_SEED ?? 20_261_123);

// More cases take longer, and a busy machine longer still: the time allowed grows with them.
vi.setConfig({ testTimeout: Math.max(60_000, ALL_CASES * 30) });

/** @param share how much of all cases this property gets, in thousandths */
export function cases(share: number): Pick<Parameters<unknown>, "numRuns" | "seed"> {
  return { numRuns: Math.max(1, Math.round((ALL_CASES * share) / 1_000)), seed: SEED };
}
