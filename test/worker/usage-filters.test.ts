// Random usage over three cycles: every filter and random combinations of them equal a reference that keeps each debit,
// over HTTP, after a rebuild, and across a turn. FUELGAUGE_CUBE_RUNS sets the number of runs.
import { beforeAll, describe, expect, it } from "vitest";
import { expectProblem, operator, projectNow } from "./api.ts";
import {
  CYCLES,
  type Debit,
  FILTER_VALUES,
  type Filter,
  KIND_FIELDS,
  RandomUsage,
  RUNS,
  randomFrom,
  type Selection,
} from "./random-usage.ts";

const COMBINATIONS = RUNS >= 10_000 ? 300 : 40;
const TIMEOUT_MS = 120_000 + RUNS * 60;
const PLURALS = { workspaces: "workspace", groups: "group", users: "user", models: "model" } as const;
const NAMES: Record<string, string> = { u1: "Ada", u2: "Élan" };

let usage: RandomUsage;
beforeAll(async () => {
  usage = await RandomUsage.create(15);
  await usage.send();
}, TIMEOUT_MS);

const queryOf = (fields: Record<string, string | undefined>) =>
  new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined));
const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);

const singles: Selection[] = Object.entries(FILTER_VALUES).flatMap(([filter, values]) =>
  values.map((value) => ({ [filter]: value })),
);
const random = randomFrom(7);
const combinations: Selection[] = Array.from({ length: COMBINATIONS }, () => {
  const filters = (Object.keys(FILTER_VALUES) as Filter[]).filter(() => random() < 0.5);
  return Object.fromEntries(
    filters.map((filter) => {
      const values = FILTER_VALUES[filter];
      return [filter, values[Math.floor(random() * values.length)]];
    }),
  );
});

/** The rows of a table as the reference sums them, by id. */
function rowsOf(debits: readonly Debit[], dimension: (typeof PLURALS)[keyof typeof PLURALS], selection: Selection) {
  const byModel = dimension === "model" || selection.model !== undefined;
  const rows = new Map<string, { requests: number; amount_micros: number; usage: number[] }>();
  for (const debit of debits) {
    const row = rows.get(debit[dimension]) ?? { requests: 0, amount_micros: 0, usage: [0, 0, 0, 0] };
    row.requests += Number(byModel ? debit.firstOfModel : debit.firstOfRun);
    row.amount_micros += debit.ofCycle;
    row.usage = row.usage.map((quantity, i) => quantity + (debit.grown[i] ?? 0));
    rows.set(debit[dimension], row);
  }
  return rows;
}

async function read(route: string, query: URLSearchParams) {
  const answer = await usage.enterprise.agent("GET", `${usage.enterprise.path}/${route}?${query}`);
  expect([route, String(query), answer.status, answer.body?.detail]).toEqual([route, String(query), 200, undefined]);
  return answer.body;
}

async function checkSeries(selection: Selection): Promise<void> {
  const debits = usage.select(selection);
  for (const window of [
    { from: "2026-01-05", to: "2026-03-11", granularity: "day" },
    { from: "2026-01-10", to: "2026-03-09", granularity: "week" },
    { from: "2026-01-05", to: "2026-03-10", granularity: "month" },
    { from: "2026-03-01", to: "2026-03-11", granularity: "hour" },
  ]) {
    const { buckets } = await read("usage/timeseries", queryOf({ ...window, ...selection }));
    const sums = (from: string, to: string, surface: string) =>
      sumOf(
        debits
          .filter(({ atMs, surface: of }) => of === surface && atMs >= Date.parse(from) && atMs < Date.parse(to))
          .map(({ charged }) => charged),
      );
    const expected = buckets.map((bucket: { starts_at: string; ends_at: string }) => ({
      starts_at: bucket.starts_at,
      ends_at: bucket.ends_at,
      web_micros: sums(bucket.starts_at, bucket.ends_at, "web"),
      cli_micros: sums(bucket.starts_at, bucket.ends_at, "cli"),
    }));
    expect({ window, selection, buckets }).toEqual({ window, selection, buckets: expected });
    for (const [i, bucket] of buckets.entries()) if (i > 0) expect(bucket.starts_at).toBe(buckets[i - 1].ends_at);
  }
}

async function checkTables(selection: Selection): Promise<void> {
  for (const cycle of CYCLES) {
    const debits = usage.select(selection).filter((debit) => debit.cycle === cycle);
    const total = sumOf(debits.map(({ ofCycle }) => ofCycle));
    for (const [plural, dimension] of Object.entries(PLURALS)) {
      const expected = rowsOf(debits, dimension, selection);
      const rows: Record<string, unknown>[] = [];
      for (let cursor: string | undefined; ; ) {
        const page = await read(`usage/top/${plural}`, queryOf({ ...selection, cycle, limit: "4", cursor }));
        expect([selection, cycle, plural, page.total_micros]).toEqual([selection, cycle, plural, total]);
        rows.push(...page.rows);
        if (page.next_cursor === null) break;
        cursor = page.next_cursor;
      }
      const seen = Object.fromEntries(rows.map(({ id, requests, amount_micros }) => [id, [requests, amount_micros]]));
      const wanted = Object.fromEntries([...expected].map(([id, row]) => [id, [row.requests, row.amount_micros]]));
      expect([selection, cycle, plural, seen]).toEqual([selection, cycle, plural, wanted]);
      const amounts = rows.map(({ amount_micros }) => amount_micros as number);
      expect(amounts).toEqual(amounts.toSorted((a, b) => b - a));
      for (const { id, usage: used } of dimension === "model" ? rows : []) {
        const quantities = KIND_FIELDS.map((field) => (used as Record<string, number>)[field]);
        expect(quantities).toEqual(expected.get(id as string)?.usage);
      }
    }
    const kinds = await read("usage/kinds", queryOf({ ...selection, cycle }));
    expect([kinds.total_micros, sumOf(kinds.rows.map((row: { amount_micros: number }) => row.amount_micros))]).toEqual([
      total,
      total,
    ]);
    const models = rowsOf(debits, "model", selection);
    for (const { model, tier, kind, quantity } of kinds.rows) {
      expect(tier).toBe("standard");
      expect([model, kind, quantity]).toEqual([model, kind, models.get(model)?.usage[KIND_FIELDS.indexOf(kind)]]);
    }
  }
}

