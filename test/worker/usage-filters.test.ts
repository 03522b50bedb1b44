// Random usage over three cycles: every filter and random combinations of them equal a reference that keeps each debit,
// over HTTP and on the page, after a rebuild, while debits arrive, and across a turn. FUELGAUGE_CUBE_RUNS sets the number of runs. This file is long because
// one history of usage serves every question.
import { beforeAll, describe, expect, it } from "vitest";
import { expectProblem, operator } from "./api.ts";
import {
  CYCLES,
  type Debit,
  FILTER_VALUES,
  KIND_FIELDS,
  RandomUsage,
  RUNS,
  randomSelections,
  type Selection,
  SINGLE_FILTERS,
} from "./random-usage.ts";
import { checkUsagePages, parseCount, readUsagePage } from "./usage-page.ts";

const IS_CAMPAIGN = RUNS >= 10_000;
const COMBINATIONS = IS_CAMPAIGN ? 300 : 20;
/** Of how many selections one is checked on the page. A page takes longer than the routes that it shows. */
const PAGE_EVERY = IS_CAMPAIGN ? 1 : 4;
const TIMEOUT_MS = 300_000 + RUNS * 1_000;
const PLURALS = { workspaces: "workspace", groups: "group", users: "user", models: "model" } as const;
const NAMES: Record<string, string> = { u1: "Ada", u2: "Élan" };

let usage: RandomUsage;
beforeAll(async () => {
  usage = await RandomUsage.create(15);
  await usage.send();
}, TIMEOUT_MS);

const queryOf = (fields: Record<string, string | undefined>) =>
  new URLSearchParams(Object.entries(fields).filter((entry): entry is [string, string] => entry[1] !== undefined));
const withoutLimit = (query: URLSearchParams) => new URLSearchParams([...query].filter(([name]) => name !== "limit"));
const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);

const combinations = randomSelections(7, COMBINATIONS);

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

/** The runs that match a selection: with a model, those that used it. */
function runsOf(selection: Selection): Set<string> {
  return new Set(usage.select(selection).map(({ run }) => run));
}

async function checkRuns(selection: Selection): Promise<void> {
  const charged = new Map<string, number>();
  for (const debit of usage.debits) charged.set(debit.run, (charged.get(debit.run) ?? 0) + debit.charged);
  for (const sort of ["newest", "amount"]) {
    const rows: { run: string; started_at: string; charged_micros: number }[] = [];
    for (let cursor: string | undefined; ; ) {
      const page = await read("runs", queryOf({ ...selection, sort, limit: "100", cursor }));
      rows.push(...page.rows);
      if (page.next_cursor === null || rows.length > 1_000) break;
      cursor = page.next_cursor;
    }
    if (rows.length <= 1_000) {
      expect([selection, rows.map(({ run }) => run).sort()]).toEqual([selection, [...runsOf(selection)].sort()]);
    }
    const places = rows.map((row) => (sort === "newest" ? Date.parse(row.started_at) : row.charged_micros));
    expect(places).toEqual(places.toSorted((a, b) => b - a));
    for (const row of rows) expect([row.run, row.charged_micros]).toEqual([row.run, charged.get(row.run)]);
  }
}

/** Reads the rows of a cycle's CSV. No id or name of the test needs quotes. */
async function readCsv(query: Record<string, string | undefined>): Promise<Record<string, string>[]> {
  const { enterprise } = usage;
  const { text } = await enterprise.agent("GET", `${enterprise.path}/runs.csv?${queryOf(query)}`);
  const [header = "", ...lines] = text.trimEnd().split("\r\n");
  const columns = header.split(",");
  return lines.map((line) => Object.fromEntries(line.split(",").map((cell, i) => [columns[i] as string, cell])));
}

async function checkCsv(selection: Selection): Promise<void> {
  const runs = runsOf(selection);
  for (const cycle of CYCLES) {
    const expected = new Map<string, number>();
    for (const { run, cycle: of, ofCycle } of usage.debits) {
      if (of === cycle && runs.has(run)) expected.set(run, (expected.get(run) ?? 0) + ofCycle);
    }
    const charges = usage.debits.filter(({ run, cycle: of, charged }) => of === cycle && charged > 0 && runs.has(run));
    const charged = new Set(charges.map(({ run }) => run));
    const rows = await readCsv({ ...selection, cycle });
    const seen = new Map(rows.map((row) => [row.run as string, Number(row.cycle_micros)]));
    expect(rows.length).toBe(seen.size);
    const differing = [...new Set([...seen.keys(), ...expected.keys()])].filter(
      (run) => (seen.get(run) ?? 0) !== (expected.get(run) ?? 0) || (charged.has(run) && !seen.has(run)),
    );
    expect([selection, cycle, differing]).toEqual([selection, cycle, []]);
  }
}

