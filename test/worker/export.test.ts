// GET …/export: NDJSON lines with stable ids, and a last line with the place of the next page.
import { describe, expect, it } from "vitest";
import { CREDIT, costing, expectProblem, invalidPaths, newEnterprise, operator, projectNow } from "./api.ts";

type Line = { id: string; removed?: true; next?: string | null } & Record<string, unknown>;

async function exported(path: string, query: string) {
  const answer = await operator("GET", `${path}/export?${query}`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("Content-Type")).toMatch(/^application\/x-ndjson/);
  const lines = answer.text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Line);
  const { next, ...rest } = lines.pop() as Line;
  expect(rest).toEqual({});
  return { lines, next: next as string | null };
}

describe("the export", () => {
  it("gives runs as the list does, in pages that can be resumed while debits arrive", async () => {
    const e = await newEnterprise();
    for (let i = 0; i < 9; i++) await e.debit(costing(1, { run: `r${i}` }));
    const rows = new Map<string, Line>();
    let next: string | null = "";
    let resumed = 0;
    for (let last = ""; next !== null; resumed++) {
      const page = await exported(e.path, `kind=runs&limit=2${last === "" ? "" : `&after=${last}`}`);
      expect(page.lines.length).toBeLessThanOrEqual(2);
      for (const line of page.lines) rows.set(line.id, line);
      next = page.next;
      last = next ?? last;
      if (resumed < 10)
        await e.debit([costing(2 + resumed, { run: "r0" }), costing(1, { run: `a${resumed}` })][resumed % 2]);
    }
    expect(resumed).toBeGreaterThan(6);
    await projectNow(e.id);
    const listed = (await e.get("runs?limit=100")).rows;
    expect(
      [...rows.values()].map(({ id, ...run }) => run).sort((a, b) => (String(a.run) < String(b.run) ? -1 : 1)),
    ).toEqual(listed.toSorted((a: Line, b: Line) => (String(a.run) < String(b.run) ? -1 : 1)));
  });

  it("gives the journal in its order, and ends with null", async () => {
    const e = await newEnterprise();
    await e.grant({ id: "g1" });
    const { lines, next } = await exported(e.path, "kind=entries");
    expect(next).toBeNull();
    expect(lines.map(({ id: _, ...entry }) => entry)).toEqual(await e.entries());
  });

  it("refuses wrong queries, cursors of another kind, and unknown enterprises", async () => {
    const e = await newEnterprise();
    await e.debit(costing(1));
    await e.debit(costing(1, { run: "run-2" }));
    const get = (query: string) => operator("GET", `${e.path}/export${query}`);
    expect(invalidPaths(await get(""))).toEqual(["kind"]);
    expect(invalidPaths(await get("?kind=everything&limit=10001"))).toEqual(["kind", "limit"]);
    expect(invalidPaths(await get("?kind=runs&after=nonsense"))).toEqual(["after"]);
    const { next } = await exported(e.path, "kind=runs&limit=1");
    expect(invalidPaths(await get(`?kind=entries&after=${next}`))).toEqual(["after"]);
    expectProblem(await operator("GET", "/v1/enterprises/nobody/export?kind=runs"), 404, "not_found");
    expectProblem(await e.agent("GET", `${e.path}/export?kind=runs`), 403, "scope_denied");
  });

  it("gives more rows than one page of the object has", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10_000 * CREDIT });
    for (let batch = 0; batch < 2; batch++) {
      const reports = Array.from({ length: 600 }, (_, i) => costing(1, { run: `r${batch}-${i}` }));
      expect((await e.debit({ reports })).status).toBe(200);
    }
    const { lines, next } = await exported(e.path, "kind=runs");
    expect(new Set(lines.map(({ id }) => id)).size).toBe(1_200);
    expect(next).toBeNull();
  });
});
