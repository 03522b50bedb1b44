/** A query of a page reads the rows that it shows and a constant number more, however long the history is. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, it } from "vitest";
import { type CheckedCopy, openCopy } from "../../src/copy/checked-copy.ts";
import { compareRange } from "../../src/copy/compare.ts";
import {
  countTop,
  readCapChanges,
  readChanges,
  readCycleTotal,
  readTimeseries,
  readTop,
  readTopRow,
} from "../../src/copy/read.ts";
import { readKinds, readSeries } from "../../src/copy/read-cube.ts";
import { readRunPage } from "../../src/copy/read-runs.ts";
import { readTopPage } from "../../src/copy/read-top.ts";
import { readTrends } from "../../src/copy/read-trends.ts";
import type { Selection } from "../../src/copy/selection.ts";
import { spansOf } from "../../src/ledger/calendar.ts";
import { countRowsRead } from "./count-rows-read.ts";

type Place = { value: number; run: string };
const newestRuns = (copy: CheckedCopy, enterprise: string, selection: Selection, after: Place | null = null) =>
  readRunPage(copy, {
    enterprise,
    selection,
    startedFromMs: null,
    startedToMs: null,
    sort: "newest",
    limit: 10,
    after,
  });
/** Of workspace, user and model, in which something was used on each of thirty days, however many runs there were. */
const COMBINATIONS = 200;
const SHORT = 4_000;
const LONG = 80_000;
const NOW = Date.parse("2026-11-23T12:00:00.000Z");
const CYCLE = Date.parse("2026-11-01T00:00:00.000Z");

/** The magnitude of an amount, in SQL. */
const magnitude = (amount: string) => `length(${amount}) * 3 + (${amount} >= '2') + (${amount} >= '5')`;

const PAGE = Array.from({ length: 10 }, (_, i) => `w${i}`);
/** The starts of this cycle and of those before it. */
const CYCLES = Array.from({ length: 24 }, (_, i) => CYCLE - i * 2_592_000_000);

const db = env.DB;

beforeAll(async () => {
  await write("short", SHORT);
  await write("long", LONG);
});

/** Runs over thirty days in forty workspaces of twenty users, each with a `run_closed` entry, and two changes of the cap. */
async function write(enterprise: string, runs: number): Promise<void> {
  const numbers = `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${runs})`;
  const startedAt = `${NOW} - CAST(i * ${(30 * 86_400_000) / runs} AS INTEGER)`;
  await db.batch([
    db.prepare(
      `${numbers} INSERT INTO runs (enterprise, run, surface, workspace, group_id, user, started_at_ms, models, unit,
          charged_micros, cycle_starts_at_ms, cycle_micros, final, revision)
        SELECT '${enterprise}', printf('r%07d', i), 'web', 'w' || (i % 40), 'g' || (i % 4), 'u' || (i % 20), ${startedAt},
          '[]', 'credits', 5, ${CYCLE}, 5, 1, 1 FROM n`,
    ),
    db.prepare(
      `${numbers} INSERT INTO run_models (enterprise, run, model, used, started_at_ms, revision)
        SELECT '${enterprise}', printf('r%07d', i), 'm' || (i / 20 % 2), 1, ${startedAt}, 1 FROM n`,
    ),
    db.prepare(
      `${numbers} INSERT INTO entries (enterprise, seq, at_ms, type, caused_by, facts)
        SELECT '${enterprise}', 10 + i, ${startedAt}, 'run_closed', 'agent', '{}' FROM n`,
    ),
    db.prepare(
      `INSERT INTO entries (enterprise, seq, at_ms, type, caused_by, facts)
        SELECT '${enterprise}', value, ${NOW}, 'cap_changed', 'operator', '{"from_micros":null,"to_micros":5}' FROM json_each('[1,2]')`,
    ),
    db.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 400)
        INSERT INTO usage_by_dimension (enterprise, unit, cycle_starts_at_ms, dimension, id, requests, amount_micros,
          revision, magnitude, magnitude_revision)
        SELECT '${enterprise}', 'credits', c.value, 'workspace', 'w' || i, 1, 1000 - i, 1, ${magnitude("CAST(1000 - i AS TEXT)")}, 1
        FROM n, json_each('${JSON.stringify(CYCLES)}') AS c`,
    ),
    db.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${30 * COMBINATIONS})
        INSERT INTO usage_cube (enterprise, day_starts_at_ms, cycle_starts_at_ms, unit, workspace, group_id, user, model,
          tier, surface, amount_micros, cycle_micros, requests, model_requests, meter_requests, savings_micros, kinds, hours, revision)
        SELECT '${enterprise}', ${CYCLE} + (i / ${COMBINATIONS}) * 86400000, ${CYCLE}, 'credits', 'w' || (i % 40),
          'g' || (i % 4), 'u' || (i % 20), 'm' || (i / 40 % 5), 'standard', 'web', 5, 5, 1, 1, 1, 0, '{"input":[9,5]}', '{}', 1 FROM n`,
    ),
    db.prepare(
      `WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < 3000)
        INSERT INTO usage_daily (enterprise, unit, starts_at_ms, surface, amount_micros, revision)
        SELECT '${enterprise}', 'credits', ${Date.parse("2026-11-23T00:00:00.000Z")} - i * 86400000, 'web', 1, 1 FROM n`,
    ),
  ]);
}

