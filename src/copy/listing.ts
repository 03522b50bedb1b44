/**
 * The row that lists an enterprise for the operator. Lists read one database for each jurisdiction, its *directory*, so
 * they need no query for each shard. An enterprise whose copy is in another shard has a row there only for the list.
 * No reader of its copy accepts that row as complete.
 */

import { JURISDICTIONS } from "../ledger/regions.ts";
import type { Batch } from "./batch.ts";
import { shardsIn } from "./shards.ts";
import { searchKeys } from "./write.ts";

/** What a listing needs of an enterprise, and the shard that has its copy. */
export type Listing = Pick<
  Batch,
  | "enterprise"
  | "createdAtMs"
  | "name"
  | "suspended"
  | "attention"
  | "gauge"
  | "revision"
  | "generation"
  | "settingsRevision"
> & { shard: string };

/** Writes the row in the directory, unless the directory has a newer one. */
export async function writeListing(db: D1Database, listing: Listing): Promise<void> {
  const { enterprise, createdAtMs, name, suspended, attention, gauge, revision, generation, shard } = listing;
  const head = db
    .prepare(
      `INSERT INTO enterprises (id, created_at_ms, name, suspended, attention, gauge, revision, generation, shard,
          since_revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ${Number.MAX_SAFE_INTEGER})
        ON CONFLICT (id) DO UPDATE
        SET name = excluded.name, suspended = excluded.suspended, attention = excluded.attention, gauge = excluded.gauge,
          revision = excluded.revision, generation = excluded.generation, shard = excluded.shard,
          since_revision = excluded.since_revision,
          settings_revision = iif(enterprises.generation = excluded.generation, enterprises.settings_revision, 0)
        WHERE (excluded.generation, excluded.revision) > (enterprises.generation, enterprises.revision)`,
    )
    .bind(enterprise, createdAtMs, name, Number(suspended), attention, gauge, revision, generation, shard);
  await db.batch([head, ...searchKeys(db, listing)]);
}

/** Returns the directories: one for each jurisdiction that has databases, and one for all other enterprises. */
export function directoriesOf(env: object): string[] {
  return [null, ...JURISDICTIONS].flatMap((jurisdiction) => shardsIn(env, jurisdiction).slice(0, 1));
}
