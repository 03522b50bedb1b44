/**
 * Gives each file an empty storage, fresh modules and the tables of the copies in D1. One workerd runs many files, one after
 * another, because starting a workerd costs more than most files.
 */
import { abortAllDurableObjects, type D1Migration, reset, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, vi } from "vitest";

// The file after this one imports the Worker. Without this, it would find what the Worker cached for the previous file.
vi.resetModules();

beforeAll(async () => {
  const { allShards, databaseAt } = await import("../../src/copy/shards.ts");
  const databases = allShards(env).map((shard) => databaseAt(env, shard));
  // `reset` deletes the storage only of what is in memory. So what all enterprises share is loaded, with the fresh modules.
  await abortAllDurableObjects();
  await Promise.all([
    runInDurableObject(env.CATALOG.getByName("catalog"), () => {}),
    ...databases.map((database) => database.prepare("SELECT 1").run()),
  ]);
  await reset();
  const { MIGRATIONS } = env as unknown as { MIGRATIONS: D1Migration[] };
  const statements = MIGRATIONS.flatMap(({ queries }) => queries);
  // One call for each database. Applying the migrations one by one takes a second for each test file.
  await Promise.all(
    databases.map((database) => database.batch(statements.map((statement) => database.prepare(statement)))),
  );
});
