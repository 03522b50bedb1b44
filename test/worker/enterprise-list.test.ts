/** The operator's list and search over all enterprises: what they find, in which order, and how many rows they read. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { filterEnterprises, type ListPlace, MAX_SCANNED, MAX_SCANS } from "../../src/copy/filter-enterprises.ts";
import { readNewestEnterprises, readPressingEnterprises, searchEnterprises } from "../../src/copy/read-enterprises.ts";
import { searchKeysOf } from "../../src/copy/search-keys.ts";
import { auditFailures, CREDIT, costing, freshId, newEnterprise, operator, projectNow } from "./api.ts";
import { countRowsRead } from "./count-rows-read.ts";

const MANY = 20_000;

const idsFound = async (query: string) => (await searchEnterprises([env.DB], query, 20, null)).map(({ id }) => id);

/** All rows of a list, read page by page. */
async function readAllPages<R, P>(
  read: (after: P | null) => Promise<R[]>,
  size: number,
  positionOf: (row: R) => P,
): Promise<R[]> {
  const rows: R[] = [];
  for (let after: P | null = null; ; ) {
    const page: R[] = await read(after);
    rows.push(...page.slice(0, size));
    const last = page[size - 1];
    if (page.length <= size || last === undefined) return rows;
    after = positionOf(last);
  }
}

describe("a search", () => {
  it("finds an enterprise by the start of any word of its id or name, ignoring case and accents", async () => {
    const id = `zeta-${freshId()}`;
    const { put } = await newEnterprise({ name: "Müller & Söhne Robotics" }, id);
    await projectNow(id);
    const matching = ["zeta", "ZETA-", id, "muller", "Müller & S", "sohne robo", "robotics", "  Robotics  "];
    for (const words of matching) expect(await idsFound(words), words).toEqual([id]);
    for (const words of ["eta", "obotics", "müllers", "robotics gmbh", "-", "", "  "]) {
      expect(await idsFound(words), words).toEqual([]);
    }
    await put({ name: "Hooli" });
    await projectNow(id);
    expect(await idsFound("robotics")).toEqual([]);
    expect(await idsFound("hool")).toEqual([id]);
    expect(
      await auditFailures({ audit: async () => (await operator("GET", `/v1/enterprises/${id}/audit`)).body }),
    ).toEqual([]);
  });

  it("lists an enterprise once when several of its words match, across all pages", async () => {
    const ids = await Promise.all(
      Array.from({ length: 7 }, async () => (await newEnterprise({ name: "Quux quux Quuz" }, `quu-${freshId()}`)).id),
    );
    await Promise.all(ids.map(projectNow));
    const rows = await readAllPages(
      (after: { key: string; id: string } | null) => searchEnterprises([env.DB], "qu", 3, after),
      3,
      ({ key, id }) => ({ key, id }),
    );
    expect(rows.map(({ id }) => id).sort()).toEqual(ids.sort());
  });

  it("shows whether an enterprise is suspended, and is part of the audit and the rebuild", async () => {
    const e = await newEnterprise({ name: "Wonka Works", suspended: true });
    await projectNow(e.id);
    expect(await searchEnterprises([env.DB], "wonka", 1, null)).toMatchObject([{ suspended: true, id: e.id }]);
    await e.put({ suspended: false });
    await projectNow(e.id);
    expect(await searchEnterprises([env.DB], "wonka", 1, null)).toMatchObject([{ suspended: false }]);
    await env.DB.prepare("DELETE FROM enterprise_search WHERE enterprise = ?").bind(e.id).run();
    expect(await auditFailures(e)).toEqual([
      expect.stringMatching(/^copy_equals_ledger: enterprise_search .* missing$/),
    ]);
    await env.DB.prepare("UPDATE enterprises SET suspended = 1 WHERE id = ?").bind(e.id).run();
    expect((await auditFailures(e)).join()).toContain("enterprises: suspended is 1, the ledger says 0");
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect(await auditFailures(e)).toEqual([]);
    expect(await idsFound("works")).toEqual([e.id]);
  });
});

