// How one request of a trace is told to the ledger: running totals while the model streams, then the final ones.
// Pure, so that the property on which the comparison rests can be tested: whatever chaos does to the reports, each
// one stays at or below the final totals, and the final report is delivered.
import { type Random, shuffled, wholeBetween } from "../kit/random.ts";
import type { TokenTotals } from "./trace.ts";

/** One report of a run: totals so far, and when in the run they are known. */
interface PlannedReport {
  usage: TokenTotals;
  final: boolean;
  /** Milliseconds since the run's start, in the time of the trace. */
  dueMs: number;
}

/** One sending of a report. */
export interface Delivery {
  report: PlannedReport;
  /** The answer is treated as lost: the same report is sent again. */
  loseAnswer: boolean;
  /** Goes out in the same request as the run's next delivery. */
  withNext: boolean;
}

/** The model reads the prompt before it writes; then it writes at a steady rate. */
const FIRST_TOKENS_AFTER_MS = 400;
const MS_PER_OUTPUT_TOKEN = 15;
const MOST_REPORTS_BETWEEN = 5;
const TOKENS_PER_REPORT = 40;

/** A first report with the input known and a few output tokens, growing output totals, and the final report. */
export function planReports(usage: TokenTotals, random: Random): PlannedReport[] {
  const between = Math.min(MOST_REPORTS_BETWEEN, Math.ceil(usage.output_tokens / TOKENS_PER_REPORT));
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

/** The reports in their order, each sent once. */
export function deliverOnce(reports: readonly PlannedReport[]): Delivery[] {
  return reports.map((report) => ({ report, loseAnswer: false, withNext: false }));
}

/**
 * The same reports as a bad network delivers them: some intermediate ones dropped, some sent twice, some in another
 * order (a final may come before the reports it completes), some answers lost, some put into one request.
 */
export function deliverWithChaos(reports: readonly PlannedReport[], random: Random): Delivery[] {
  const kept = reports.filter((report) => report.final || random() > 0.15);
  const doubled = kept.flatMap((report) => (random() < 0.15 ? [report, report] : [report]));
  const ordered = random() < 0.3 ? shuffled(random, doubled) : doubled;
  return ordered.map((report, index) => ({
    report,
    loseAnswer: random() < 0.05,
    withNext: index < ordered.length - 1 && random() < 0.15,
  }));
}
