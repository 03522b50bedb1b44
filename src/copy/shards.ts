/**
 * The D1 databases that hold copies, by the names of their bindings: `DB`, `DB_1`, `DB_2` and so on, and `DB_EU`,
 * `DB_EU_1`, `DB_US` for databases in a jurisdiction. A Worker cannot see where a database is, so its name says it. An
 * enterprise's copy is in one of them. With one database, nothing has to be configured.
 */
import type { Jurisdiction } from "../ledger/regions.ts";

/** The database of enterprises that were created before there was more than one. */
export const FIRST_SHARD = "DB";

/** RPC keeps only the message of an error, so the message starts with the error's name: isCopyError recognizes it. */
class CopyUnavailable extends Error {
  constructor(shard: string) {
    super(`CopyUnavailable: no D1 database is bound as ${shard}`);
  }
}

/**
 * Returns the names of the databases in a jurisdiction, or of those in none, in the order of their numbers. The first one
 * has no number and must be bound, because it is the directory of the others.
 */
export function shardsIn(env: object, jurisdiction: Jurisdiction | null): string[] {
  const name = jurisdiction === null ? FIRST_SHARD : `${FIRST_SHARD}_${jurisdiction.toUpperCase()}`;
  const number = (shard: string) => Number(shard.slice(name.length + 1));
  const isOne = (shard: string) =>
    shard === name || (shard.startsWith(`${name}_`) && /^[1-9]\d*$/.test(shard.slice(name.length + 1)));
  const bound = Object.keys(env).filter((shard) => isOne(shard) && isBound(env, shard));
  return bound.includes(name) ? bound.sort((a, b) => number(a) - number(b)) : [];
}

/** Returns the names of all databases that are bound. */
export function allShards(env: object): string[] {
  return Object.keys(env).filter((name) => isShardName(name) && isBound(env, name));
}

/** Returns the directory of a shard: the database that lists its enterprises for the operator. */
export function directoryOf(shard: string): string {
  return shard.replace(/_\d+$/, "");
}

/** Returns a database by the name of its binding. Throws if it is not bound. */
export function databaseAt(env: object, shard: string): D1Database {
  if (!isShardName(shard) || !isBound(env, shard)) throw new CopyUnavailable(shard);
  return (env as Readonly<Record<string, D1Database>>)[shard] as D1Database;
}

function isBound(env: object, shard: string): boolean {
  return (env as Readonly<Record<string, unknown>>)[shard] !== undefined;
}

function isShardName(name: string): boolean {
  return /^DB(_EU|_US)?(_[1-9]\d*)?$/.test(name);
}
