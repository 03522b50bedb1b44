// Usage over time, and by workspace, group and user, read from the copy.
import { describe, expect, it } from "vitest";
import {
  CREDIT,
  costing,
  expectProblem,
  NOON,
  newEnterprise,
  operator,
  projectNow,
  readFromCopy,
  readPages,
  start,
} from "./api.ts";

type Bucket = { starts_at: string; ends_at: string; web_micros: number; cli_micros: number };
type Row = Record<string, unknown>;
const HOUR_MS = 3_600_000;

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
    const week = await readFromCopy(e, "usage/timeseries");
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
    const day = await readFromCopy(e, "usage/timeseries?range=24h");
    expect(day).toMatchObject({ granularity: "hour" });
    expect(day.buckets.length).toBe(24);
    expect(day.buckets[0].starts_at).toBe("2026-03-09T13:00:00.000Z");
    expect(nonEmpty(day.buckets)).toEqual([
      ["2026-03-10T11:00:00.000Z", 8 * CREDIT, 0],
      ["2026-03-10T12:00:00.000Z", 0, 48 * CREDIT],
    ]);
    const month = await readFromCopy(e, "usage/timeseries?range=30d");
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
    const { buckets } = await readFromCopy(e, "usage/timeseries?range=24h");
    expect(nonEmpty(buckets)).toEqual([
      ["2026-03-10T12:00:00.000Z", 10 * CREDIT, 0],
      ["2026-03-10T14:00:00.000Z", -7 * CREDIT, 0],
    ]);
    expect(await readFromCopy(e, "usage/top/workspaces")).toMatchObject({ total_micros: 3 * CREDIT });
  });

  it("is shown in the current unit, and the history of the other unit is kept", async () => {
    const e = await newEnterprise();
    await e.debit(costing(10));
    await e.put({ billing_model: "byom" });
    await e.debit(costing(300, { run: "b" }));
    const usd = await readFromCopy(e, "usage/timeseries");
    expect([usd.unit, nonEmpty(usd.buckets)]).toEqual(["usd", [["2026-03-10T00:00:00.000Z", 3_000_000, 0]]]);
    await e.put({ billing_model: "credits" });
    const credits = await readFromCopy(e, "usage/timeseries");
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
      const { buckets } = (await readFromCopy(e, `usage/timeseries?range=${range}`)) as { buckets: Bucket[] };
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
    const workspaces = await readFromCopy(e, "usage/top/workspaces");
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
    const groups = await readFromCopy(e, "usage/top/groups");
    expect(groups.rows.map(({ id, name, amount_micros }: Row) => [id, name, amount_micros])).toEqual([
      ["none", expect.any(String), 50 * CREDIT],
      ["g1", "Web team", 45 * CREDIT],
      ["g9", "g9", 5 * CREDIT],
    ]);
    const users = await readFromCopy(e, "usage/top/users");
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
    expect((await readFromCopy(e, "usage/top/workspaces")).rows[1]).toMatchObject({
      name: "Store",
      amount_micros: 27 * CREDIT,
    });
    const moved = (await readFromCopy(e, "usage/top/groups")).rows.map(({ id, amount_micros }: Row) => [
      id,
      amount_micros,
    ]);
    expect(moved.slice(0, 2)).toEqual([
      ["none", 51 * CREDIT],
      ["g1", 46 * CREDIT],
    ]);
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await readFromCopy(e, "usage/top/users")).toMatchObject({ total_micros: 0, rows: [], next_cursor: null });
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
