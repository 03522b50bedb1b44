/**
 * Copies in several databases: `DB_EU` and `DB_EU_1` for enterprises in the EU, and `DB` for all others. The first database
 * of a jurisdiction is also its directory, from which the operator's lists are read.
 */
import { env } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { objectAt } from "../../src/catalog/addresses.ts";
import { catalogOf } from "../../src/catalog/object.ts";
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
  runAlarm,
} from "./api.ts";
import { alarm, endMove, move, newInEu, rowsIn, shardOf } from "./moves.ts";

const ENTERPRISES = Number((env as unknown as { SHARD_ENTERPRISES?: string }).SHARD_ENTERPRISES ?? 12);
const directories = () => ["DB", "DB_EU"].map((shard) => databaseAt(env, shard));

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

it(`spreads ${ENTERPRISES} enterprises over two databases, moves one under traffic, and lists all from the directory`, {
  timeout: 180_000 + ENTERPRISES * 15_000,
}, async () => {
  const [before, listedBefore] = [(await catalogOf(env).storage()).shards, await countEnterprises(directories())];
  const all: (Enterprise & { shard: string })[] = [];
  for (let i = 0; i < ENTERPRISES; i++) {
    const e = await newInEu({ name: `Spread ${i}` });
    await e.debit(costing(1 + i));
    await alarm(e);
    await expect.poll(async () => (await rowsIn("DB_EU", e)).row).not.toBe("none");
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

  // One of them moves while it and the others are debited.
  const [moved, ...others] = all as [(typeof all)[number], ...typeof all];
  const to = moved.shard === "DB_EU" ? "DB_EU_1" : "DB_EU";
  let debits = 0;
  await move(moved, to, async () => {
    const other = others[debits % others.length] as (typeof all)[number];
    debits += 1;
    await Promise.all([moved, other].map((e) => e.debit(costing(1, { run: `during-${debits}` }))));
    const seen = await Promise.all([moved, other].map((e) => e.get("usage/top/users")));
    expect(seen[0].total_micros).toBeGreaterThanOrEqual(CREDIT);
    expect(seen[1].total_micros).toBeGreaterThanOrEqual((1 + all.indexOf(other)) * CREDIT);
  });
  let usedMicros = 0;
  let copiedMicros = 0;
  for (const e of all) {
    await alarm(e);
    usedMicros += (await e.gauge()).used_micros;
    copiedMicros += (await e.get("usage/top/users")).total_micros;
  }
  const first = (ENTERPRISES * (ENTERPRISES + 1)) / 2;
  expect([usedMicros, copiedMicros]).toEqual(Array(2).fill((first + 2 * debits) * CREDIT));
  await endMove(moved);
  expect((await rowsIn(moved.shard, moved)).rows).toBe(0);
  expect((await moved.audit()).ok).toBe(true);
  expect(await searchEnterprises(directories(), "spread", ENTERPRISES + 100, null)).toHaveLength(ENTERPRISES);
});

it("merges the lists of all directories page by page, in one order, with nothing twice or missing", async () => {
  for (let i = 0; i < 3; i++) {
    for (const settings of [{}, { region: "eu" }, { region: "eu" }]) {
      const e = await newEnterprise({ ...settings, name: `Merge ${i}` });
      await runAlarm(objectAt(env, { enterprise: e.id, region: settings.region ?? "" }));
    }
  }
  await expect.poll(() => searchEnterprises(directories(), "merge", 100, null)).toHaveLength(9);
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
    let e = await newInEu();
    for (let tries = 0; tries < 10 && (await shardOf(e)) !== from; tries++) e = await newInEu();
    expect(await shardOf(e)).toBe(from);
    const to = from === "DB_EU" ? "DB_EU_1" : "DB_EU";
    for (let run = 0; run < 5; run++) await e.debit(costing(1, { run: `before-${run}` }));
    await alarm(e);
    await expect.poll(async () => (await e.get("usage/top/users")).total_micros).toBe(5 * CREDIT);
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
    const e = await newInEu();
    for (const shard of ["DB", "DB_EU_2", "DB_US", "", "SIGNING_SECRET", await shardOf(e)]) {
      expect(invalidPaths(await operator("POST", `${e.path}/move-copy`, { shard }))).toEqual(["shard"]);
    }
    const id = freshId();
    expectProblem(await operator("POST", `/v1/enterprises/${id}/move-copy`, { shard: "DB" }), 404, "not_found");
  });
});
