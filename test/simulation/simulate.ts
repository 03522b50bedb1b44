/**
 * Runs the world of a seed. The seed determines everything that happens in it.
 */
import type { RareEventCounts } from "./rare-events.ts";
import { SimulatedWorld } from "./simulated-world.ts";
import { Violation } from "./trace.ts";

export type Outcome = {
  seed: number;
  /** Over everything that happened: the same for the same seed. */
  hash: string;
  days: number;
  events: number;
  rareEvents: RareEventCounts;
  /** What violated the contract, with the last lines of the trace; null when nothing did. */
  violation: string | null;
};

export async function simulate(seed: number): Promise<Outcome> {
  const world = new SimulatedWorld(seed);
  const { trace, rareEvents } = world;
  let violation: string | null = null;
  try {
    await world.run();
  } catch (error) {
    const what = error instanceof Violation ? error.message : String((error as Error).stack);
    violation = `seed ${seed}, day ${Math.floor(world.daysLived)}: ${what}\n\n${trace.tail.join("\n")}`;
  }
  return { seed, hash: trace.hash, days: world.daysLived, events: trace.lines, rareEvents, violation };
}
