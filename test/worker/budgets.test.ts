// Budgets over HTTP (rule R14): setting them, what they block, who sees them, and when they are announced.
import { describe, expect, it } from "vitest";
import { auditFailures, CREDIT, costing, expectProblem, invalidPaths, newEnterprise, operator, start } from "./api.ts";
import { EDITOR_ORIGIN, embedToken, sessionCookie } from "./sessions.ts";

async function withBudgets(settings: Record<string, unknown> = {}) {
  const e = await newEnterprise(settings);
  const path = `/v1/enterprises/${e.id}/budgets`;
  const put = (of: string, limit_micros: number | null, more = {}) =>
    operator("PUT", `${path}/${of}`, { limit_micros, ...more });
  const list = async (query = "") => (await operator("GET", `${path}${query}`)).body;
  const of = async (scope: string) => (await operator("GET", `${path}/${scope}`)).body.rows;
  return { ...e, path, put, list, of, remove: (key: string) => operator("DELETE", `${path}/${key}`) };
}

describe("setting a budget", () => {
  it("answers 201, then 200, with what is used and held of it", async () => {
    const e = await withBudgets();
    await e.debit(costing(30, { final: false }));
    await e.start(start({ run: "run-2", hold_micros: 5 * CREDIT }));
    const created = await e.put("user/u1/day", 60 * CREDIT);
    expect(created).toMatchObject({ status: 201 });
    expect(created.body).toEqual({
      dimension: "user",
      id: "u1",
      name: "u1",
      period: "day",
      limit_micros: 60 * CREDIT,
      action: "block",
      unit: "credits",
      active: true,
      used_micros: 30 * CREDIT,
      held_micros: 5 * CREDIT,
      remaining_micros: 30 * CREDIT,
      used_percent: 50,
      resets_at: "2026-03-11T00:00:00.000Z",
      inherited: false,
    });
    expect(await e.put("user/u1/day", 20 * CREDIT, { action: "warn" })).toMatchObject({
      status: 200,
      body: { action: "warn", remaining_micros: 0, used_percent: 150 },
    });
    expect((await e.put("user/u1/cycle", null)).body).toMatchObject({ limit_micros: null, remaining_micros: null });
    expect((await e.remove("user/u1/cycle")).status).toBe(204);
    expectProblem(await e.remove("user/u1/cycle"), 404, "not_found");
    expect(await auditFailures(e)).toEqual([]);
  });

  it("refuses what no budget can be", async () => {
    const e = await withBudgets();
    expect(invalidPaths(await e.put("user/*/day", null))).toEqual(["limit_micros"]);
    expect(invalidPaths(await e.put("user/u1/day", -1))).toEqual(["limit_micros"]);
    expect(invalidPaths(await e.put("user/u1/day", 5, { action: "stop" }))).toEqual(["action"]);
    expect(invalidPaths(await e.put("model/ada/day", 5))).toEqual(["dimension"]);
    expect(invalidPaths(await e.put("user/u1/week", 5))).toEqual(["period"]);
    expect(invalidPaths(await operator("PUT", `${e.path}/user/u1/day`, {}))).toEqual(["limit_micros"]);
    expect(await e.list()).toEqual({ rows: [], next_cursor: null });
  });

  it("is recorded in the journal, and only if something changes", async () => {
    const e = await withBudgets();
    await e.put("group/core/cycle", 9 * CREDIT);
    await e.put("group/core/cycle", 9 * CREDIT);
    await e.remove("group/core/cycle");
    const terms = { limit_micros: 9 * CREDIT, action: "block", unit: "credits" };
    const { rows } = await e.get("entries");
    expect(rows.filter(({ type }: { type: string }) => type === "budget_changed")).toMatchObject([
      { by: "operator", dimension: "group", id: "core", period: "cycle", from: terms, to: null },
      { from: null, to: terms },
    ]);
  });
});