const QUERIES: Record<string, { ask: (copy: CheckedCopy, enterprise: string) => Promise<unknown>; maxRows: number }> = {
  "the chart": {
    ask: (copy, enterprise) => readTimeseries(copy, enterprise, "credits", "day", spansOf("30d", NOW, "UTC").spans),
    maxRows: 62,
  },
  "a page of a table": {
    ask: (copy, enterprise) => readTop(copy, topOf(enterprise), 10, null),
    // The largest amount is 1000, and the other 399 have the next magnitude. SQLite counts a row again when it sorts it.
    maxRows: 2 * 400 + 3 * 11,
  },
  "a later page of a table": {
    ask: (copy, enterprise) => readTop(copy, topOf(enterprise), 10, { amountMicros: 800, id: "w200" }),
    maxRows: 2 * 400 + 3 * 11,
  },
  "the number of rows of a table": { ask: (copy, enterprise) => countTop(copy, topOf(enterprise), 100), maxRows: 101 },
  "the total of a cycle": { ask: (copy, enterprise) => readCycleTotal(copy, topOf(enterprise)), maxRows: 1 },
  "one row of a table": { ask: (copy, enterprise) => readTopRow(copy, topOf(enterprise), "w3"), maxRows: 2 },
  "the trends of a page of a table": {
    ask: (copy, enterprise) => readTrends(copy, topOf(enterprise), PAGE),
    // 60 rows, the list of ids for each of 6 cycles, and the steps between the cycles.
    maxRows: 140,
  },
  "the newest runs": { ask: (copy, enterprise) => newestRuns(copy, enterprise, {}), maxRows: 33 },
  "the newest runs of a user": {
    ask: (copy, enterprise) => newestRuns(copy, enterprise, { user: "u3" }),
    maxRows: 33,
  },
  "later runs of a workspace": {
    ask: (copy, enterprise) =>
      newestRuns(copy, enterprise, { workspace: "w3" }, { value: NOW - 9 * 86_400_000, run: "r" }),
    maxRows: 33,
  },
  "the newest runs of a user in a workspace on a surface": {
    ask: (copy, enterprise) => newestRuns(copy, enterprise, { user: "u3", workspace: "w3", surface: "web" }),
    // Every second run of the user matches.
    maxRows: 66,
  },
  "the newest runs of a user with a model": {
    ask: (copy, enterprise) => newestRuns(copy, enterprise, { user: "u3", model: "m0" }),
    // Every second run of the user used the model, and each is looked up.
    maxRows: 99,
  },
  "the changes of the cap": { ask: (copy, enterprise) => readCapChanges(copy, enterprise, 10), maxRows: 3 },
  "the latest entries": { ask: (copy, enterprise) => readChanges(copy, enterprise, 10), maxRows: 3 },
};

/** Counts the rows of the queries themselves, without the check of the head, which reads one row. */
const uncheckedCopy = (counts: { rows: number }, enterprise: string) =>
  openCopy(countRowsRead(db, counts), enterprise, null);

function topOf(enterprise: string) {
  return { enterprise, unit: "credits", cycleStartsAtMs: CYCLE, dimension: "workspace" } as const;
}

