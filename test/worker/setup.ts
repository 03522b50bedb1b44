/** Creates the tables of the copies in D1, before the tests of each file. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll } from "vitest";
import { allShards, databaseAt } from "../../src/copy/shards.ts";

beforeAll(async () => {
  const { MIGRATIONS } = env as unknown as { MIGRATIONS: D1Migration[] };
  for (const shard of allShards(env)) await applyD1Migrations(databaseAt(env, shard), MIGRATIONS);
});
