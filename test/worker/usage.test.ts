// Usage over time, by workspace, group and user, by run, and in the journal. All of it is read from the copy, except
// receipts and the journal.
import { describe, expect, it } from "vitest";
import {
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  NOON,
  newEnterprise,
  operator,
  projectNow,
  start,
} from "./api.ts";

type Bucket = { starts_at: string; ends_at: string; web_micros: number; cli_micros: number };
type Row = Record<string, unknown>;
const HOUR_MS = 3_600_000;

/** Reads from the copy once it is up to date. */
async function ask(e: Enterprise, route: string) {
  await projectNow(e.id);
  return e.get(route);
}

/** The pages of a list, each an array of rows. */
async function readPages(e: Enterprise, route: string, limit: number): Promise<Row[][]> {
  const pages: Row[][] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const page: { rows: Row[]; next_cursor: string | null } = await e.get(
      `${route}?limit=${limit}${cursor && `&cursor=${cursor}`}`,
    );
    pages.push(page.rows);
    cursor = page.next_cursor;
  }
  return pages;
}

const nonEmpty = (buckets: Bucket[]) =>
  buckets.filter((b) => b.web_micros !== 0 || b.cli_micros !== 0).map((b) => [b.starts_at, b.web_micros, b.cli_micros]);

describe("usage over time", () => {
  it("is summed by surface in the hour, day and week of its arrival, empty buckets included", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-02T10:00:00Z" });
    for (const [at, run, credits, surface] of [
      ["2026-03-02T10:00:00Z", "a", 1, "web"],
      ["2026-03-05T23:59:59.999Z", "b", 2, "cli"],
      ["2026-03-06T00:00:00Z", "c", 4, "web"],
      ["2026-03-10T11:59:59Z", "d", 8, "web"],
      ["2026-03-10T12:00:00Z", "e", 16, "cli"],
      ["2026-03-10T12:30:00Z", "e", 48, "cli"],
    ] as const) {
      await e.moveTo(at);
      expect((await e.debit(costing(credits, { run, surface, started_at: "2026-03-01T00:00:00Z" }))).status).toBe(200);
    }
    const week = await ask(e, "usage/timeseries");
    expect(week).toMatchObject({ unit: "credits", range: "7d", granularity: "day", time_zone: "UTC" });
    expect(week.as_of).toBe("2026-03-10T12:30:00.000Z");
    expect(week.buckets.length).toBe(7);
    expect(week.buckets[0].starts_at).toBe("2026-03-04T00:00:00.000Z");
    expect(week.buckets.at(-1).ends_at).toBe("2026-03-11T00:00:00.000Z");
    expect(nonEmpty(week.buckets)).toEqual([
      ["2026-03-05T00:00:00.000Z", 0, 2 * CREDIT],
      ["2026-03-06T00:00:00.000Z", 4 * CREDIT, 0],
      ["2026-03-10T00:00:00.000Z", 8 * CREDIT, 48 * CREDIT],
    ]);
    const day = await ask(e, "usage/timeseries?range=24h");
    expect(day).toMatchObject({ granularity: "hour" });
    expect(day.buckets.length).toBe(24);
    expect(day.buckets[0].starts_at).toBe("2026-03-09T13:00:00.000Z");
    expect(nonEmpty(day.buckets)).toEqual([
      ["2026-03-10T11:00:00.000Z", 8 * CREDIT, 0],
      ["2026-03-10T12:00:00.000Z", 0, 48 * CREDIT],
    ]);
    const month = await ask(e, "usage/timeseries?range=30d");
    expect(month).toMatchObject({ granularity: "week" });
    expect(month.buckets.map((b: Bucket) => (Date.parse(b.ends_at) - Date.parse(b.starts_at)) / HOUR_MS / 24)).toEqual([
      2, 7, 7, 7, 7,
    ]);
    expect(nonEmpty(month.buckets)).toEqual([
      ["2026-02-25T00:00:00.000Z", CREDIT, 0],
      ["2026-03-04T00:00:00.000Z", 12 * CREDIT, 50 * CREDIT],
    ]);
    for (const range of ["1y", "24H", ""]) {
      expectProblem(await e.agent("GET", `${e.path}/usage/timeseries?range=${range}`), 422, "validation_failed");
    }
  });

  it("is negative in a bucket with a refund of an earlier charge", async () => {
    const e = await newEnterprise();
    await e.debit(costing(10));
    await e.moveTo("2026-03-10T14:00:00Z");
    await e.debit(costing(3, { final: true }));
    const { buckets } = await ask(e, "usage/timeseries?range=24h");
    expect(nonEmpty(buckets)).toEqual([
      ["2026-03-10T12:00:00.000Z", 10 * CREDIT, 0],
      ["2026-03-10T14:00:00.000Z", -7 * CREDIT, 0],
    ]);
    expect(await ask(e, "usage/top/workspaces")).toMatchObject({ total_micros: 3 * CREDIT });
  });

  it("is shown in the current unit, and the history of the other unit is kept", async () => {
    const e = await newEnterprise();
    await e.debit(costing(10));
    await e.put({ billing_model: "byom" });
    await e.debit(costing(300, { run: "b" }));
    const usd = await ask(e, "usage/timeseries");
    expect([usd.unit, nonEmpty(usd.buckets)]).toEqual(["usd", [["2026-03-10T00:00:00.000Z", 3_000_000, 0]]]);
    await e.put({ billing_model: "credits" });
    const credits = await ask(e, "usage/timeseries");
    expect([credits.unit, nonEmpty(credits.buckets)]).toEqual([
      "credits",
      [["2026-03-10T00:00:00.000Z", 10 * CREDIT, 0]],
    ]);
  });

  it.each([
    ["Asia/Kolkata", "2026-03-10T12:10:00Z"],
    ["Asia/Kathmandu", "2026-03-10T12:20:00Z"],
    ["Europe/Berlin", "2026-03-29T00:59:59Z"],
    ["Europe/Berlin", "2026-03-29T01:00:00Z"],
    ["Europe/Berlin", "2026-10-25T01:30:00Z"],
    ["America/New_York", "2026-11-01T06:30:00Z"],
    ["Australia/Lord_Howe", "2026-04-04T15:10:00Z"],
    ["Australia/Lord_Howe", "2026-10-03T15:40:00Z"],
    ["Africa/Cairo", "2026-04-23T22:30:00Z"],
    ["America/St_Johns", "2026-03-08T05:40:00Z"],
    ["Pacific/Apia", "2026-03-31T23:59:59Z"],
  ])("has bucket boundaries on the local clock of %s at %s", async (time_zone, at) => {
    const e = await newEnterprise({ time_zone, test_clock: at });
    await e.debit(costing(5, { started_at: at }));
    const local = new Intl.DateTimeFormat("en-GB", {
      timeZone: time_zone,
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    const day = new Intl.DateTimeFormat("en-GB", { timeZone: time_zone, dateStyle: "short" });
    for (const [range, count] of [
      ["24h", 24],
      ["7d", 7],
      ["30d", 5],
    ] as const) {
      const { buckets } = (await ask(e, `usage/timeseries?range=${range}`)) as { buckets: Bucket[] };
      expect(buckets.length).toBe(count);
      for (const [i, { starts_at, ends_at }] of buckets.entries()) {
        expect(Date.parse(ends_at)).toBeGreaterThan(Date.parse(starts_at));
        if (i > 0) expect(starts_at).toBe(buckets[i - 1]?.ends_at);
        // Hours start at a full local hour, days at the first instant of their date. Lord Howe shifts by half an hour.
        const halfHourShift = time_zone === "Australia/Lord_Howe";
        if (range === "24h" && !halfHourShift)
          expect([starts_at, local.format(new Date(starts_at)).slice(3)]).toEqual([starts_at, "00:00"]);
        if (range !== "24h") {
          expect(day.format(Date.parse(starts_at) - 1)).not.toBe(day.format(Date.parse(starts_at)));
        }
      }
      const last = buckets.at(-1) as Bucket;
      expect(last.web_micros).toBe(5 * CREDIT);
      expect(Date.parse(last.starts_at)).toBeLessThanOrEqual(Date.parse(at));
      expect(Date.parse(last.ends_at)).toBeGreaterThan(Date.parse(at));
    }
  });
});

describe("the tables of this cycle", () => {
  it("list workspaces, groups and users, largest first, with names, requests and percent", async () => {
    const e = await newEnterprise();
    await operator("PUT", `${e.path}/directory`, {
      workspaces: [
        { id: "w1", name: "Shop", group_id: "g1" },
        { id: "w2", name: "Blog", group_id: "g1" },
        { id: "w3", name: "Lab" },
      ],
      groups: [{ id: "g1", name: "Web team" }],
      users: [{ id: "u1", name: "Ada" }],
    });
    await e.debit(costing(10, { run: "a", workspace: "w1", user: "u1" }));
    await e.debit(costing(20, { run: "b", workspace: "w2", user: "u2" }));
    await e.debit(costing(50, { run: "c", workspace: "w3", user: "u1" }));
    await e.debit(costing(15, { run: "d", workspace: "w1", user: "u1" }));
    await e.debit(costing(5, { run: "e", workspace: "w9", user: "u1", group: "g9" }));
    await e.start(start({ run: "never-reported", workspace: "w1" }));
    const workspaces = await ask(e, "usage/top/workspaces");
    expect(workspaces).toEqual({
      unit: "credits",
      cycle: { starts_at: "2026-03-01T00:00:00.000Z", ends_at: "2026-04-01T00:00:00.000Z" },
      as_of: NOON,
      total_micros: 100 * CREDIT,
      rows: [
        { id: "w3", name: "Lab", requests: 1, amount_micros: 50 * CREDIT, percent: 50 },
        { id: "w1", name: "Shop", requests: 2, amount_micros: 25 * CREDIT, percent: 25 },
        { id: "w2", name: "Blog", requests: 1, amount_micros: 20 * CREDIT, percent: 20 },
        { id: "w9", name: "w9", requests: 1, amount_micros: 5 * CREDIT, percent: 5 },
      ],
      next_cursor: null,
    });
    const groups = await ask(e, "usage/top/groups");
    expect(groups.rows.map(({ id, name, amount_micros }: Row) => [id, name, amount_micros])).toEqual([
      ["none", expect.any(String), 50 * CREDIT],
      ["g1", "Web team", 45 * CREDIT],
      ["g9", "g9", 5 * CREDIT],
    ]);
    const users = await ask(e, "usage/top/users");
    expect(users.rows.map(({ id, name, requests, amount_micros }: Row) => [id, name, requests, amount_micros])).toEqual(
      [
        ["u1", "Ada", 4, 80 * CREDIT],
        ["u2", "u2", 1, 20 * CREDIT],
      ],
    );
    // A new name shows at once. A new group applies only to runs whose first report comes later.
    await operator("PUT", `${e.path}/directory`, { workspaces: [{ id: "w1", name: "Store", group_id: null }] });
    await e.debit(costing(16, { run: "d", workspace: "w1", user: "u1" }));
    await e.debit(costing(1, { run: "f", workspace: "w1", user: "u1" }));
    expect((await ask(e, "usage/top/workspaces")).rows[1]).toMatchObject({ name: "Store", amount_micros: 27 * CREDIT });
    const moved = (await ask(e, "usage/top/groups")).rows.map(({ id, amount_micros }: Row) => [id, amount_micros]);
    expect(moved.slice(0, 2)).toEqual([
      ["none", 51 * CREDIT],
      ["g1", 46 * CREDIT],
    ]);
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await ask(e, "usage/top/users")).toMatchObject({ total_micros: 0, rows: [], next_cursor: null });
  });

  it("page through rows of equal amounts without losing or repeating any", async () => {
    const e = await newEnterprise();
    const names = Array.from({ length: 23 }, (_, i) => `w${String(i).padStart(2, "0")}`);
    await e.debit({ reports: names.map((w, i) => costing(i < 15 ? 2 : 1, { run: `r-${w}`, workspace: w })) });
    await projectNow(e.id);
    const pages = await readPages(e, "usage/top/workspaces", 5);
    expect(pages.map(({ length }) => length)).toEqual([5, 5, 5, 5, 3]);
    const seen = pages.flat();
    expect(seen.map(({ id }) => id).sort()).toEqual(names);
    const amounts = seen.map(({ amount_micros }) => amount_micros as number);
    expect(amounts).toEqual([...amounts].sort((a, b) => b - a));
    expect((await e.get("usage/top/workspaces")).rows.length).toBe(10);
    expect((await e.get("usage/top/workspaces?limit=100")).rows.length).toBe(23);
    expectProblem(await e.agent("GET", `${e.path}/usage/top/surfaces`), 404, "not_found");
  });
});

