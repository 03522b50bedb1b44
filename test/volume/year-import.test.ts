// A customer who comes from another system imports a year of days through the HTTP interface, into the built Worker, while
// agents already report. Every chart, table, cycle and export must show exactly what was imported, and no balance may
// change. `npm test` imports two months of 20 users. FUELGAUGE_IMPORT_USERS and FUELGAUGE_IMPORT_DAYS set other sizes;
// docs/scale.md has the figures of 500 users and 365 days.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { formatAmount } from "../../src/pages/kit/format.ts";
import { databaseOfCopy, databaseOfObject } from "../../tools/workerd/database-files.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { auditViolations } from "../crash/enterprise.ts";
import { builtWorker } from "../support/built-worker.ts";
import { makeRows, type Sum, sumBy, sumMicros, type UsageRow } from "./year-of-usage.ts";

const USERS = Number(process.env.FUELGAUGE_IMPORT_USERS ?? 20);
const DAYS = Number(process.env.FUELGAUGE_IMPORT_DAYS ?? 60);
/** The test clock stands still here, so the first cycle starts on 1 March. */
const NOW = "2026-03-10T12:00:00.000Z";
const FIRST_DAY = "2026-03-01";
const ROWS_PER_CALL = 1_000;
const TIMEOUT_MS = 60_000 + USERS * DAYS * 10;
const ID = "newcomer";
const PATH = `/v1/enterprises/${ID}`;
const MICROS_PER_DEBIT = 10_000 * 100;

const ROWS = makeRows(USERS, DAYS, FIRST_DAY);
const MONTHS = [...new Set(ROWS.map(({ day }) => day.slice(0, 7)))];

const directory = mkdtempSync(join(tmpdir(), "fuelgauge-volume-"));
const state = join(directory, "state");
let runtime: Runtime;
let key = "";
let objectId = "";

beforeAll(async () => {
  runtime = new Runtime(await builtWorker(), state);
  await runtime.start();
  await runtime.migrate();
  await call("PUT", PATH, { name: "Newcomer", billing_model: "credits", plan: "enterprise", test_clock: NOW });
  key = (await call("POST", `${PATH}/keys`, { name: "agents", scopes: ["debit", "read"] })).key;
  objectId = await (await runtime.ask(`id?${ID}`)).text();
});

afterAll(async () => {
  await runtime.stop();
  const size = (file: string) => {
    const database = new DatabaseSync(file, { readOnly: true });
    const pages = "SELECT page_count * page_size AS bytes FROM pragma_page_count, pragma_page_size";
    const bytes = Number(database.prepare(pages).get()?.bytes);
    database.close();
    return Math.round(bytes / ROWS.length);
  };
  console.info(`bytes a row: object ${size(databaseOfObject(state, objectId))}, copy ${size(databaseOfCopy(state))}`);
  rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
});

// biome-ignore lint/suspicious/noExplicitAny: the shapes of answers are what is under test
async function call(method: string, path: string, body?: unknown): Promise<any> {
  return runtime.call(method, path, body);
}
const get = (rest: string) => call("GET", `${PATH}/${rest}`);

const monthOf = ({ day }: UsageRow) => day.slice(0, 7);
const startOf = (month: string) => `${month}-01T00:00:00.000Z`;
const inMonth = (month: string) => ROWS.filter((row) => monthOf(row) === month);
const query = (fields: Record<string, string>) => new URLSearchParams(fields).toString();

/** Sends a debit of one credit again and again until `stop` is called. Returns how many, and the waiting times. */
function keepDebiting(): { stop(): Promise<{ debits: number; waitsMs: number[] }> } {
  let stopped = false;
  const waitsMs: number[] = [];
  const sent = (async () => {
    while (!stopped) {
      const run = `now-${waitsMs.length}`;
      const sinceMs = performance.now();
      const response = await fetch(`http://127.0.0.1:${runtime.port}${PATH}/debits`, {
        method: "POST",
        headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
        body: JSON.stringify({
          ...{ run, model: "gpt-5", usage: { input_tokens: 0, output_tokens: 1_000 }, surface: "cli" },
          ...{ workspace: "workspace-0", user: "user-0", started_at: NOW },
        }),
      });
      expect(response.status).toBe(200);
      expect(await response.json()).toMatchObject({ charged_micros: MICROS_PER_DEBIT });
      waitsMs.push(performance.now() - sinceMs);
      await sleep(20);
    }
  })();
  return {
    stop: async () => {
      stopped = true;
      await sent;
      return { debits: waitsMs.length, waitsMs };
    },
  };
}

let debits = 0;

