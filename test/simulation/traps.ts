/**
 * Storage that breaks under a call: it fills up, or the object is killed, at some statement or at the commit. Of a
 * transaction that broke nothing may be there; what broke outside of one was either done whole or not at all.
 */
import { dumpOf, StorageFault, type Trap } from "./faulty-sql.ts";
import type { World } from "./world.ts";

/** How the call broke; `applied` when it was done all the same, and only its answer is lost. */
export type Broken = { applied: boolean };

export function drawTrap({ dice, scenario, platform }: World): Trap | null {
  if (platform.healed || !dice.chance(scenario.faults.storage)) return null;
  const kind = dice.weighted({ commit: 2, full: 3, crash: 4 });
  if (kind === "commit") return "commit";
  return { after: dice.whole(0, kind === "full" ? 4 : 12), writesOnly: kind === "full" };
}

/** True for a trap that kills the object; a full disk lets it live on. */
export function kills(trap: Trap | null): boolean {
  return trap === "commit" || trap?.writesOnly === false;
}

export function callTrapped<T>(world: World, act: () => T, trap: Trap): { answer: T } | Broken {
  const { sql } = world.platform;
  const { turnIsDue } = world.object;
  const before = dumpOf(sql);
  let fault: StorageFault | null = null;
  sql.arm(trap);
  try {
    const answer = act();
    if (sql.disarm()) world.saw("group_retried_one_by_one");
    return { answer };
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error;
    fault = error;
  } finally {
    sql.disarm();
  }
  const applied = dumpOf(sql) !== before;
  if (applied && fault.inTransaction) world.fail("a transaction that broke has left something behind");
  if (turnIsDue && fault.inTransaction) world.saw("crashed_in_a_cycle_turn");
  if (!fault.inTransaction) world.saw("storage_broke_outside_of_a_transaction");
  else if (trap === "commit") world.saw("crashed_at_the_commit");
  else world.saw(trap.writesOnly ? "storage_full" : "crashed_in_a_transaction");
  return { applied };
}
