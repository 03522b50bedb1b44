// One agent run of the demo editor: asks whether it may start, reports running totals while its model "streams",
// stops when an answer says so, and closes its meter. Costs more than the demo's background runs, so that the usage
// bar visibly moves; a few large runs use up an enterprise's credits.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { type Call, describeProblem } from "../kit/http.ts";
import { aroundMedian } from "../kit/random.ts";
import { costOfMeters, metersOf, scaleUsage } from "./runs.ts";
import type { DemoEnterprise } from "./world.ts";

/** How much a run costs. */
type RunSize = "small" | "large";

/** What the page shows of a run, in this order: its start, the answer to each report, its end. */
export type RunStep =
  | { kind: "refused"; detail: string }
  | { kind: "started"; run: string; model: string }
  | { kind: "report"; charged_micros: number; run_total_micros: number; remaining_micros: number | null; unit: string }
  | { kind: "ended"; reason: string | null };

const SIZES: Record<RunSize, { shareOfTotal: number; reports: number }> = {
  small: { shareOfTotal: 0.002, reports: 20 },
  large: { shareOfTotal: 0.06, reports: 40 },
};
const REPORT_EVERY_MS = 300;
/** Used as the total if the enterprise has no limit. */
const MICROS_WITHOUT_LIMIT = 20_000_000;

export function isRunSize(size: unknown): size is RunSize {
  return size === "small" || size === "large";
}

/** Does one run with an agent's key and yields each step as it happens. */
export async function* runForEditor(
  enterprise: DemoEnterprise,
  book: PriceBook,
  call: Call,
  size: RunSize,
): AsyncGenerator<RunStep> {
  const path = `/v1/enterprises/${enterprise.id}`;
  const gauge = await call("GET", `${path}/gauge`);
  if (gauge.status !== 200) return yield { kind: "refused", detail: describeProblem(gauge) };
  const { total_micros } = gauge.body as { total_micros: number | null };
  const { shareOfTotal, reports } = SIZES[size];
  const targetMicros = aroundMedian(Math.random, (total_micros || MICROS_WITHOUT_LIMIT) * shareOfTotal, 1.2);
  const [meter] = metersOf(enterprise, book, Math.random);
  const { model, usage } = meter!;
  const factor = targetMicros / Math.max(1, costOfMeters([meter!], enterprise, book));

  const run = `editor-${randomUUID()}`;
  const attribution = { run, surface: "web", workspace: enterprise.workspaces[0]!.id, user: enterprise.users[0]!.id };
  const started = await call("POST", `${path}/runs`, { ...attribution, model });
  if (started.status !== 201) return yield { kind: "refused", detail: describeProblem(started) };
  yield { kind: "started", run, model };

  for (let reached = 1; ; reached += 1) {
    const final = reached === reports;
    const report = { ...attribution, model, usage: scaleUsage(usage, (factor * reached) / reports), final };
    const answer = await call("POST", `${path}/debits`, report);
    if (answer.status !== 200) return yield { kind: "refused", detail: describeProblem(answer) };
    const debit = answer.body as Omit<RunStep & { kind: "report" }, "kind"> & { action: string; reason: string | null };
    const { charged_micros, run_total_micros, remaining_micros, unit, action, reason } = debit;
    yield { kind: "report", charged_micros, run_total_micros, remaining_micros, unit };
    if (final) return yield { kind: "ended", reason: null };
    if (action === "stop") {
      await call("POST", `${path}/debits`, { ...report, final: true });
      return yield { kind: "ended", reason };
    }
    await sleep(REPORT_EVERY_MS);
  }
}