it(`imports ${DAYS} days of ${USERS} users while agents report, and changes no balance`, {
  timeout: TIMEOUT_MS,
}, async () => {
  const before = await get("gauge");
  const agents = keepDebiting();
  const callsMs: number[] = [];
  const startedAtMs = performance.now();
  for (let from = 0; from < ROWS.length; from += ROWS_PER_CALL) {
    const rows = ROWS.slice(from, from + ROWS_PER_CALL);
    const sinceMs = performance.now();
    expect(await call("POST", `${PATH}/history`, { unit: "credits", rows })).toEqual({ rows: rows.length });
    callsMs.push(performance.now() - sinceMs);
  }
  const importedMs = performance.now() - startedAtMs;
  const total = sumMicros(ROWS);
  const { from, to } = { from: ROWS[0]?.day as string, to: ROWS.at(-1)?.day as string };
  const copied = async () => {
    const { buckets } = await get(`usage/timeseries?${query({ from, to, granularity: "month" })}`);
    return buckets.reduce((sum: number, { web_micros, cli_micros }: Bucket) => sum + web_micros + cli_micros, 0);
  };
  await expect.poll(copied, { timeout: TIMEOUT_MS, interval: 100 }).toBe(total);
  const copiedMs = performance.now() - startedAtMs;
  const traffic = await agents.stop();
  debits = traffic.debits;

  const after = await get("gauge");
  const changed = {
    ...{ seq: after.seq, as_of: after.as_of, used_micros: debits * MICROS_PER_DEBIT },
    ...{ monthly: after.monthly, remaining_micros: before.remaining_micros - debits * MICROS_PER_DEBIT },
    ...{ available_micros: before.available_micros - debits * MICROS_PER_DEBIT, used_percent: after.used_percent },
    ...{ avg_per_day_micros: after.avg_per_day_micros, run_out_days: after.run_out_days },
    ...{ run_out_at: after.run_out_at, on_track_to_run_out: after.on_track_to_run_out, alerts: after.alerts },
  };
  expect(after).toEqual({ ...before, ...changed });
  expect(after.monthly.used_micros).toBe(debits * MICROS_PER_DEBIT);
  expect(after.monthly.allowance_micros).toBe(before.monthly.allowance_micros);

  console.info(
    [
      `${ROWS.length} rows in ${callsMs.length} calls: ${(importedMs / 1000).toFixed(1)} s`,
      `a call ${figures(callsMs)}; the copy complete after ${(copiedMs / 1000).toFixed(1)} s`,
      `${debits} debits meanwhile: ${figures(traffic.waitsMs)}`,
    ].join("\n"),
  );
});

type Bucket = { starts_at: string; web_micros: number; cli_micros: number };