describe("filters", { timeout: TIMEOUT_MS }, () => {
  it("equal the reference one by one", async () => {
    for (const selection of [{}, ...singles]) {
      await checkSeries(selection);
      await checkTables(selection);
    }
  });

  it("equal the reference in any combination", async () => {
    for (const selection of combinations) {
      await checkSeries(selection);
      await checkTables(selection);
    }
  });

  it("equal the reference after a rebuild, and after the cycle has turned", async () => {
    await operator("POST", `${usage.enterprise.path}/rebuild`);
    for (const selection of combinations.slice(0, 5)) await checkTables(selection);
    const usedBefore = (await usage.enterprise.gauge()).used_micros;
    await usage.moveTo(Date.parse("2026-03-14T23:30:00Z"));
    await projectNow(usage.enterprise.id);
    expect((await read("usage/top/users", queryOf({ cycle: CYCLES[2] }))).total_micros).toBe(usedBefore);
    expect((await read("usage/top/users", queryOf({ user: "u1" }))).rows).toEqual([]);
    for (const selection of combinations.slice(0, 5)) {
      await checkTables(selection);
      await checkSeries(selection);
    }
  });
});

describe("a table", () => {
  const names = (rows: { id: string; name: string }[]) => rows.map(({ id, name }) => [id, name]);

  it("is sorted by name or requests", async () => {
    const cycle = CYCLES[1];
    const byName = await read("usage/top/workspaces", queryOf({ cycle, sort: "name" }));
    expect(names(byName.rows)).toEqual(FILTER_VALUES.workspace.map((id, i) => [id, `Shop ${9 - i}`]).reverse());
    const { rows } = await read("usage/top/users", queryOf({ cycle, sort: "requests", surface: "web" }));
    const requests = rows.map((row: { requests: number }) => row.requests);
    expect(requests).toEqual(requests.toSorted((a: number, b: number) => b - a));
  });

  it("is searched by a part of the id or the name in any case, which does not narrow the total", async () => {
    const cycle = CYCLES[1];
    const all = await read("usage/top/users", queryOf({ cycle }));
    for (const [q, ids] of [
      ["ADA", ["u1"]],
      ["éLAN", ["u2"]],
      ["U3", ["u3"]],
      ["%", []],
      ["nobody", []],
    ] as const) {
      const found = await read("usage/top/users", queryOf({ cycle, q }));
      expect([q, names(found.rows)]).toEqual([q, ids.map((id) => [id, NAMES[id] ?? id])]);
      expect(found.total_micros).toBe(all.total_micros);
    }
  });

  it("refuses an unknown cycle, and a cursor of another order or cycle", async () => {
    const { agent, path } = usage.enterprise;
    expectProblem(await agent("GET", `${path}/usage/top/users?cycle=2020-01-01T00:00:00Z`), 404, "not_found");
    expectProblem(await agent("GET", `${path}/usage/kinds?cycle=2020-01-01T00:00:00Z`), 404, "not_found");
    expectProblem(await agent("GET", `${path}/usage/kinds?cycle=March`), 422, "validation_failed");
    const { next_cursor } = await read("usage/top/users", queryOf({ cycle: CYCLES[1], limit: "1" }));
    for (const query of [`sort=name&cursor=${next_cursor}`, `cycle=${CYCLES[0]}&cursor=${next_cursor}`]) {
      expectProblem(await agent("GET", `${path}/usage/top/users?${query}`), 422, "validation_failed");
    }
  });
});

describe("a window", () => {
  it("is refused if its dates make no sense", async () => {
    const { agent, path } = usage.enterprise;
    for (const query of [
      "from=2026-03-01",
      "to=2026-03-01",
      "from=2026-03-02&to=2026-03-01",
      "from=2026-02-30&to=2026-03-01",
      "from=2024-03-01&to=2026-03-01",
      "from=2024-03-01&to=2024-03-02",
      "from=2026-01-01&to=2026-03-01&granularity=hour",
      "from=2026-03-01&to=2026-03-01&granularity=year",
      "range=7d&from=2026-03-01&to=2026-03-01",
      "granularity=day",
    ]) {
      expectProblem(await agent("GET", `${path}/usage/timeseries?${query}`), 422, "validation_failed");
    }
    expect(await read("usage/timeseries", queryOf({ from: "2026-03-01", to: "2026-03-01" }))).toMatchObject({
      range: null,
      from: "2026-03-01",
      to: "2026-03-01",
      granularity: "day",
      buckets: [{ starts_at: "2026-02-28T23:00:00.000Z", ends_at: "2026-03-01T23:00:00.000Z" }],
    });
  });
});
