/**
 * Copies in several databases: `DB_EU` and `DB_EU_1` for enterprises in the EU, and `DB` for all others. The first database
 * of a jurisdiction is also its directory, from which the operator's lists are read.
 */
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { describe, expect, it, vi } from "vitest";
import { objectAt } from "../../src/catalog/addresses.ts";
import { catalogOf } from "../../src/catalog/object.ts";
import { COPY_TABLES } from "../../src/copy/delete-copy.ts";
import { countEnterprises, readNewestEnterprises, searchEnterprises } from "../../src/copy/read-enterprises.ts";
import { allShards, databaseAt, shardsIn } from "../../src/copy/shards.ts";
import {
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  freshId,
  invalidPaths,
  newEnterprise,
  operator,
} from "./api.ts";

const ENTERPRISES = Number((env as unknown as { SHARD_ENTERPRISES?: string }).SHARD_ENTERPRISES ?? 12);
const directories = () => ["DB", "DB_EU"].map((shard) => databaseAt(env, shard));
const inEu = (settings: Record<string, unknown> = {}) => newEnterprise({ region: "eu", ...settings });
const objectIn = (id: string) => objectAt(env, { enterprise: id, region: "eu" });

async function alarm({ id }: Pick<Enterprise, "id">): Promise<void> {
  await runDurableObjectAlarm(objectIn(id));
}

async function shardOf({ id }: Pick<Enterprise, "id">): Promise<string> {
  const place = await catalogOf(env).placeOf(id);
  return place?.shard ?? "";
}

