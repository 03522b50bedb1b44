/** Enterprises in the jurisdiction eu, whose copies may be in DB_EU or DB_EU_1, and moves between these databases. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect } from "vitest";
import { objectAt } from "../../src/catalog/addresses.ts";
import { catalogOf } from "../../src/catalog/object.ts";
import { COPY_TABLES } from "../../src/copy/delete-copy.ts";
import { databaseAt } from "../../src/copy/shards.ts";
import { type Enterprise, newEnterprise, operator, runAlarm } from "./api.ts";

export const newInEu = (settings: Record<string, unknown> = {}) => newEnterprise({ region: "eu", ...settings });
export const objectInEu = (id: string) => objectAt(env, { enterprise: id, region: "eu" });

export async function alarm({ id }: Pick<Enterprise, "id">): Promise<void> {
  await runAlarm(objectInEu(id));
}

export async function shardOf({ id }: Pick<Enterprise, "id">): Promise<string> {
  const place = await catalogOf(env).placeOf(id);
  return place?.shard ?? "";
}

/** How many rows each database has of an enterprise, without its own row, and whether its own row is only a listing. */
export async function rowsIn(shard: string, { id }: Pick<Enterprise, "id">) {
  const db = databaseAt(env, shard);
  const counts = await Promise.all(
    COPY_TABLES.map(({ table }) =>
      db.prepare(`SELECT count(*) AS n FROM ${table} WHERE enterprise = ?`).bind(id).first<number>("n"),
    ),
  );
  const rows = counts.slice(0, -1).reduce<number>((sum, n) => sum + (n ?? 0), 0);
  const head = await db
    .prepare("SELECT shard FROM enterprises WHERE id = ?")
    .bind(id)
    .first<{ shard: string | null }>();
  return { rows, row: head === null ? "none" : head.shard === null ? "copy" : head.shard };
}

export async function move(e: Enterprise, shard: string, onSlice: () => Promise<unknown> = () => scheduler.wait(10)) {
  const started = await operator("POST", `${e.path}/move-copy`, { shard });
  expect(started.status).toBe(202);
  for (let i = 0; i < 200; i++) {
    await alarm(e);
    await onSlice();
    if ((await shardOf(e)) === shard) return;
  }
  throw new Error("the move did not end");
}

/** Lets the minute pass in which earlier readers may finish, and deletes the rows of the old database. */
export async function endMove(e: Enterprise): Promise<void> {
  const job = async () => {
    const { id } = await runInDurableObject(objectInEu(e.id), (_, { storage }) => {
      storage.sql.exec("UPDATE jobs SET due_at_ms = 0 WHERE name = 'move' AND state = 'running'");
      return storage.sql.exec<{ id: string }>("SELECT id FROM jobs WHERE name = 'move'").one();
    });
    await alarm(e);
    return (await operator("GET", `/v1/jobs/${id}`)).body;
  };
  await expect.poll(job).toMatchObject({ state: "done", detail: expect.stringMatching(/^moved from DB_EU/) });
}
