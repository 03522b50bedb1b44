// Imported history: it appears in charts, tables, cycles and exports, and never in a balance.
import { describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  invalidPaths,
  newEnterprise,
  operator,
  projectNow,
  senderWith,
} from "./api.ts";
import { sessionCookie } from "./sessions.ts";

const row = (over: Record<string, unknown> = {}) => ({
  ...{ day: "2026-02-10", surface: "web", workspace: "w1", user: "u1", model: "gpt-5", requests: 3 },
  ...{ amount_micros: 2 * CREDIT, usage: { input_tokens: 100, output_tokens: 7 } },
  ...over,
});

const load = (e: Enterprise, rows: unknown[], unit = "credits") =>
  operator("POST", `${e.path}/history`, { unit, rows });

/** The test clock shows 10 March 2026, so the first cycle starts on 1 March. */
async function imported(rows: unknown[]): Promise<Enterprise> {
  const e = await newEnterprise();
  await e.debit(costing(1));
  const answer = await load(e, rows);
  expect([answer.status, answer.body]).toEqual([200, { rows: rows.length }]);
  await projectNow(e.id);
  return e;
}

describe("imported history", () => {
  it("has a page for each of its months, which the picker of cycles lists", async () => {
    const e = await imported([row(), row({ day: "2025-12-24", amount_micros: 5 * CREDIT })]);
    const headers = await sessionCookie(e.id);
    const page = (query: string) => senderWith(null)("GET", `/settings/usage${query}`, undefined, { headers });
    const months = ["2026-02-01T00:00:00.000Z", "2025-12-01T00:00:00.000Z"].map(encodeURIComponent);
    const { text } = await page("");
    expect(months.map((month) => text.includes(`cycle=${month}`))).toEqual([true, true]);
    const headline = /<p class="headline">.*?<\/p>/s;
    const shown = await Promise.all(
      months.map(async (month) => headline.exec((await page(`?cycle=${month}`)).text)?.[0]),
    );
    expect(shown.map((html) => html?.replace(/<[^>]+>/g, ""))).toEqual([
      "2.0 credits used in this cycle",
      "5.0 credits used in this cycle",
    ]);
    expect((await page(`?cycle=${encodeURIComponent("2026-01-01T00:00:00.000Z")}`)).status).toBe(404);
  });

  it("appears in charts and in the table of its month, and changes no balance", async () => {
    const before = await newEnterprise();
    await before.debit(costing(1));
    const e = await imported([
      row(),
      row({ user: "u2", amount_micros: 5 * CREDIT, requests: 1 }),
      row({ day: "2025-12-24" }),
    ]);
    const { enterprise: _, as_of: _a, seq: _s, name: _n, ...gauge } = await e.gauge();
    const { enterprise: _b, as_of: _c, seq: _d, name: _m, ...unchanged } = await before.gauge();
    expect(gauge).toEqual(unchanged);
    const { buckets } = await e.get("usage/timeseries?from=2025-12-01&to=2026-03-10&granularity=month");
    expect(buckets.map((bucket: { web_micros: number }) => bucket.web_micros / CREDIT)).toEqual([2, 0, 7, 1]);
    const february = encodeURIComponent("2026-02-01T00:00:00.000Z");
    const top = await e.get(`usage/top/users?cycle=${february}`);
    expect(top.total_micros).toBe(7 * CREDIT);
    expect(top.rows).toMatchObject([
      { id: "u2", requests: 1, amount_micros: 5 * CREDIT },
      { id: "u1", requests: 3, amount_micros: 2 * CREDIT },
    ]);
    const filtered = await e.get(`usage/top/models?cycle=${february}&user=u1`);
    expect(filtered.rows).toMatchObject([
      { id: "gpt-5", amount_micros: 2 * CREDIT, usage: { input_tokens: 100, output_tokens: 7 } },
    ]);
    expect((await e.get(`usage/kinds?cycle=${february}`)).total_micros).toBe(7 * CREDIT);
    expectProblem(
      await e.agent("GET", `${e.path}/usage/top/users?cycle=${encodeURIComponent("2026-01-01T00:00:00.000Z")}`),
      404,
      "not_found",
    );
    expect(await auditFailures(e)).toEqual([]);
  });

  it("replaces a row with the same key, also within one call, and a repeated import changes nothing", async () => {
    const e = await imported([row(), row({ amount_micros: 4 * CREDIT, requests: 1 })]);
    const total = async () =>
      (await e.get("usage/timeseries?from=2026-02-10&to=2026-02-10&granularity=day")).buckets[0].web_micros;
    expect(await total()).toBe(4 * CREDIT);
    for (const amount of [CREDIT, CREDIT, 0]) {
      await load(e, [row({ amount_micros: amount, usage: {} })]);
      await projectNow(e.id);
      expect(await total()).toBe(amount);
      expect(await auditFailures(e)).toEqual([]);
    }
  });

  it("is exported by day, and survives a rebuild", async () => {
    const e = await imported([row({ group: "g1" })]);
    await operator("POST", `${e.path}/rebuild`);
    expect(await auditFailures(e)).toEqual([]);
    const lines = (await operator("GET", `${e.path}/export?kind=usage`)).text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(lines[0]).toMatchObject({
      ...{ day: "2026-02-10", group: "g1", user: "u1", requests: 3, amount_micros: 2 * CREDIT, unit: "credits" },
      ...{ tier: "standard", usage: { input_tokens: 100, output_tokens: 7 } },
    });
    expect(lines.at(-1)).toEqual({ next: null });
    const runs = (await operator("GET", `${e.path}/export?kind=runs`)).text.trim().split("\n");
    expect(runs).toHaveLength(2);
  });

  it("books a person who was erased under the replacement, when the same rows are imported again", async () => {
    const e = await imported([row()]);
    expect((await operator("POST", `${e.path}/users/u1/erase`)).status).toBe(202);
    await load(e, [row({ amount_micros: 6 * CREDIT })]);
    await projectNow(e.id);
    const { rows } = await e.get(`usage/top/users?cycle=${encodeURIComponent("2026-02-01T00:00:00.000Z")}`);
    expect(rows).toMatchObject([{ id: expect.stringMatching(/^erased-/), requests: 3, amount_micros: 6 * CREDIT }]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("refuses the whole call for one wrong row, and names it", async () => {
    const e = await newEnterprise();
    const wrong = [row(), row({ day: "2026-03-01" }), row({ day: "2025-01-01" }), row({ day: "2026-03-09" })];
    expect(invalidPaths(await load(e, wrong))).toEqual(["rows.1.day", "rows.2.day", "rows.3.day"]);
    expect(invalidPaths(await load(e, [row({ day: "2026-02-30" }), row({ amount_micros: -1 })]))).toEqual([
      "rows.0.day",
      "rows.1.amount_micros",
    ]);
    const { body } = await load(e, [row({ requests: 1_000_000_000_001 })]);
    expect(body.errors).toEqual([{ path: "rows.0.requests", message: "must be at most 1000000000000" }]);
    expect(invalidPaths(await load(e, []))).toEqual(["rows"]);
    expect(invalidPaths(await load(e, Array(1_001).fill(row())))).toEqual(["rows"]);
    expect(invalidPaths(await load(e, [row()], "eur"))).toEqual(["unit"]);
    expectProblem(
      await load(e, [row({ amount_micros: Number.MAX_SAFE_INTEGER }), row({ user: "u2" })]),
      422,
      "charge_too_large",
    );
    await projectNow(e.id);
    expect((await operator("GET", `${e.path}/export?kind=usage`)).text).toBe('{"next":null}\n');
    expectProblem(
      await operator("POST", "/v1/enterprises/nobody/history", { unit: "usd", rows: [row()] }),
      404,
      "not_found",
    );
  });
});