/** How many rows each database has of an enterprise, without its own row, and whether its own row is only a listing. */
async function rowsIn(shard: string, { id }: Pick<Enterprise, "id">) {
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

async function move(e: Enterprise, shard: string, onSlice: () => Promise<unknown> = async () => {}) {
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
async function endMove(e: Enterprise): Promise<void> {
  const { body } = await vi.waitFor(
    async () => {
      const job = await runInDurableObject(objectIn(e.id), (_, { storage }) => {
        storage.sql.exec("UPDATE jobs SET due_at_ms = 0 WHERE name = 'move' AND state = 'running'");
        return storage.sql.exec<{ id: string; detail: string }>("SELECT * FROM jobs WHERE name = 'move'").one();
      });
      await alarm(e);
      const read = await operator("GET", `/v1/jobs/${job.id}`);
      expect(read.body.state, JSON.stringify(job)).toBe("done");
      return read;
    },
    { timeout: 20_000, interval: 50 },
  );
  expect(body.detail).toMatch(/^moved from DB_EU/);
}

it("finds the databases of each jurisdiction by the names of their bindings, in the order of their numbers", () => {
  const bound = {
    DB: 1,
    DB_2: 1,
    DB_10: 1,
    DB_1: 1,
    DB_EU: 1,
    DB_EU_1: 1,
    DB_US_1: 1,
    DB_X: 1,
    DBS: 1,
    DB_01: 1,
    DB_3: undefined,
  };
  expect(shardsIn(bound, null)).toEqual(["DB", "DB_1", "DB_2", "DB_10"]);
  expect(shardsIn(bound, "eu")).toEqual(["DB_EU", "DB_EU_1"]);
  // Without DB_US there is no directory, so the jurisdiction is not available.
  expect(shardsIn(bound, "us")).toEqual([]);
  expect(allShards(bound)).toEqual(["DB", "DB_2", "DB_10", "DB_1", "DB_EU", "DB_EU_1", "DB_US_1"]);
  expect(() => databaseAt(bound, "DB_3")).toThrow(/^CopyUnavailable/);
  expect(() => databaseAt({ ...bound, SIGNING_SECRET: "x" }, "SIGNING_SECRET")).toThrow(/^CopyUnavailable/);
});

it(`spreads ${ENTERPRISES} enterprises over two databases, and lists all of them from the directory`, {
  timeout: 60_000 + ENTERPRISES * 1_000,
}, async () => {
  const [before, listedBefore] = [(await catalogOf(env).storage()).shards, await countEnterprises(directories())];
  const all = [];
  for (let i = 0; i < ENTERPRISES; i++) {
    const e = await inEu({ name: `Spread ${i}` });
    await e.debit(costing(1 + i));
    await alarm(e);
    await vi.waitFor(async () => expect((await rowsIn("DB_EU", e)).row).not.toBe("none"));
    all.push({ ...e, shard: await shardOf(e) });
  }
  const count = (shards: typeof before, name: string) => shards.find((shard) => shard.name === name)?.enterprises ?? 0;
  const after = (await catalogOf(env).storage()).shards;
  for (const name of ["DB_EU", "DB_EU_1"]) expect(count(after, name) - count(before, name)).toBe(ENTERPRISES / 2);
  for (const [i, e] of all.entries()) {
    const other = e.shard === "DB_EU" ? "DB_EU_1" : "DB_EU";
    expect((await rowsIn(e.shard, e)).row).toBe("copy");
    expect(await rowsIn(other, e)).toEqual({ rows: 0, row: e.shard === "DB_EU" ? "none" : "DB_EU_1" });
    expect(await rowsIn("DB", e)).toEqual({ rows: 0, row: "none" });
    expect((await e.get("runs")).rows).toMatchObject([{ charged_micros: (1 + i) * CREDIT }]);
    expect((await e.audit()).ok).toBe(true);
  }
  expect((await countEnterprises(directories())) - listedBefore).toBe(ENTERPRISES);
  const ids = new Set((await readNewestEnterprises(directories(), ENTERPRISES + 100, null)).map(({ id }) => id));
  expect(all.every(({ id }) => ids.has(id))).toBe(true);
  expect(await searchEnterprises(directories(), "spread", ENTERPRISES + 100, null)).toHaveLength(ENTERPRISES);
});

it("merges the lists of all directories page by page, in one order, with nothing twice or missing", async () => {
  for (let i = 0; i < 3; i++) {
    for (const settings of [{}, { region: "eu" }, { region: "eu" }]) {
      const e = await newEnterprise({ ...settings, name: `Merge ${i}` });
      await runDurableObjectAlarm(objectAt(env, { enterprise: e.id, region: settings.region ?? "" }));
    }
  }
  await vi.waitFor(async () => expect(await searchEnterprises(directories(), "merge", 100, null)).toHaveLength(9));
  const all = await searchEnterprises(directories(), "merge", 100, null);
  const paged: typeof all = [];
  for (let after: { key: string; id: string } | null = null; ; ) {
    const page: typeof all = await searchEnterprises(directories(), "merge", 2, after);
    paged.push(...page.slice(0, 2));
    const last = page[1];
    if (page.length < 3 || last === undefined) break;
    after = last;
  }
  expect(paged.map(({ id }) => id)).toEqual(all.map(({ id }) => id));
});

describe("a move of a copy", () => {
  it.each([
    ["from the directory to another database", "DB_EU"],
    ["from another database to the directory", "DB_EU_1"],
  ])("%s, under traffic: no reader sees less, and the sums stay equal", async (_, from) => {
    let e = await inEu();
    for (let tries = 0; tries < 10 && (await shardOf(e)) !== from; tries++) e = await inEu();
    expect(await shardOf(e)).toBe(from);
    const to = from === "DB_EU" ? "DB_EU_1" : "DB_EU";
    for (let run = 0; run < 5; run++) await e.debit(costing(1, { run: `before-${run}` }));
    await alarm(e);
    let spent = 5;
    let seen = 5;
    const look = async () => {
      const top = await e.get("usage/top/users");
      const credits = top.total_micros / CREDIT;
      expect(credits).toBeGreaterThanOrEqual(seen);
      seen = credits;
      expect((await e.get("runs?limit=100")).rows.length).toBeGreaterThanOrEqual(seen);
    };
    await move(e, to, async () => {
      await e.debit(costing(1, { run: `during-${spent}` }));
      spent += 1;
      await look();
    });
    expect(await shardOf(e)).toBe(to);
    await e.debit(costing(1, { run: "after" }));
    spent += 1;
    await alarm(e);
    await look();
    expect(seen).toBe(spent);
    expect((await e.get("runs?limit=100")).rows).toHaveLength(spent);
    expect((await e.gauge()).used_micros).toBe(spent * CREDIT);
    expect((await e.audit()).checks.filter(({ ok }: { ok: boolean }) => !ok)).toEqual([]);
    expect((await rowsIn(from, e)).rows).toBeGreaterThan(0);
    await endMove(e);
    expect(await rowsIn(from, e)).toEqual({ rows: 0, row: from === "DB_EU" ? "DB_EU_1" : "none" });
    expect((await rowsIn(to, e)).row).toBe("copy");
    await look();
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    const listed = await searchEnterprises(directories(), e.id, 10, null);
    expect(listed.map(({ id }) => id)).toEqual([e.id]);
  });

  it("refuses a database that is not bound, in another jurisdiction, or that has the copy already", async () => {
    const e = await inEu();
    for (const shard of ["DB", "DB_EU_2", "DB_US", "", "SIGNING_SECRET", await shardOf(e)]) {
      expect(invalidPaths(await operator("POST", `${e.path}/move-copy`, { shard }))).toEqual(["shard"]);
    }
    const id = freshId();
    expectProblem(await operator("POST", `/v1/enterprises/${id}/move-copy`, { shard: "DB" }), 404, "not_found");
  });
});