it.each(Object.entries(QUERIES))("reads a bounded number of rows for %s", async (_, { ask, maxRows }) => {
  const [short, long] = [{ rows: 0 }, { rows: 0 }];
  await ask(uncheckedCopy(short, "short"), "short");
  await ask(uncheckedCopy(long, "long"), "long");
  expect(long.rows).toBeLessThanOrEqual(maxRows);
  // The end of an index range may cost one more row.
  expect(long.rows).toBeLessThanOrEqual(short.rows * 1.05 + 1);
});

/** Three filters: five models in one workspace of one user. */
const filtered = (enterprise: string) => ({
  ...{ enterprise, unit: "credits" as const, cycle: { startsAtMs: CYCLE, endsAtMs: CYCLE + 30 * 86_400_000 } },
  selection: { user: "u3", workspace: "w3", surface: "web" as const },
});
/** The rows of the filter whose index is followed, the user. */
const MATCHING = (30 * COMBINATIONS) / 20;

it.each([
  [
    "a table",
    (copy: CheckedCopy, of: ReturnType<typeof filtered>) => {
      return readTopPage(copy, { ...of, dimension: "model" }, { limit: 10, sort: "amount", search: null, after: null });
    },
    1,
  ],
  ["the kinds", readKinds, 2],
  [
    "the chart",
    (copy: CheckedCopy, of: ReturnType<typeof filtered>) => {
      return readSeries(copy, of, "day", spansOf("30d", NOW, "UTC").spans);
    },
    1,
  ],
] as const)(
  "reads the matching rows of the cube for %s with three filters, however many runs there are",
  async (_, ask, times) => {
    const counts = [{ rows: 0 }, { rows: 0 }] as const;
    await ask(uncheckedCopy(counts[0], "short"), filtered("short"));
    await ask(uncheckedCopy(counts[1], "long"), filtered("long"));
    expect(counts[1].rows).toBe(counts[0].rows);
    // SQLite counts a row again when it sorts or groups it.
    expect(counts[1].rows).toBeLessThanOrEqual(times * 1.6 * MATCHING + 20);
  },
);

it.each([
  ["runs", ["run"], ["r0000100"], ["r0000200"]],
  ["run_models", ["run", "model"], ["r0000100", "m9"], ["r0000200", "m9"]],
  ["entries", ["seq"], [110], [210]],
  [
    "usage_by_dimension",
    ["unit", "cycle_starts_at_ms", "dimension", "id"],
    ["credits", CYCLE, "workspace", "w100"],
    ["credits", CYCLE, "workspace", "w191"],
  ],
] as const)("reads only the range that an audit compares, in %s", async (table, keys, after, last) => {
  const counts = { rows: 0 };
  const never = () => false;
  const rows = { table, columns: keys, keys: keys.length, values: [] };
  const range = { rows, after, last, isWaiting: never, isNewer: never, isOld: never };
  const { faults } = await compareRange(countRowsRead(db, counts), "long", range);
  expect(faults.length).toBe(100);
  // Each end of an index range may cost one more row.
  expect(counts.rows).toBeLessThanOrEqual(102);
});

it("reads what a row used in up to five cycles before, oldest first", async () => {
  const trends = await readTrends(uncheckedCopy({ rows: 0 }, "short"), topOf("short"), ["w3", "unknown"]);
  expect(trends.get("w3")).toEqual([997, 997, 997, 997, 997, 997]);
  expect(trends.get("unknown")).toEqual([0, 0, 0, 0, 0, 0]);
  const first = { ...topOf("short"), cycleStartsAtMs: CYCLES.at(-1) as number };
  expect(await readTrends(uncheckedCopy({ rows: 0 }, "short"), first, ["w3"])).toEqual(new Map([["w3", [997]]]));
});

it("looks through a bounded number of runs for a combination that no run has", async () => {
  const counts = { rows: 0 };
  const query = { startedFromMs: null, startedToMs: null, sort: "newest", limit: 10, after: null } as const;
  const selection = { user: "u3", workspace: "w4", surface: "web" } as const;
  const copy = uncheckedCopy(counts, "long");
  const { runs, next } = await readRunPage(copy, { ...query, enterprise: "long", selection }, 500);
  expect(runs).toEqual([]);
  expect(next).not.toBe(null);
  // Each run is found in the index and read, and the end of the page is found in the index.
  expect(counts.rows).toBeLessThanOrEqual(3 * 500 + 10);
});
