/**
 * Storage that fails during a call: the disk is full, or the object is killed, at some statement or at the commit. A
 * transaction that failed must leave nothing behind. Outside of a transaction, a statement was executed or was not.
 */
import { dumpOf, StorageFault, type Trap } from "./faulty-sql.ts";
import type { World } from "./world.ts";

/** How the call failed; `applied` when it changed storage anyway, and only its answer is lost. */
type Broken = { applied: boolean };

export function drawTrap({ dice, scenario, platform }: World): Trap | null {
  if (platform.healed || !dice.chance(scenario.faults.storage)) return null;
  const kind = dice.weighted({ commit: 2, full: 3, crash: 4 });
  if (kind === "commit") return "commit";
  return { after: dice.whole(0, kind === "full" ? 4 : 12), writesOnly: kind === "full" };
}

/** True for a trap that kills the object; it survives a full disk. */
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
    if (sql.disarm()) world.count("group_retried_one_by_one");
    return { answer };
  } catch (error) {
    if (!(error instanceof StorageFault)) throw error;
    fault = error;
  } finally {
    sql.disarm();
  }
  const after = dumpOf(sql);
  const applied = after !== before;
  // A call may have committed a transaction before the one that failed: setting a budget checks its levels in a second one.
  if (fault.inTransaction && after !== (sql.committedDump() ?? before))
    world.fail("a transaction that failed has left something behind");
  if (turnIsDue && fault.inTransaction) world.count("crashed_in_a_cycle_turn");
  if (!fault.inTransaction) world.count("storage_broke_outside_of_a_transaction");
  else if (trap === "commit") world.count("crashed_at_the_commit");
  else world.count(trap.writesOnly ? "storage_full" : "crashed_in_a_transaction");
  return { applied };
}