describe("the list of runs", () => {
  it("is newest first, can be filtered, and pages without losing a run", async () => {
    const e = await newEnterprise();
    const at = (i: number) => new Date(Date.parse(NOON) - Math.floor(i / 2) * 60_000).toISOString();
    const runs = Array.from({ length: 12 }, (_, i) =>
      costing(i + 1, {
        run: `r${String(i).padStart(2, "0")}`,
        workspace: `w${i % 2}`,
        user: `u${i % 3}`,
        surface: i % 4 === 0 ? "cli" : "web",
        group: i % 3 === 0 ? "g1" : undefined,
        started_at: at(i),
        final: i === 0,
      }),
    );
    await e.debit({ reports: runs });
    await projectNow(e.id);
    const seen = (await readPages(e, "runs", 5)).flat();
    expect(seen.map(({ run }) => run).sort()).toEqual(runs.map(({ run }) => run));
    const starts = seen.map(({ started_at }) => started_at as string);
    expect(starts).toEqual([...starts].sort().reverse());
    expect(seen.find(({ run }) => run === "r00")).toEqual({
      run: "r00",
      surface: "cli",
      workspace: "w0",
      group: "g1",
      user: "u0",
      started_at: NOON,
      last_report_at: NOON,
      models: ["gpt-5"],
      charged_micros: CREDIT,
      unit: "credits",
      final: true,
    });
    for (const [query, fits] of [
      ["workspace=w1", (i: number) => i % 2 === 1],
      ["user=u2", (i: number) => i % 3 === 2],
      ["surface=cli", (i: number) => i % 4 === 0],
      ["group=g1", (i: number) => i % 3 === 0],
      ["group=none", (i: number) => i % 3 !== 0],
      ["workspace=w0&user=u0&surface=cli&group=g1", (i: number) => i % 12 === 0],
      ["workspace=unheard-of", () => false],
    ] as const) {
      const { rows } = await e.get(`runs?limit=100&${query}`);
      const expected = runs.filter((_, i) => fits(i)).map(({ run }) => run);
      expect([query, rows.map(({ run }: Row) => run).sort()]).toEqual([query, expected]);
    }
    expectProblem(await e.agent("GET", `${e.path}/runs?surface=ide`), 422, "validation_failed");
  });

  it("includes an admitted run that has not reported", async () => {
    const e = await newEnterprise();
    await e.start(start({ hold_micros: CREDIT }));
    expect((await ask(e, "runs")).rows).toMatchObject([
      { run: "run-1", charged_micros: 0, last_report_at: null, models: [], final: false },
    ]);
  });

  it("as CSV adds up to this cycle's use and contains no formula", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-31T23:00:00Z" });
    await e.debit(costing(5, { run: "over-the-turn" }));
    await e.debit(costing(5, { run: "before" }));
    await e.moveTo("2026-04-01T01:00:00Z");
    await e.debit(costing(7, { run: "over-the-turn" }));
    await e.debit(costing(10, { run: "-2/3", workspace: "@SUM", user: "-u" }));
    await e.debit(costing(1, { run: "-2/3", workspace: "@SUM", user: "-u", model: "gpt-4.1" }));
    await projectNow(e.id);
    const answer = await e.agent("GET", `${e.path}/runs.csv`);
    expect(answer.headers.get("Content-Type")).toMatch(/^text\/csv/);
    expect(answer.headers.get("Content-Disposition")).toMatch(/^attachment; filename=".+\.csv"$/);
    const [header = "", ...lines] = answer.text.trimEnd().split("\r\n");
    const columns = header.split(",");
    const rows = lines.map((line) => Object.fromEntries(line.split(",").map((cell, i) => [columns[i], cell])));
    expect(rows.map(({ run, workspace, user, models }) => [run, workspace, user, models]).sort()).toEqual([
      ["'-2/3", "'@SUM", "'-u", "gpt-4.1 gpt-5"],
      ["over-the-turn", "w1", "u1", "gpt-5"],
    ]);
    const sum = rows.reduce((total, { cycle_micros }) => total + Number(cycle_micros), 0);
    expect(sum).toBe((await e.gauge()).used_micros);
    const none = await e.agent("GET", `${e.path}/runs.csv?workspace=unheard-of`);
    expect(none.text.trimEnd().split("\r\n")).toEqual([header]);
  });
});

