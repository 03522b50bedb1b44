/**
 * The D1 databases that hold copies, by the names of their bindings: `DB`, `DB_1`, `DB_2` and so on, and `DB_EU`,
 * `DB_EU_1`, `DB_US` for databases in a jurisdiction. A Worker cannot see where a database is, so its name says it. An
 * enterprise's copy is in one of them. With one database, nothing has to be configured.
 */
import type { Jurisdiction } from "../ledger/regions.ts";

/** The database of enterprises that were created before there was more than one. */
const FIRST_SHARD = "DB";

/** Returns the names of the databases in a jurisdiction, or of those in none, in the order of their numbers. */
export function shardsIn(env: object, jurisdiction: Jurisdiction | null): string[] {
  const name = jurisdiction === null ? FIRST_SHARD : `${FIRST_SHARD}_${jurisdiction.toUpperCase()}`;
  const number = (shard: string) => Number(shard.slice(name.length + 1));
  const isOne = (shard: string) =>
    shard === name || (shard.startsWith(`${name}_`) && /^[1-9]\d*$/.test(shard.slice(name.length + 1)));
  return Object.keys(env)
    .filter(isOne)
    .sort((a, b) => number(a) - number(b));
}
