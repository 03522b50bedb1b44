/**
 * GET …/runs.csv exports a cycle's runs for people and their spreadsheets, streamed page by page from the copy in D1.
 * `cycle_micros` is the part of a run's charge that counts in the cycle. This column adds up to the cycle's use. A cell
 * that a spreadsheet would read as a formula starts with an apostrophe.
 */
import { type CycleRun, readCycleRunPage } from "../copy/read-runs.ts";
import { dateOf, localTime } from "../ledger/calendar.ts";
import { KINDS } from "../ledger/kinds.ts";
import type { Unit } from "../ledger/micros.ts";
import { formatRate } from "../ledger/prices.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { openUsage, type UsageView } from "../operations/usage-view.ts";
import { csvCell, streamLines } from "../wire/csv.ts";
import { showRun } from "../wire/run.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";
import { cycleField, selectionFields } from "./usage-query.ts";

const COLUMNS = [
  "run",
  "surface",
  "workspace",
  "workspace_name",
  "group",
  "group_name",
  "user",
  "user_name",
  "started_at",
  "last_report_at",
  "models",
  "unit",
  "amount",
  "charged_micros",
  "cycle_micros",
  ...KINDS.map(({ field }) => field),
  "price_book_version",
  "final",
] as const;

const PAGE_ROWS = 1_000;

export const runsCsvRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/runs.csv",
      name: "exportRuns",
      summary: "Export a cycle's runs as CSV",
      details:
        "A run appears in every cycle in which it was charged. `cycle_micros` is the part of its charge that counts in the cycle, and adds up to the cycle's use. `charged_micros`, and `amount` as a decimal, are its whole charge. Times are local, with their offset. A run with several models is one row, with the quantities of all of them. Filters can be combined.",
      refusals: ["copy_unavailable"],
      tag: "Readers",
      access: { scope: "read", session: true, costly: true, operatorScopes: ["metrics"] },
      answers: { 200: { description: "The table", schema: z.string(), contentType: "text/csv" } },
    }),
    request: { params: inEnterprise, query: z.strictObject({ cycle: cycleField, ...selectionFields }) },
  }),
  async (c) => {
    const { cycle: cycleStartsAtMs, ...selection } = c.req.valid("query");
    const usage = await openUsage(c.env, c.executionCtx, c.var, { selection, cycleStartsAtMs });
    if (isRefusal(usage)) return refused(c, usage.refusal);
    const lines = csvLines(c.var.enterprise, usage);
    const day = dateOf(usage.cycle.startsAtMs, usage.view.timeZone);
    const name = `runs-${c.var.enterprise.replaceAll(/[^A-Za-z0-9_-]/g, "_")}-${day}.csv`;
    // If the copy cannot be read, this throws before the response starts.
    const first = await lines.next();
    return c.body(streamLines(first, lines), 200, {
      "Content-Type": "text/csv; charset=utf-8",
      "Content-Disposition": `attachment; filename="${name}"`,
    });
  },
);

async function* csvLines(enterprise: string, { copy, cycle, selection, view }: UsageView) {
  const query = { enterprise, selection, cycleStartsAtMs: cycle.startsAtMs, limit: PAGE_ROWS };
  let header = `${COLUMNS.join(",")}\r\n`;
  for (let after: { startedAtMs: number; run: string; unit: Unit } | null = null; ; ) {
    const runs: CycleRun[] = await readCycleRunPage(copy, { ...query, after });
    const rows = runs.map((run) => cellsOf(run, view.timeZone));
    yield header + rows.map((row) => `${COLUMNS.map((column) => csvCell(row[column] ?? null)).join(",")}\r\n`).join("");
    header = "";
    const last = runs.at(-1);
    if (last === undefined || runs.length < PAGE_ROWS) return;
    after = { startedAtMs: last.startedAtMs, run: last.run, unit: last.unit };
  }
}

function cellsOf(
  run: CycleRun,
  timeZone: string,
): Partial<Record<(typeof COLUMNS)[number], Parameters<typeof csvCell>[0]>> {
  const { usage, priceBookVersions: versions, lastReportAtMs } = run;
  return {
    ...showRun(run),
    workspace_name: run.workspaceName ?? run.workspace,
    group_name: run.groupName ?? run.group,
    user_name: run.userName ?? run.user,
    started_at: localTime(run.startedAtMs, timeZone),
    last_report_at: lastReportAtMs === null ? null : localTime(lastReportAtMs, timeZone),
    // Rates have as many decimals as amounts.
    amount: formatRate(run.chargedMicros),
    cycle_micros: run.cycleMicros,
    ...(usage === null ? {} : Object.fromEntries(KINDS.map(({ kind, field }) => [field, usage[kind] ?? 0]))),
    price_book_version: versions === null ? null : versions.length === 1 ? (versions[0] as number) : versions.join(" "),
  };
}
