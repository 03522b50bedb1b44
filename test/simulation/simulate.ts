/**
 * Runs worlds: one seed is one world, and says everything about it.
 */
import type { Happenings } from "./happenings.ts";
import { Violation } from "./trace.ts";
import { World } from "./world.ts";

export type Outcome = {
  seed: number;
  /** Of everything that happened: the same for the same seed. */
  hash: string;
  days: number;
  events: number;
  happenings: Happenings;
  /** What broke the contract, with the last lines of what happened; null when nothing did. */
  violation: string | null;
};

export async function simulate(seed: number): Promise<Outcome> {
  const world = new World(seed);
  const { trace, happenings } = world;
  let violation: string | null = null;
  try {
    await world.run();
  } catch (error) {
    const what = error instanceof Violation ? error.message : String((error as Error).stack);
    violation = `seed ${seed}, day ${Math.floor(world.daysLived)}: ${what}\n\n${trace.tail.join("\n")}`;
  }
  return { seed, hash: trace.hash, days: world.daysLived, events: trace.lines, happenings, violation };
}
