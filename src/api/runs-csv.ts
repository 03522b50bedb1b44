/**
 * GET …/runs.csv exports this cycle's runs for spreadsheets, streamed page by page from the copy in D1. `cycle_micros`
 * is the part of a run's charge that counts in this cycle. This column adds up to the gauge's `used_micros`. A cell
 * that a spreadsheet would read as a formula starts with an apostrophe.
 */
import type { CheckedCopy } from "../copy/checked-copy.ts";
import { type RunFilter, readCycleRuns } from "../copy/read.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { readCopy } from "../operations/read-copy.ts";
import { csvCell } from "../wire/csv.ts";
import { showRun } from "../wire/run.ts";
import { refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";
import { runFilter } from "./runs.ts";

const COLUMNS = [
  "run",
  "surface",
  "workspace",
  "group",
  "user",
  "started_at",
  "last_report_at",
  "models",
  "unit",
  "charged_micros",
  "cycle_micros",
  "final",
] as const;
const PAGE_ROWS = 1_000;

export const runsCsvRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/enterprises/{e}/runs.csv",
      name: "exportRuns",
      summary: "Export this cycle's runs as CSV",
      details:
        "`cycle_micros` is the part of a run's charge that counts in this cycle. This column adds up to the gauge's `used_micros`.",
      refusals: ["copy_unavailable"],
      tag: "Readers",
      access: { scope: "read", session: true, costly: true, operatorScopes: ["metrics"] },
      answers: { 200: { description: "The table", schema: z.string(), contentType: "text/csv" } },
    }),
    request: { params: inEnterprise, query: runFilter },
  }),
  async (c) => {
    const view = await enterpriseStub(c.env, c.var.address).copyView(c.var.caller);
    if (isRefusal(view)) return refused(c, view.refusal);
    const copy = readCopy(c.env, c.executionCtx, c.var.address, view.copy);
    const lines = csvLines(copy, c.var.enterprise, view.cycleStartsAtMs, c.req.valid("query"));
    const name = `runs-${c.var.enterprise.replaceAll(/[^A-Za-z0-9_-]/g, "_")}-${view.gauge.cycle.starts_at.slice(0, 10)}.csv`;
    // If the copy cannot be read, this throws before the response starts.
    const first = await lines.next();
    return c.body(streamOf(first, lines), 200, {
      "Content-Type": "text/csv; charset=utf-8",
      "Content-Disposition": `attachment; filename="${name}"`,
    });
  },
);

/**
 * Reads lines as the client consumes them. An error aborts the transfer, so an incomplete file cannot look complete.
 */
function streamOf(first: IteratorResult<string>, lines: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let read: IteratorResult<string> | null = first;
  return new ReadableStream({
    async pull(controller) {
      const { value, done } = read ?? (await lines.next());
      read = null;
      if (done === true) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    async cancel() {
      await lines.return(undefined);
    },
  });
}

async function* csvLines(db: CheckedCopy, enterprise: string, cycleStartsAtMs: number, filter: RunFilter) {
  let header = `${COLUMNS.join(",")}\r\n`;
  for (let after: { startedAtMs: number; run: string } | null = null; ; ) {
    const runs = await readCycleRuns(db, enterprise, cycleStartsAtMs, filter, PAGE_ROWS, after);
    const rows = runs.map((run) => ({ ...showRun(run), cycle_micros: run.cycleMicros }));
    yield header + rows.map((row) => `${COLUMNS.map((column) => csvCell(row[column])).join(",")}\r\n`).join("");
    header = "";
    const last = runs.at(-1);
    if (last === undefined || runs.length < PAGE_ROWS) return;
    after = { startedAtMs: last.startedAtMs, run: last.run };
  }
}
