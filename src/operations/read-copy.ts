/**
 * How the Worker reads the copy in D1. Reads of one enterprise are checked against what its object knows it wrote. When
 * the copy lacks something, the Worker reports it to the object, which rebuilds it.
 */
import type { Address } from "../catalog/addresses.ts";
import { type CheckedCopy, type CopyMark, openCopy } from "../copy/checked-copy.ts";
import { directoriesOf } from "../copy/listing.ts";
import { databaseAt, FIRST_SHARD } from "../copy/shards.ts";
import { timedD1 } from "../copy/timed-d1.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** How long a reader waits for D1. */
const READ_LIMIT_MS = 10_000;

type Background = Pick<ExecutionContext, "waitUntil">;

/** Returns the copy of one enterprise. @param mark what the enterprise's object states, with the gauge and the clock */
export function readCopy(env: Env, background: Background, address: Address, mark: CopyMark | undefined): CheckedCopy {
  return openCopy(readShard(env, mark?.shard ?? FIRST_SHARD), address.enterprise, mark ?? null, () => {
    console.warn(JSON.stringify({ event: "copy_unavailable", enterprise: address.enterprise }));
    background.waitUntil(reportToObject(env, address));
  });
}

/** Returns the databases that list enterprises for the operator: one, and one for each jurisdiction with databases. */
export function readDirectories(env: Env): D1Database[] {
  return directoriesOf(env).map((shard) => readShard(env, shard));
}

/** Returns a database by its binding, for reading. */
export function readShard(env: Env, shard: string): D1Database {
  return timedD1(() => databaseAt(env, shard), READ_LIMIT_MS);
}

async function reportToObject(env: Env, address: Address): Promise<void> {
  try {
    await enterpriseStub(env, address).checkCopy();
  } catch (error) {
    // The object cannot be reached or runs an older release. It notices the loss with its next write.
    console.error(JSON.stringify({ event: "copy_not_checked", enterprise: address.enterprise, error: String(error) }));
  }
}
