/** Reads the numbers that the usage page shows, and what it should show according to the reference of random usage. */
import { expect } from "vitest";
import { senderWith } from "./api.ts";
import { CYCLES, type RandomUsage, type Selection } from "./random-usage.ts";
import { sessionCookie } from "./sessions.ts";

const DAY_MS = 86_400_000;
const TABLES = ["workspace", "group", "user", "model"] as const;
const MAX_RUNS = 10;

type Table = { rows: Record<string, string[]>; total: string[] };

type UsagePage = {
  text: string;
  /** The cells of each table: requests and amount. */
  tables: Record<(typeof TABLES)[number], Table>;
  /** The drawn values in micros. */
  chart: { web: number[]; cli: number[] };
  /** The amounts of the listed runs by id, in their order. */
  runs: [run: string, amount: string][];
};

/** Reads the page without JavaScript. */
export async function readUsagePage(usage: RandomUsage, query: URLSearchParams): Promise<UsagePage> {
  const headers = await sessionCookie(usage.enterprise.id);
  const { status, text } = await senderWith(null)("GET", `/settings/usage?${query}`, undefined, { headers });
  expect([String(query), status]).toEqual([String(query), 200]);
  const figure = JSON.parse(unescapeHtml(/data-chart="([^"]*)"/.exec(text)?.[1] ?? "null"));
  const drawn = (key: string): number[] => {
    const { values } = figure.series.find((series: { key: string }) => series.key === key);
    return values.map((value: number | null) => Math.round((value ?? 0) * 1_000_000));
  };
  const tables = TABLES.map((table) => {
    const rows = [...text.matchAll(new RegExp(`<tr id="row-${table}-([^"]*)">(.*?)</tr>`, "gs"))];
    const foot = new RegExp(`<tfoot id="foot-${table}">.*?<tr class="total">(.*?)</tr>`, "s").exec(text)?.[1];
    return [table, { rows: Object.fromEntries(rows.map(([, id, row]) => [id, cellsOf(row)])), total: cellsOf(foot) }];
  });
  const runs = [...text.matchAll(/<tr role="row" id="run-([^"]*)">(.*?)<\/tr>/gs)];
  return {
    text,
    tables: Object.fromEntries(tables),
    chart: { web: drawn("web"), cli: drawn("cli") },
    runs: runs.map(([, run = "", row]) => [run, cellsOf(row).at(-1) ?? ""]),
  };
}

/** Expects the page of each cycle to equal the reference: its tables, its chart by day, its runs, and its headline. */
export async function checkUsagePages(usage: RandomUsage, selection: Selection): Promise<void> {
  const charged = new Map<string, number>();
  for (const debit of usage.debits) charged.set(debit.run, (charged.get(debit.run) ?? 0) + debit.charged);
  for (const [i, cycle] of CYCLES.entries()) {
    const query = new URLSearchParams({ ...selection, cycle });
    const startsAtMs = Date.parse(cycle);
    const endsAtMs = Date.parse(CYCLES[i + 1] ?? "");
    const isPast = Number.isFinite(endsAtMs);
    // The page of the current cycle has its last 7 days, unless other dates are chosen.
    if (!isPast)
      for (const [name, date] of [
        ["from", "2026-02-15"],
        ["to", "2026-03-10"],
      ] as const)
        query.set(name, date);
    const { text, tables, chart, runs } = await readUsagePage(usage, query);
    const selected = usage.select(selection);
    const ofCycle = selected.filter((debit) => debit.cycle === cycle);
    const total = sumOf(ofCycle.map((debit) => debit.ofCycle));
    for (const table of TABLES) {
      const byModel = table === "model" || selection.model !== undefined;
      const countOf = (debits: typeof selected) =>
        withCommas(debits.filter((debit) => (byModel ? debit.firstOfModel : debit.firstOfRun)).length);
      const expected = Object.groupBy(ofCycle, (debit) => debit[table]);
      const rows = Object.entries(expected).map(([id, debits = []]) => {
        return [id, [countOf(debits), showCredits(sumOf(debits.map((debit) => debit.ofCycle)))]];
      });
      const seen = Object.fromEntries(Object.entries(tables[table].rows).map(([id, cells]) => [id, cells.slice(0, 2)]));
      expect([selection, cycle, table, seen]).toEqual([selection, cycle, table, Object.fromEntries(rows)]);
      expect([selection, cycle, table, ...tables[table].total.slice(0, 2)]).toEqual([
        ...[selection, cycle, table, countOf(ofCycle)],
        showCredits(total),
      ]);
    }
    if (Object.keys(selection).length > 0) expect(text).toContain(`${showCredits(total)} credits in this cycle, `);
    const days = (surface: string) =>
      Array.from({ length: isPast ? (endsAtMs - startsAtMs) / DAY_MS : 24 }, (_, day) => {
        const from = startsAtMs + day * DAY_MS;
        const arrived = selected.filter(({ atMs }) => atMs >= from && atMs < from + DAY_MS);
        return sumOf(arrived.filter((debit) => debit.surface === surface).map((debit) => debit.charged));
      });
    expect([selection, cycle, chart]).toEqual([selection, cycle, { web: days("web"), cli: days("cli") }]);
    const ids = [...new Set(selected.map(({ run }) => run))].filter(
      (run) => !isPast || (usage.startOf(run) >= startsAtMs && usage.startOf(run) < endsAtMs),
    );
    const newest = ids.sort((a, b) => usage.startOf(b) - usage.startOf(a) || (a < b ? 1 : -1)).slice(0, MAX_RUNS);
    expect([selection, cycle, runs]).toEqual([
      ...[selection, cycle],
      newest.map((run) => [run, showCredits(charged.get(run) ?? 0)]),
    ]);
  }
}

/** Prints credits as the page does: whole from 100 on, else with one decimal. */
function showCredits(micros: number): string {
  if (micros === 0) return "0";
  const tenths = Math.round(Math.abs(micros) / 100_000);
  const sign = micros < 0 ? "\u2212" : "";
  if (tenths === 0) return micros < 0 ? ">\u22120.1" : "<0.1";
  if (tenths < 1_000) return `${sign}${(tenths / 10).toFixed(1)}`;
  return sign + withCommas(Math.round(Math.abs(micros) / 1_000_000));
}

function withCommas(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Parses a count as the page prints it. */
export function parseCount(text: string | undefined): number {
  return Number(text?.replaceAll(",", ""));
}

function cellsOf(row = ""): string[] {
  const cells = [...row.matchAll(/<td[^>]*>(.*?)<\/td>/gs)].map(([, cell = ""]) => unescapeHtml(cell));
  return cells.map((cell) => cell.replace(/<[^>]+>/g, "").trim());
}

function unescapeHtml(text: string): string {
  return text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");
}

const sumOf = (numbers: readonly number[]) => numbers.reduce((sum, n) => sum + n, 0);
