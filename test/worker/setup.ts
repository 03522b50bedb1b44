/** Creates the tables of the copies in D1, before the tests of each file. */
import type { D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll } from "vitest";
import { allShards, databaseAt } from "../../src/copy/shards.ts";

beforeAll(async () => {
  const { MIGRATIONS } = env as unknown as { MIGRATIONS: D1Migration[] };
  const statements = MIGRATIONS.flatMap(({ queries }) => queries);
  // One call for each database. Applying the migrations one by one takes a second for each test file.
  await Promise.all(
    allShards(env).map((shard) => {
      const database = databaseAt(env, shard);
      return database.batch(statements.map((statement) => database.prepare(statement)));
    }),
  );
});
