/** Which D1 databases may hold the copies of an enterprise's jurisdiction, in this deployment. */
import { hasJurisdiction, simulatesRegions } from "../catalog/addresses.ts";
import { shardsIn } from "../copy/shards.ts";
import type { Jurisdiction } from "../ledger/regions.ts";

/**
 * Returns the databases that may hold the copy of an enterprise; none if its jurisdiction is not available. Only where
 * regions are simulated may an enterprise use the databases outside of its jurisdiction.
 */
export function shardsFor(env: Env, jurisdiction: Jurisdiction | null): string[] {
  if (jurisdiction !== null && !hasJurisdiction(env, jurisdiction)) return [];
  const shards = shardsIn(env, jurisdiction);
  return shards.length === 0 && simulatesRegions(env) ? shardsIn(env, null) : shards;
}