describe("a start that does not fit", () => {
  it("is 402 budget_exhausted and names the blocking budget with the least available", async () => {
    const e = await withBudgets({ upgrade_url: "https://platform.example/upgrade" });
    await e.put("workspace/*/cycle", 50 * CREDIT);
    await e.put("user/*/day", 40 * CREDIT);
    await e.debit(costing(38, { final: true }));
    const refused = expectProblem(
      await e.start(start({ run: "run-2", hold_micros: 3 * CREDIT })),
      402,
      "budget_exhausted",
    );
    expect(refused).toMatchObject({
      budget: {
        dimension: "user",
        id: "u1",
        period: "day",
        limit_micros: 40 * CREDIT,
        used_micros: 38 * CREDIT,
        held_micros: 0,
        resets_at: "2026-03-11T00:00:00.000Z",
      },
      resets_at: "2026-03-11T00:00:00.000Z",
      upgrade_url: "https://platform.example/upgrade",
      gauge: { used_micros: 38 * CREDIT },
    });
    expect((await e.start(start({ run: "run-2", hold_micros: 2 * CREDIT }))).status).toBe(201);
    // What the default allows others is not used by ada.
    expect((await e.start(start({ run: "run-3", user: "bob", hold_micros: 10 * CREDIT }))).status).toBe(201);
    await e.put("user/u1/day", null);
    expect((await e.start(start({ run: "run-4" }))).body.code).toBe("budget_exhausted");
    await e.put("workspace/*/cycle", 500 * CREDIT);
    expect((await e.start(start({ run: "run-4" }))).status).toBe(201);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("asks a run in progress to wind down and to stop", async () => {
    const e = await withBudgets();
    await e.put("group/none/day", 100 * CREDIT);
    const use = async (credits: number) => (await e.debit(costing(credits, { final: false }))).body;
    expect(await use(94)).toMatchObject({ action: "continue", reason: null });
    expect(await use(95)).toMatchObject({ action: "wind_down", reason: null });
    expect(await use(100)).toMatchObject({ action: "stop", reason: "budget_exhausted" });
    await e.put("group/none/day", 100 * CREDIT, { action: "warn" });
    expect(await use(120)).toMatchObject({ action: "continue", reason: null });
  });

  it("fits again on the next day, and in the unit of the billing model only", async () => {
    const e = await withBudgets();
    await e.put("user/u1/day", 10 * CREDIT);
    await e.debit(costing(10, { final: true }));
    expect((await e.start(start({ run: "run-2" }))).body.code).toBe("budget_exhausted");
    await operator("POST", `/v1/enterprises/${e.id}/test-clock`, { now: "2026-03-11T00:00:00Z" });
    expect((await e.start(start({ run: "run-2" }))).status).toBe(201);
    await operator("PUT", `/v1/enterprises/${e.id}`, { billing_model: "byom" });
    expect(await e.of("user/u1")).toMatchObject([{ unit: "credits", active: false, used_micros: 0 }]);
    await e.put("user/u1/day", 0);
    expect(await e.of("user/u1")).toMatchObject([{ unit: "usd", active: true, limit_micros: 0 }]);
    expect((await e.start(start({ run: "run-3", started_at: "2026-03-11T00:00:00Z" }))).body.code).toBe(
      "budget_exhausted",
    );
  });
});

describe("the list of budgets", () => {
  it("shows the default first, without sums, in pages that add up", async () => {
    const e = await withBudgets();
    for (const of of ["user/zoe/day", "user/u1/cycle", "user/u1/day", "user/*/day", "workspace/w/day"]) {
      await e.put(of, 5 * CREDIT);
    }
    const keys = (rows: Record<string, string>[]) => rows.map((row) => `${row.dimension}/${row.id}/${row.period}`);
    const { rows } = await e.list();
    expect(keys(rows)).toEqual(["workspace/w/day", "user/*/day", "user/u1/day", "user/u1/cycle", "user/zoe/day"]);
    expect(rows[1]).toMatchObject({ used_micros: null, held_micros: null, remaining_micros: null, used_percent: null });
    const paged: Record<string, string>[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page = await e.list(`?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
      paged.push(...page.rows);
      cursor = page.next_cursor;
    }
    expect(keys(paged)).toEqual(keys(rows));
    expect(keys((await e.list("?dimension=workspace")).rows)).toEqual(["workspace/w/day"]);
    expect(await e.of("user/kim")).toMatchObject([{ id: "kim", period: "day", inherited: true, used_micros: 0 }]);
    expect(await e.of("user/*")).toMatchObject([{ id: "*", inherited: false, used_micros: null }]);
    expect(await e.of("group/core")).toEqual([]);
  });
});

describe("who sees budgets", () => {
  it("a member sees only their own, also in the gauge; a key's gauge has none", async () => {
    const e = await withBudgets();
    await e.put("user/*/day", 50 * CREDIT);
    await e.put("user/bob/day", 60 * CREDIT);
    await e.debit(costing(12, { final: false }));
    const member = await sessionCookie(e.id, { user: "u1", role: "member" });
    const read = async (path: string, headers: Record<string, string>) => {
      const { senderWith } = await import("./api.ts");
      return senderWith(null)("GET", path, undefined, { headers });
    };
    const base = `/v1/enterprises/${e.id}`;
    const row = { id: "u1", inherited: true, used_micros: 12 * CREDIT, limit_micros: 50 * CREDIT };
    expect((await read(`${base}/gauge`, member)).body.my_budgets).toMatchObject([row]);
    expect((await read(`${e.path}/user/u1`, member)).body.rows).toMatchObject([row]);
    expect((await read(e.path, member)).body.rows).toEqual([]);
    for (const other of ["user/bob", "user/*", "group/none", "workspace/web-shop"]) {
      expectProblem(await read(`${e.path}/${other}`, member), 404, "not_found");
    }
    const admin = await sessionCookie(e.id, { user: "bob", role: "admin" });
    expect((await read(e.path, admin)).body.rows).toHaveLength(2);
    expect((await read(`${e.path}/user/u1`, admin)).body.rows).toMatchObject([row]);
    const embed = { Authorization: `Bearer ${await embedToken(e.id, { user: "bob" })}`, Origin: EDITOR_ORIGIN };
    expect((await read(`${base}/gauge`, embed)).body.my_budgets).toMatchObject([{ id: "bob", inherited: false }]);
    expect(await e.get("gauge")).not.toHaveProperty("my_budgets");
  });
});

describe("concurrent starts", () => {
  it("admit exactly those that fit overlapping budgets and a nearly empty balance", async () => {
    const e = await withBudgets({ monthly_allowance_micros: 40 * CREDIT });
    await e.put("user/*/day", 12 * CREDIT);
    await e.put("workspace/*/cycle", 15 * CREDIT);
    await e.put("group/none/day", 33 * CREDIT);
    const users = ["u0", "u1", "u2", "u3", "u4"];
    const answers = await Promise.all(
      Array.from({ length: 300 }, (_, i) => {
        const who = { user: users[i % 5], workspace: `w${i % 3}` };
        return e.start(start({ run: `run-${i}`, ...who, hold_micros: CREDIT }));
      }),
    );
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(33);
    expect(answers.filter(({ body }) => body.code === "budget_exhausted")).toHaveLength(267);
    const [group] = await e.of("group/none");
    expect(group).toMatchObject({ held_micros: 33 * CREDIT });
    for (const user of users) expect((await e.of(`user/${user}`))[0].held_micros).toBeLessThanOrEqual(12 * CREDIT);
    expect(await auditFailures(e)).toEqual([]);
  });
});
