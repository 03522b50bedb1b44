/**
 * The magnitude of an amount, in steps of 1, 2, 5, 10, 20, 50 and so on. The largest rows of a cycle are found by an index
 * of magnitudes. An index of the amounts themselves would be written with every charge; a magnitude rarely changes.
 */
import type { Micros } from "../ledger/micros.ts";

/** Returns a larger number for an amount of a higher step, and the same for a negative amount as for 0. */
export function magnitudeOf(micros: Micros): number {
  const digits = String(Math.max(0, micros));
  const first = Number(digits[0]);
  return digits.length * 3 + Number(first >= 2) + Number(first >= 5);
}