describe("the journal", () => {
  it("records what happened, when and by whom, newest first and page by page", async () => {
    const e = await newEnterprise({ plan: "free" });
    const admin = await e.createKey(["admin"]);
    await e.grant({ id: "g1", expires_at: "2026-03-11T00:00:00Z" });
    await e.grant({ id: "g2", amount_micros: CREDIT });
    await operator("POST", `${e.path}/grants/g2/void`);
    await e.put({ plan: "pro" });
    await e.debit(costing(1, { final: true }));
    await e.moveTo("2026-03-11T00:00:00Z");
    await e.put({ billing_model: "byom" });
    await admin.send("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: 9 });
    await e.put({ billing_model: "credits" });
    await e.debit(costing(6_000, { run: "b" }));
    await e.moveTo("2026-04-01T00:00:00Z");
    const entries = await e.entries();
    expect(entries.map(({ type, by, at }) => [type, by, at.slice(0, 13)])).toEqual([
      ["cycle_started", "operator", "2026-03-10T12"],
      ["grant_added", "operator", "2026-03-10T12"],
      ["grant_added", "operator", "2026-03-10T12"],
      ["grant_voided", "operator", "2026-03-10T12"],
      ["plan_changed", "operator", "2026-03-10T12"],
      ["run_closed", "agent", "2026-03-10T12"],
      ["grant_expired", "clock", "2026-03-11T00"],
      ["billing_model_changed", "operator", "2026-03-11T00"],
      ["cap_changed", `key:${admin.id}`, "2026-03-11T00"],
      ["billing_model_changed", "operator", "2026-03-11T00"],
      ["debt_written_off", "clock", "2026-04-01T00"],
      ["cycle_started", "clock", "2026-04-01T00"],
    ]);
    expect(entries[1]).toMatchObject({ grant: "g1", amount_micros: 100 * CREDIT, source: "promotion" });
    expect(entries[3]).toMatchObject({ grant: "g2", amount_micros: CREDIT });
    expect(entries[5]).toMatchObject({ run: "run-1", credits_micros: CREDIT });
    expect(entries[10]).toMatchObject({ amount_micros: 1_001 * CREDIT });
    const seqs = entries.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const paged = (await readPages(e, "entries", 5)).flat();
    expect(paged.map(({ seq }) => seq)).toEqual(seqs.toReversed());
  });

  it("has one run_closed entry, written when the run's last open meter becomes final", async () => {
    const e = await newEnterprise();
    const closed = async () => (await e.entries()).filter(({ type }) => type === "run_closed").length;
    await e.debit(costing(1));
    await e.debit(costing(1, { model: "gpt-4.1", final: true }));
    expect(await closed()).toBe(0);
    await e.debit(costing(1, { final: true }));
    expect(await closed()).toBe(1);
    await e.debit(costing(2, { final: true }));
    await e.debit(costing(3));
    expect(await closed()).toBe(1);
  });
});
