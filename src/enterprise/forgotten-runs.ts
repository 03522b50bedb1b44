/**
 * A run that never reported is forgotten after 35 days (rule R10), but its row is deleted once a day only. Until then the
 * row must not refuse a new run under its id. So the row is deleted, and the reports are decided again. This file does not
 * know where rows are stored.
 */
import type { Denied } from "../access/refusals.ts";
import type { Report } from "../ledger/debit.ts";
import { METER_RETENTION_MS } from "../ledger/meter.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import type { DebitAnswerJson } from "../wire/debit-answer.ts";

/** Whether a request is refused because of what is known about its run. */
export function blamesKnownRun({ refusal }: Refused | Denied): boolean {
  return refusal.code === "run_too_old" || refusal.code === "run_attribution_conflict";
}

type Answer = DebitAnswerJson | Refused;
type Deps = {
  ledger: { nowMs(): AtMs };
  /** Deletes those of these runs that are forgotten, and returns which these were. */
  jobs: { forgetRuns(runs: readonly string[]): Promise<string[]> };
  decide(reports: readonly Report[]): Promise<Answer[] | Refused | Denied>;
};

/** Returns these answers, with those of reports that were refused only because of a forgotten run decided again. */
export async function retryForgotten(
  reports: readonly Report[],
  answers: Answer[],
  { ledger, jobs, decide }: Deps,
): Promise<Answer[]> {
  const blamed = reports.filter((_, i) => {
    const answer = answers[i] as Answer;
    return isRefusal(answer) && blamesKnownRun(answer);
  });
  const begun = blamed.filter((report) => mayBegin(report, ledger.nowMs()));
  if (begun.length === 0) return answers;
  const forgotten = new Set(await jobs.forgetRuns([...new Set(begun.map(({ run }) => run))]));
  // Once one of them has begun the run, the others need not say who it runs for.
  const again = blamed.filter(({ run }) => forgotten.has(run));
  const decided = again.length === 0 ? [] : await decide(again);
  if (isRefusal(decided)) return answers;
  const known = new Map(again.map((report, i) => [report, decided[i] as Answer]));
  return answers.map((answer, i) => known.get(reports[i] as Report) ?? answer);
}

/** Whether a report says enough to begin a run, which is not too old. */
function mayBegin({ surface, workspace, user, startedAtMs }: Report, nowMs: AtMs): boolean {
  const isComplete = surface !== undefined && workspace !== undefined && user !== undefined;
  return isComplete && startedAtMs !== undefined && nowMs - startedAtMs <= METER_RETENTION_MS;
}
