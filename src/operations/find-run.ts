/**
 * Finds a run in any enterprise, by its id. The copy has no index of runs over all enterprises, because every run would
 * pay for it. So a search looks into the copies of the newest enterprises first, some hundred at a time.
 */
import { catalogOf } from "../catalog/object.ts";
import { findRunIn } from "../copy/find-run.ts";
import { readShard } from "./read-copy.ts";

const MAX_SEARCHED = 500;

/** `next` is the number of the enterprise from which the next search goes on; null if all were searched. */
export type RunsFound = { enterprises: string[]; searched: number; next: number | null };

/** @param before the number of an enterprise in the catalog; older ones are searched */
export async function findRun(env: Env, run: string, before: number): Promise<RunsFound> {
  const listed = await catalogOf(env).enterprises(before, MAX_SEARCHED);
  const byShard = Map.groupBy(listed, ({ shard }) => shard);
  const found = await Promise.all(
    [...byShard].map(([shard, places]) =>
      findRunIn(
        readShard(env, shard),
        run,
        places.map(({ id }) => id),
      ),
    ),
  );
  const last = listed.length < MAX_SEARCHED ? undefined : listed.at(-1);
  return { enterprises: found.flat().sort(), searched: listed.length, next: last?.number ?? null };
}
