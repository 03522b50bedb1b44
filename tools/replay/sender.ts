// Sends the reports of many runs over a limited number of connections, as a host of many agents would: a free
// connection takes everything that is pending, up to one batch.
// A run advances only when an answer arrives. Otherwise the same report is sent again, which is harmless because
// reports carry running totals.
import type { Unit } from "../kit/expected-cost.ts";
import { type Call, describeProblem } from "../kit/http.ts";
import { RunQueue } from "./queue.ts";
import type { ReplayRun } from "./runs.ts";

/** How to send. */
export interface SendOptions {
  enterprise: string;
  model: string;
  batch: number;
  concurrency: number;
  speedRatio: number | null;
  clockOffsetMs: number;
}

/** How much was sent. The answers are stored in the runs. */
interface SendCounts {
  requests: number;
  reports: number;
}

/** The ledger's answer to one report: a debit or a problem. */
interface ReportAnswer {
  run?: string;
  run_total_micros?: number;
  unit?: Unit;
  seq?: number;
  status?: number;
  code?: string;
  detail?: string;
}

/** A run and how many of its next reports are sent now. */
interface Pending {
  run: ReplayRun;
  count: number;
}

const BUSY_PAUSE_MS = 500;
const BUSY_STATUSES = [429, 503];
const REFUSED_STATUSES = [409, 410, 422];

/** Sends all reports of all runs and stores the answers in the runs. `onRunDone` gets the number of finished runs. */
export async function sendRuns(
  runs: ReplayRun[],
  call: Call,
  options: SendOptions,
  onRunDone: (done: number) => void,
): Promise<SendCounts> {
  const { enterprise, model, batch, concurrency, speedRatio, clockOffsetMs } = options;
  const path = `/v1/enterprises/${encodeURIComponent(enterprise)}/debits`;
  // Twice as many as can be in flight, so that a free connection always finds a full batch of different runs.
  const openRuns = 2 * batch * concurrency;
  const queue = new RunQueue(runs, { speedRatio, openRuns, clockOffsetMs, onRunDone });
  const counts: SendCounts = { requests: 0, reports: 0 };

  const connection = async (): Promise<void> => {
    while (await queue.wait()) {
      const pending = takePending(queue, batch);
      if (pending.length === 0) continue;
      const reports = pending.flatMap(({ run, count }) => reportBodies(run, count, model));
      const answers = await postReports(call, path, reports);
      counts.requests += 1;
      counts.reports += reports.length;
      for (const { run, count } of pending) {
        const pauseMs = settleRun(run, answers.splice(0, count)) ? 0 : BUSY_PAUSE_MS;
        queue.giveBack(run, pauseMs);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: concurrency }, connection));
  } finally {
    queue.close();
  }
  return counts;
}

function takePending(queue: RunQueue, batch: number): Pending[] {
  const pending: Pending[] = [];
  let room = batch;
  for (let run = room > 0 ? queue.take() : null; run; run = room > 0 ? queue.take() : null) {
    let count = 1;
    while (count < room && run.deliveries[run.next + count - 1]!.withNext) count += 1;
    pending.push({ run, count });
    room -= count;
  }
  return pending;
}

function reportBodies(
  { run, surface, workspace, user, startedAt, deliveries, next }: ReplayRun,
  count: number,
  model: string,
) {
  return deliveries.slice(next, next + count).map(({ report: { usage, final } }) => {
    return { run, model, usage, surface, workspace, user, started_at: startedAt, final };
  });
}

/** Advances a run by its answers, up to the first that is lost. Returns false if the run has to pause. */
function settleRun(run: ReplayRun, answers: ReportAnswer[]): boolean {
  for (const answer of answers) {
    if (BUSY_STATUSES.includes(answer.status ?? 200)) return false;
    if (answer.status !== undefined) {
      run.refusal = [answer.status, answer.code, answer.detail].filter(Boolean).join(" ");
      run.next = run.deliveries.length;
      return true;
    }
    const delivery = run.deliveries[run.next]!;
    if (delivery.loseAnswer) {
      delivery.loseAnswer = false;
      return true;
    }
    storeAnswer(run, answer);
    run.next += 1;
  }
  return true;
}

/** Keeps the newest answer. That is the one with the largest seq, because answers may arrive out of order. */
function storeAnswer(run: ReplayRun, answer: ReportAnswer): void {
  const { run: name, run_total_micros: total, seq, unit } = answer;
  const areIntegers = Number.isSafeInteger(total) && Number.isSafeInteger(seq);
  if (name !== run.run || !areIntegers || (unit !== "credits" && unit !== "usd")) {
    throw new Error(
      `The answer to a report of ${run.run} does not have the documented shape: ${JSON.stringify(answer)}`,
    );
  }
  if (run.lastAnswer && run.lastAnswer.seq > seq!) return;
  run.lastAnswer = { seq: seq!, totalMicros: BigInt(total!), unit };
}

/** Sends one report by itself, several as a batch. Returns one answer per report. */
async function postReports(call: Call, path: string, reports: object[]): Promise<ReportAnswer[]> {
  const single = reports.length === 1;
  const answer = await call("POST", path, single ? reports[0] : { reports });
  const body = answer.body as (ReportAnswer & { results?: ReportAnswer[] }) | null;
  if (single && body && answer.status === 200) return [body];
  if (single && body && REFUSED_STATUSES.includes(answer.status)) return [{ ...body, status: answer.status }];
  if (answer.status !== 200) throw new Error(`POST ${path} was refused: ${describeProblem(answer)}`);
  if (body?.results?.length !== reports.length) throw new Error(`POST ${path} did not return one result per report.`);
  return [...body.results];
}