describe("filters", { timeout: TIMEOUT_MS }, () => {
  it("equal the reference one by one", async () => {
    for (const [i, selection] of [{}, ...SINGLE_FILTERS].entries()) {
      await checkSeries(selection);
      await checkTables(selection);
      await checkRuns(selection);
      await checkCsv(selection);
      if (i % PAGE_EVERY === 0) await checkUsagePages(usage, selection);
    }
  });

  it("equal the reference in any combination", async () => {
    for (const [i, selection] of combinations.entries()) {
      await checkSeries(selection);
      await checkTables(selection);
      await checkRuns(selection);
      await checkCsv(selection);
      if (i % PAGE_EVERY === 0) await checkUsagePages(usage, selection);
    }
  });

  it("add up in every answer while debits arrive, and equal the reference afterwards", async () => {
    const some = combinations.slice(5, 9);
    let sending = true;
    const traffic = (async () => {
      for (let i = 0; i < 8; i++) await usage.reportAgain(25);
    })().finally(() => {
      sending = false;
    });
    for (let i = 0; sending; i++) {
      const selection = some[i % some.length] ?? {};
      const query = queryOf({ ...selection, cycle: CYCLES[2], limit: "100" });
      const [top, kinds] = [await read("usage/top/users", query), await read("usage/kinds", withoutLimit(query))];
      for (const { rows, total_micros } of [top, kinds]) {
        expect(sumOf(rows.map((row: { amount_micros: number }) => row.amount_micros))).toBe(total_micros);
      }
      const { tables } = await readUsagePage(usage, queryOf({ ...selection, cycle: CYCLES[2] }));
      for (const { rows, total } of Object.values(tables)) {
        expect(sumOf(Object.values(rows).map(([requests]) => parseCount(requests)))).toBe(parseCount(total[0]));
      }
      // Everything runs on one thread here. workerd fires no timer while it always has something else to do, and a
      // debit waits for a timer.
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await traffic;
    await usage.settle();
    for (const selection of some) {
      await checkTables(selection);
      await checkSeries(selection);
      await checkRuns(selection);
      await checkCsv(selection);
      await checkUsagePages(usage, selection);
    }
  });

  it("equal the reference after a rebuild, and after the cycle has turned", async () => {
    await operator("POST", `${usage.enterprise.path}/rebuild`);
    for (const selection of combinations.slice(0, 5)) {
      await checkTables(selection);
      await checkCsv(selection);
      await checkUsagePages(usage, selection);
    }
    const usedBefore = (await usage.enterprise.gauge()).used_micros;
    await usage.moveTo(Date.parse("2026-03-14T23:30:00Z"));
    await usage.settle();
    expect((await read("usage/top/users", queryOf({ cycle: CYCLES[2] }))).total_micros).toBe(usedBefore);
    expect((await read("usage/top/users", queryOf({ user: "u1" }))).rows).toEqual([]);
    for (const selection of combinations.slice(0, 5)) {
      await checkTables(selection);
      await checkSeries(selection);
    }
  });
});

describe("the model of a filter", () => {
  it("may have any spelling that prices it, and an unknown one finds nothing", async () => {
    const cycle = CYCLES[1];
    for (const route of ["usage/top/users", "usage/kinds", "runs", "usage/timeseries"]) {
      const window = route === "usage/timeseries" ? { from: "2026-01-15", to: "2026-02-14", granularity: "day" } : {};
      const of = { ...window, ...(route.startsWith("usage/t") || route === "runs" ? {} : { cycle }) };
      const byId = await read(route, queryOf({ ...of, model: "claude-sonnet-4-6" }));
      const byName = await read(route, queryOf({ ...of, model: "anthropic/claude-sonnet-4-6" }));
      expect({ ...byName, as_of: null }).toEqual({ ...byId, as_of: null });
    }
    expect((await read("runs", queryOf({ model: "anthropic/claude-sonnet-4-6" }))).rows.length).toBeGreaterThan(0);
    expect((await read("runs", queryOf({ model: "no-such-model" }))).rows).toEqual([]);
  });

  it("is taken literally if usage is stored under it, whatever it means by now", async () => {
    const { enterprise } = usage;
    const override = (models: object[]) => operator("PUT", `${enterprise.path}/price-overrides`, { models });
    const rates = { input: "1", output: "1" };
    await override([{ id: "*", ...rates }]);
    const answer = await enterprise.debit({
      ...{
        run: "by-fallback",
        model: "vendor-9",
        usage: { input_tokens: 1_000, output_tokens: 0 },
        started_at: "2026-03-14T23:30:00Z",
      },
      ...{ surface: "web", workspace: "w0", user: "u0" },
    });
    expect(answer.body).toMatchObject({ model: "vendor-9", priced: true });
    await usage.settle();
    await override([{ id: "known-9", aliases: ["vendor-9"], ...rates }]);
    expect((await read("runs", queryOf({ model: "vendor-9" }))).rows).toMatchObject([{ run: "by-fallback" }]);
    await override([]);
  });
});

describe("the cycles", () => {
  it("are listed newest first, and add up to the charges and requests of each", async () => {
    const { rows, next_cursor } = await read("cycles", queryOf({ limit: "2" }));
    const rest = await read("cycles", queryOf({ limit: "2", cursor: next_cursor }));
    const cycles = [...rows, ...rest.rows].filter(({ starts_at }) => (CYCLES as readonly string[]).includes(starts_at));
    expect(cycles.map(({ starts_at }) => starts_at)).toEqual([...CYCLES].reverse());
    for (const { starts_at, credits, usd, requests, imported } of cycles) {
      const debits = usage.debits.filter(({ cycle }) => cycle === starts_at);
      expect(credits).toMatchObject({
        allowance_micros: 25_000_000_000,
        monthly_used_micros: credits.used_micros,
        used_micros: sumOf(debits.map(({ ofCycle }) => ofCycle)),
        bonus_used_micros: 0,
        debt_written_off_micros: 0,
      });
      expect(requests).toBe(debits.filter(({ firstOfRun }) => firstOfRun).length);
      expect([usd, imported]).toEqual([{ used_micros: 0, cap_micros: null }, false]);
    }
  });
});

describe("the list of runs", () => {
  it("can be limited to local dates of the start", async () => {
    const { rows } = await read("runs", queryOf({ from: "2026-02-01", to: "2026-02-10", limit: "100" }));
    expect(rows.length).toBeGreaterThan(0);
    const starts = rows.map(({ started_at }: { started_at: string }) => started_at).sort();
    expect(starts[0] >= "2026-01-31T23:00:00" && starts.at(-1) < "2026-02-10T23:00:00").toBe(true);
    const all = await read("runs", queryOf({ from: "2026-02-01", limit: "100" }));
    expect(all.rows[0].started_at > "2026-02-10T23:00:00").toBe(true);
  });
});

describe("the CSV", () => {
  it("has names, local times, the amount and the quantities for people", async () => {
    const [row] = await readCsv({ cycle: CYCLES[2], user: "u1" });
    if (row === undefined) throw new Error("no run");
    const receipt = await usage.enterprise.receipt(row.run as string);
    const place = FILTER_VALUES.workspace.indexOf(row.workspace as "w0");
    expect(row).toMatchObject({ workspace_name: `Shop ${9 - place}`, group_name: row.group, user_name: "Ada" });
    expect(row.started_at).toMatch(/^2026-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?\+01:00$/);
    expect(Date.parse(row.started_at as string)).toBe(Date.parse(receipt.started_at));
    expect(Number(row.amount) * 1_000_000).toBeCloseTo(receipt.charged_micros, 3);
    const used = (field: string) =>
      sumOf(receipt.meters.map((meter: { usage: Record<string, number> }) => meter.usage[field] ?? 0));
    for (const field of KIND_FIELDS) expect([field, Number(row[field])]).toEqual([field, used(field)]);
    expect(Number(row.price_book_version)).toBe(receipt.meters[0].price_book_version);
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
