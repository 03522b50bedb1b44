// Plans how a request of a trace is reported: running totals while the model streams, then the final totals.
// Pure, so that tests can check what the comparison relies on: under chaos too, no report exceeds the final totals,
// and the final report is delivered.

import type { TokenTotals } from "../kit/expected-cost.ts";
import { type Random, shuffled, wholeBetween } from "../kit/random.ts";

/** One report of a run: the totals so far, and when they are known. */
interface PlannedReport {
  usage: TokenTotals;
  final: boolean;
  /** Milliseconds after the run's start, in trace time. */
  dueMs: number;
}

/** One delivery of a report. */
export interface Delivery {
  report: PlannedReport;
  /** Treat the answer as lost, and send the same report again. */
  loseAnswer: boolean;
  /** Send it in the same request as the run's next delivery. */
  withNext: boolean;
}

/** The model first reads the prompt, then writes at a steady rate. */
const FIRST_TOKENS_AFTER_MS = 400;
const MS_PER_OUTPUT_TOKEN = 15;
const MAX_REPORTS_BETWEEN = 5;
const TOKENS_PER_REPORT = 40;

/** A first report with all input and a few output tokens, reports with growing output, and the final report. */
export function planReports(usage: TokenTotals, random: Random): PlannedReport[] {
  const between = Math.min(MAX_REPORTS_BETWEEN, Math.ceil(usage.output_tokens / TOKENS_PER_REPORT));
  const outputs = [Math.min(usage.output_tokens, wholeBetween(random, 1, 12))];
  for (let i = 0; i < between; i += 1) outputs.push(wholeBetween(random, 0, usage.output_tokens));
  outputs.sort((a, b) => a - b);
  const growing = outputs.map((output) => ({
    usage: { ...usage, output_tokens: output },
    final: false,
    dueMs: FIRST_TOKENS_AFTER_MS + output * MS_PER_OUTPUT_TOKEN,
  }));
  return [...growing, { usage, final: true, dueMs: FIRST_TOKENS_AFTER_MS + usage.output_tokens * MS_PER_OUTPUT_TOKEN }];
}

/** Delivers each report once, in order. */
export function deliverOnce(reports: readonly PlannedReport[]): Delivery[] {
  return reports.map((report) => ({ report, loseAnswer: false, withNext: false }));
}

/**
 * Delivers reports as a bad network would: some intermediate ones dropped, some sent twice, some out of order (the
 * final one may come before others), some answers lost, some reports combined into one request.
 */
export function deliverWithChaos(reports: readonly PlannedReport[], random: Random): Delivery[] {
  const kept = reports.filter((report) => report.final || random() > 0.15);
  const duplicated = kept.flatMap((report) => (random() < 0.15 ? [report, report] : [report]));
  const ordered = random() < 0.3 ? shuffled(random, duplicated) : duplicated;
  return ordered.map((report, index) => ({
    report,
    loseAnswer: random() < 0.05,
    withNext: index < ordered.length - 1 && random() < 0.15,
  }));
}