it("lists only enterprises that need attention, the most urgent first", async () => {
  const runningOut = await newEnterprise({ monthly_allowance_micros: 100 * CREDIT });
  const exhausted = await newEnterprise({ monthly_allowance_micros: CREDIT });
  const calm = await newEnterprise();
  await runningOut.debit(costing(60));
  await exhausted.debit(costing(1));
  for (const { id } of [runningOut, exhausted, calm]) await projectNow(id);
  const listed = async () =>
    (await readPressingEnterprises([env.DB], 100, null))
      .filter(({ id }) => [runningOut.id, exhausted.id, calm.id].includes(id))
      .map(({ id, attention }) => [id, attention]);
  expect(await listed()).toEqual([
    [exhausted.id, 2],
    [runningOut.id, 1],
  ]);
  await operator("POST", `${exhausted.path}/grants`, { id: "g", amount_micros: 9 * CREDIT, source: "goodwill" });
  await calm.put({ suspended: true });
  for (const { id } of [exhausted, calm]) await projectNow(id);
  expect((await listed())[0]).toEqual([calm.id, 2]);
});

describe("with 20,000 enterprises", () => {
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
    ["the first page of the newest", (db: D1Database) => readNewestEnterprises([db], 10, null)],
    [
      "a later page of the newest",
      (db: D1Database) => readNewestEnterprises([db], 10, { createdAtMs: 5_000, id: "many-10001" }),
    ],
    ["those that need attention", (db: D1Database) => readPressingEnterprises([db], 10, null)],
    [
      "a later page of those that need attention",
      (db: D1Database) => readPressingEnterprises([db], 10, { attention: 1, createdAtMs: 5_000, id: "many-10000" }),
    ],
    ["a search that matches all", (db: D1Database) => searchEnterprises([db], "many", 10, null)],
    [
      "a later page of that search",
      (db: D1Database) => searchEnterprises([db], "many", 10, { key: "many 5", id: "many-5" }),
    ],
    ["a search that matches one", (db: D1Database) => searchEnterprises([db], "12345", 10, null)],
  ])("reads only the rows of one page: %s", async (_, read) => {
    const counts = { rows: 0 };
    expect((await read(countRowsRead(env.DB, counts))).length).toBeGreaterThan(0);
    // For each row of a page and one more: the index, the enterprise, and whether it was listed before.
    expect(counts.rows).toBeLessThanOrEqual(11 * 3 + 2);
  });

  it.each([false, true])("finds the few with a state and a billing model among all, by id: %s", async (byId) => {
    const gauge = (more: object) =>
      JSON.stringify({ billing_model: "byom", plan: "p", remaining_micros: 5, debt_micros: 0, spend: {}, ...more });
    // The first, one in the middle, the last, and some that lack one of what is asked for.
    const wanted = [1, 9_000, 9_001, 15_500, 20_000];
    const update = env.DB.prepare("UPDATE enterprises SET gauge = ?, suspended = ? WHERE id = ?");
    await env.DB.batch([
      ...wanted.map((i) => update.bind(gauge({ remaining_micros: 0 }), 0, `many-${i}`)),
      update.bind(gauge({ remaining_micros: 0, billing_model: "credits" }), 0, "many-9002"),
      update.bind(gauge({ remaining_micros: 0, plan: "q" }), 0, "many-9003"),
      update.bind(gauge({}), 1, "many-9004"),
    ]);
    const filter = { state: "out", billing: "byom", plan: "p" } as const;
    const found: string[] = [];
    let pages = 0;
    for (let after: ListPlace | null = null; ; pages++) {
      const counts = { rows: 0 };
      const db = countRowsRead(env.DB, counts);
      const page: { rows: { id: string }[]; next: ListPlace | null } = await filterEnterprises([db], filter, {
        ...{ byId, after, limit: 2 },
      });
      expect(page.rows.length).toBeLessThanOrEqual(2);
      expect(counts.rows).toBeLessThanOrEqual(MAX_SCANS * 4 * MAX_SCANNED);
      // A page stays empty only after it has read as often as it may.
      if (page.rows.length === 0 && page.next !== null) expect(counts.rows).toBeGreaterThan(MAX_SCANS * MAX_SCANNED);
      found.push(...page.rows.map(({ id }) => id));
      if (page.next === null) break;
      after = page.next;
    }
    const expected = wanted.map((i) => `many-${i}`);
    expect(found).toEqual(byId ? expected.toSorted() : expected.toReversed());
    expect(pages).toBeLessThan(MANY / MAX_SCANNED + wanted.length);
  });

  it("pages through all of them once, newest first, also those created at the same moment", async () => {
    const rows = await readAllPages(
      (after: { createdAtMs: number; id: string } | null) => readNewestEnterprises([env.DB], 1_000, after),
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
