/** The operator's lists over all enterprises: found by any word, each once, and with no more rows read than are shown. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { readNewestEnterprises, readPressingEnterprises, searchEnterprises } from "../../src/copy/read-enterprises.ts";
import { searchKeysOf } from "../../src/copy/search-keys.ts";
import { auditFaults, CREDIT, copyNow, costing, freshId, newEnterprise, operator } from "./api.ts";
import { counting } from "./count-rows-read.ts";

const MANY = 20_000;

const found = async (typed: string) => (await searchEnterprises(env.DB, typed, 20, null)).map(({ id }) => id);

/** Every page of a list, until there is none. */
async function walk<R, P>(read: (after: P | null) => Promise<R[]>, size: number, placeOf: (row: R) => P): Promise<R[]> {
  const rows: R[] = [];
  for (let after: P | null = null; ; ) {
    const page: R[] = await read(after);
    rows.push(...page.slice(0, size));
    const last = page[size - 1];
    if (page.length <= size || last === undefined) return rows;
    after = placeOf(last);
  }
}

describe("a search", () => {
  it("finds an enterprise by the beginning of its id or name, or of any word of them, whatever the case and accents", async () => {
    const id = `zeta-${freshId()}`;
    const { put } = await newEnterprise({ name: "Müller & Söhne Robotics" }, id);
    await copyNow(id);
    const typed = ["zeta", "ZETA-", id, "muller", "Müller & S", "sohne robo", "robotics", "  Robotics  "];
    for (const words of typed) expect(await found(words), words).toEqual([id]);
    for (const words of ["eta", "obotics", "müllers", "robotics gmbh", "-", "", "  "]) {
      expect(await found(words), words).toEqual([]);
    }
    await put({ name: "Hooli" });
    await copyNow(id);
    expect(await found("robotics")).toEqual([]);
    expect(await found("hool")).toEqual([id]);
    expect(
      await auditFaults({ audit: async () => (await operator("GET", `/v1/enterprises/${id}/audit`)).body }),
    ).toEqual([]);
  });

  it("shows an enterprise once, by however many words it is found, on whatever page", async () => {
    const ids = await Promise.all(
      Array.from({ length: 7 }, async () => (await newEnterprise({ name: "Quux quux Quuz" }, `quu-${freshId()}`)).id),
    );
    await Promise.all(ids.map(copyNow));
    const rows = await walk(
      (after: { key: string; id: string } | null) => searchEnterprises(env.DB, "qu", 3, after),
      3,
      ({ key, id }) => ({ key, id }),
    );
    expect(rows.map(({ id }) => id).sort()).toEqual(ids.sort());
  });

  it("tells whether an enterprise is suspended, and forgets one whose copy was deleted", async () => {
    const e = await newEnterprise({ name: "Wonka Works", suspended: true });
    await copyNow(e.id);
    expect(await searchEnterprises(env.DB, "wonka", 1, null)).toMatchObject([{ suspended: true, id: e.id }]);
    await e.put({ suspended: false });
    await copyNow(e.id);
    expect(await searchEnterprises(env.DB, "wonka", 1, null)).toMatchObject([{ suspended: false }]);
    await env.DB.prepare("DELETE FROM enterprise_search WHERE enterprise = ?").bind(e.id).run();
    expect(await auditFaults(e)).toEqual([expect.stringMatching(/^copy_equals_ledger: enterprise_search .* missing$/)]);
    await env.DB.prepare("UPDATE enterprises SET suspended = 1 WHERE id = ?").bind(e.id).run();
    expect((await auditFaults(e)).join()).toContain("enterprises: suspended is 1, the ledger says 0");
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect(await auditFaults(e)).toEqual([]);
    expect(await found("works")).toEqual([e.id]);
  });
});

it("lists those that ask for attention, the most pressing first, and no other", async () => {
  const running = await newEnterprise({ monthly_allowance_micros: 100 * CREDIT });
  const out = await newEnterprise({ monthly_allowance_micros: CREDIT });
  const calm = await newEnterprise();
  await running.debit(costing(60));
  await out.debit(costing(1));
  for (const { id } of [running, out, calm]) await copyNow(id);
  const listed = async () =>
    (await readPressingEnterprises(env.DB, 100, null))
      .filter(({ id }) => [running.id, out.id, calm.id].includes(id))
      .map(({ id, attention }) => [id, attention]);
  expect(await listed()).toEqual([
    [out.id, 2],
    [running.id, 1],
  ]);
  await operator("POST", `${out.path}/grants`, { id: "g", amount_micros: 9 * CREDIT, source: "goodwill" });
  await calm.put({ suspended: true });
  for (const { id } of [out, calm]) await copyNow(id);
  expect((await listed())[0]).toEqual([calm.id, 2]);
});

describe("among very many enterprises", () => {
  beforeAll(async () => {
    const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${MANY})`;
    const gauge = JSON.stringify({ name: "Many" });
    await env.DB.batch([
      env.DB.prepare(
        `${numbers} INSERT INTO enterprises (id, created_at_ms, name, attention, gauge, revision)
          SELECT 'many-' || i, i / 2, 'Many ' || i, i % 3, '${gauge}', 1 FROM n`,
      ),
      env.DB.prepare(
        `${numbers} INSERT INTO enterprise_search (enterprise, key)
          SELECT 'many-' || i, value || i FROM n, json_each('["many ", ""]')`,
      ),
    ]);
    expect(searchKeysOf("many-7", "Many 7")).toEqual(["many 7", "7"]);
  });

  it.each([
    ["the newest", (db: D1Database) => readNewestEnterprises(db, 10, null)],
    ["a later page", (db: D1Database) => readNewestEnterprises(db, 10, { createdAtMs: 5_000, id: "many-10001" })],
    ["those that ask for attention", (db: D1Database) => readPressingEnterprises(db, 10, null)],
    [
      "a later page of those",
      (db: D1Database) => readPressingEnterprises(db, 10, { attention: 1, createdAtMs: 5_000, id: "many-10000" }),
    ],
    ["a search that finds all", (db: D1Database) => searchEnterprises(db, "many", 10, null)],
    ["a later page of it", (db: D1Database) => searchEnterprises(db, "many", 10, { key: "many 5", id: "many-5" })],
    ["a search that finds one", (db: D1Database) => searchEnterprises(db, "12345", 10, null)],
  ])("reads only a page of rows for %s", async (_, read) => {
    const counts = { rows: 0 };
    expect((await read(counting(env.DB, counts))).length).toBeGreaterThan(0);
    // A row of the index, one of the enterprise, and a look whether it was found before; each for a page and one more.
    expect(counts.rows).toBeLessThanOrEqual(11 * 3 + 2);
  });

  it("walks all of them once, newest first, those made at one moment too", async () => {
    const rows = await walk(
      (after: { createdAtMs: number; id: string } | null) => readNewestEnterprises(env.DB, 1_000, after),
      1_000,
      ({ createdAtMs, id }) => ({ createdAtMs, id }),
    );
    const many = rows.filter(({ id }) => id.startsWith("many-"));
    expect(new Set(many.map(({ id }) => id)).size).toBe(MANY);
    expect(many.length).toBe(MANY);
    expect(many.map(({ createdAtMs }) => createdAtMs)).toEqual(
      many.map((row) => row.createdAtMs).toSorted((a, b) => b - a),
    );
  });
});