function figures(ms: readonly number[]): string {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (share: number) => `${(sorted[Math.floor(share * (sorted.length - 1))] ?? 0).toFixed(0)} ms`;
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, longest ${at(1)}`;
}

it("shows each day and each month in charts, with and without filters", { timeout: TIMEOUT_MS }, async () => {
  const window = { from: ROWS[0]?.day as string, to: ROWS.at(-1)?.day as string };
  const chart = async (fields: Record<string, string>): Promise<Bucket[]> =>
    (await get(`usage/timeseries?${query({ ...window, ...fields })}`)).buckets;
  const expected = (rows: UsageRow[], length: number) => {
    const sums = sumBy(rows, ({ day, surface }) => `${day.slice(0, length)} ${surface}`);
    return (bucket: Bucket) => {
      const start = bucket.starts_at.slice(0, length);
      const of = (surface: string) => sums.get(`${start} ${surface}`)?.micros ?? 0;
      return { ...bucket, web_micros: of("web"), cli_micros: of("cli") };
    };
  };
  const days = await chart({ granularity: "day" });
  expect(days).toHaveLength(DAYS);
  expect(days).toEqual(days.map(expected(ROWS, 10)));
  const months = await chart({ granularity: "month" });
  expect(months.map(({ starts_at }) => starts_at.slice(0, 7))).toEqual(MONTHS);
  expect(months).toEqual(months.map(expected(ROWS, 7)));
  const filters: Partial<UsageRow>[] = [
    { user: "user-7" },
    { workspace: "workspace-3", surface: "cli" },
    { group: "group-2", model: "gpt-5" },
    { user: "user-9", model: "claude-sonnet-4-5", surface: "web" },
    { user: "nobody" },
  ];
  for (const filter of filters) {
    const matching = ROWS.filter((row) =>
      Object.entries(filter).every(([name, value]) => row[name as "user"] === value),
    );
    const filtered = await chart({ granularity: "day", ...(filter as Record<string, string>) });
    expect(filtered, JSON.stringify(filter)).toEqual(filtered.map(expected(matching, 10)));
  }
});

it("shows each month in the tables, in the list of cycles and on its page", { timeout: TIMEOUT_MS }, async () => {
  const cookie = await runtime.cookie(ID);
  const { rows: cycles } = await get("cycles?limit=100");
  const imported = cycles.filter((cycle: { imported: boolean }) => cycle.imported);
  expect(imported.map(({ starts_at }: { starts_at: string }) => starts_at)).toEqual(MONTHS.map(startOf).toReversed());
  for (const [i, month] of MONTHS.entries()) {
    const rows = inMonth(month);
    const total = sumMicros(rows);
    const all = sumBy(rows, () => "all").get("all") as Sum;
    expect(imported.at(-1 - i)).toMatchObject({ credits: { used_micros: total }, requests: all.requests });
    for (const [dimension, field] of [
      ["workspaces", "workspace"],
      ["groups", "group"],
      ["users", "user"],
      ["models", "model"],
    ] as const) {
      const shown = await allPages(`usage/top/${dimension}`, { cycle: startOf(month), limit: "100" });
      expect(shown.total).toBe(total);
      const sums = sumBy(rows, (row) => row[field]);
      expect(new Map(shown.rows.map((row) => [row.id, [row.requests, row.amount_micros]]))).toEqual(
        new Map([...sums].map(([id, { requests, micros }]) => [id, [requests, micros]])),
      );
      const amounts = shown.rows.map(({ amount_micros }) => amount_micros);
      expect(amounts).toEqual(amounts.toSorted((a, b) => b - a));
      for (const { id, usage } of dimension === "models" ? shown.rows : []) {
        const { inputTokens, outputTokens } = sums.get(id) as Sum;
        expect(usage).toMatchObject({ input_tokens: inputTokens, output_tokens: outputTokens });
      }
    }
    const kinds = await get(`usage/kinds?${query({ cycle: startOf(month) })}`);
    expect(kinds.total_micros).toBe(total);
    const page = await fetch(`http://127.0.0.1:${runtime.port}/settings/usage?${query({ cycle: startOf(month) })}`, {
      headers: { cookie },
    });
    const headline = /<p class="headline">.*?<\/p>/s.exec(await page.text())?.[0].replace(/<[^>]+>/g, "");
    expect(headline).toBe(`${formatAmount(total, "credits")} credits used in this cycle`);
  }
});

type TopRow = { id: string; requests: number; amount_micros: number; usage?: Record<string, number> };

async function allPages(route: string, fields: Record<string, string>): Promise<{ total: number; rows: TopRow[] }> {
  const rows: TopRow[] = [];
  for (let cursor: string | null = ""; ; ) {
    const page = await get(`${route}?${query({ ...fields, ...(cursor ? { cursor } : {}) })}`);
    rows.push(...page.rows);
    cursor = page.next_cursor;
    if (cursor === null) return { total: page.total_micros, rows };
  }
}

it("exports each row as it was imported, and passes an audit, also after a rebuild", {
  timeout: TIMEOUT_MS,
}, async () => {
  const exported: string[] = [];
  for (let after: string | null = ""; after !== null; ) {
    const headers = { authorization: `Bearer ${runtime.operatorKey}` };
    const url: string = `http://127.0.0.1:${runtime.port}${PATH}/export?${query({ kind: "usage", ...(after ? { after } : {}) })}`;
    const lines: string[] = (await (await fetch(url, { headers })).text()).trim().split("\n");
    after = (JSON.parse(lines.pop() as string) as { next: string | null }).next;
    for (const line of lines) exported.push(lineOf(JSON.parse(line) as UsageRow));
  }
  const history = exported.filter((line) => !line.startsWith(NOW.slice(0, 10)));
  // Many rows are compared as text, because a difference of two long lists would take minutes to print.
  expect(history.sort().join("\n") === ROWS.map(lineOf).sort().join("\n")).toBe(true);
  expect(exported.length - history.length).toBe(debits === 0 ? 0 : 1);
  expect(await auditViolations(runtime, ID)).toEqual([]);
  await call("POST", `${PATH}/rebuild`);
  expect(await auditViolations(runtime, ID)).toEqual([]);
});

function lineOf({ day, surface, workspace, group, user, model, requests, amount_micros, usage }: UsageRow): string {
  const { input_tokens = 0, output_tokens = 0 } = usage;
  return [day, surface, workspace, group, user, model, requests, amount_micros, input_tokens, output_tokens].join(" ");
}
