// The demo's agents, which keep working as real ones would. Each asks before it starts a run, sometimes with a hold,
// reports running totals while its model streams, and stops when an answer says so.
// A run costs a small share of what the enterprise has left: the balance falls visibly and never runs out.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import type { Answer, Call } from "../kit/http.ts";
import { aroundMedian, wholeBetween } from "../kit/random.ts";
import { localTime } from "./rhythm.ts";
import { attributionOf, costOfMeters, type DemoRun, metersOf, scaleUsage } from "./runs.ts";
import type { DemoEnterprise } from "./world.ts";

/** How the demo's agents call Fuelgauge. */
export interface AgentCalls {
  /** Gives up soon: for reports that may be lost, because the next one repeats their totals. */
  brief: Call;
  /** Retries for minutes: for a run's final report, which must survive a restart of the server. */
  patient: Call;
}

const MAX_OPEN_RUNS = 3;
const REPORT_EVERY_MS = 700;
const HOLD_RATIO = 0.3;
const PAUSE_WHEN_REFUSED_MS = 60_000;
const PAUSE_AFTER_ERROR_MS = 5_000;
/** The median cost of a run if the enterprise has no limit to take a share of. */
const MICROS_WITHOUT_LIMIT = 20_000;
const MIN_RUN_MICROS = 2_000;
const CATCH_UP_FACTOR = 10;

/** The fields of a gauge that an agent reads. */
interface GaugeOfAgent {
  available_micros: number | null;
  on_track_to_run_out: boolean;
}

type RunOutcome = "done" | "refused";

/** Keeps starting runs of one enterprise until the process ends. */
export async function keepWorking(enterprise: DemoEnterprise, book: PriceBook, calls: AgentCalls): Promise<never> {
  let open = 0;
  let pauseMs = 0;
  for (;;) {
    await sleep(pauseMs || enterprise.live.everySeconds * 1000 * (0.5 + Math.random()));
    pauseMs = 0;
    if (open >= MAX_OPEN_RUNS) continue;
    open += 1;
    doRun(enterprise, book, calls)
      .then((outcome) => {
        if (outcome === "refused") pauseMs = PAUSE_WHEN_REFUSED_MS;
      })
      // The server does not answer, or has lost its data: wait and try again.
      .catch(() => {
        pauseMs = PAUSE_AFTER_ERROR_MS;
      })
      .finally(() => {
        open -= 1;
      });
  }
}

async function doRun(enterprise: DemoEnterprise, book: PriceBook, { brief, patient }: AgentCalls): Promise<RunOutcome> {
  const path = `/v1/enterprises/${enterprise.id}`;
  const gauge = await brief("GET", `${path}/gauge`);
  if (gauge.status !== 200) return "refused";
  const targetMicros = Math.max(MIN_RUN_MICROS, aroundMedian(Math.random, medianMicros(enterprise, gauge.body), 1.8));
  const { meters, ...run } = planRun(enterprise, book, targetMicros);

  const admission = await brief("POST", `${path}/runs`, {
    ...run,
    model: meters[0]!.model,
    ...(Math.random() < HOLD_RATIO ? { hold_micros: Math.ceil(targetMicros * 1.5) } : {}),
  });
  if (isBudgetExhausted(admission)) return "done";
  // 404: the server has no route for starting runs. Report anyway.
  if (![200, 201, 404].includes(admission.status)) return "refused";

  const steps = wholeBetween(Math.random, 5, 15);
  let reached = 1;
  for (; reached < steps; reached += 1) {
    const action = await reportAll(run, meters, { ratio: reached / steps, final: false }, path, brief).catch(
      () => "continue",
    );
    if (action === "stop") break;
    if (action === "refused") return "refused";
    await sleep(REPORT_EVERY_MS * (0.5 + Math.random()));
  }
  await reportAll(run, meters, { ratio: Math.min(1, reached / steps), final: true }, path, patient);
  return "done";
}

/** A person's budget is used up: the next run is somebody else's. */
function isBudgetExhausted({ status, body }: Answer): boolean {
  return status === 402 && (body as { code?: string } | null)?.code === "budget_exhausted";
}

/**
 * The median cost of a run: a share of what is left. Ten times that while an enterprise that shall run out is not on track
 * to, because the demo was stopped for days or a new cycle has begun.
 */
export function medianMicros({ paceRatio, live }: DemoEnterprise, gauge: unknown): number {
  const { available_micros, on_track_to_run_out } = gauge as GaugeOfAgent;
  if (available_micros === null) return MICROS_WITHOUT_LIMIT;
  const catchUp = paceRatio > 1 && !on_track_to_run_out ? CATCH_UP_FACTOR : 1;
  return available_micros * live.shareOfRemaining * catchUp;
}

function planRun(enterprise: DemoEnterprise, book: PriceBook, targetMicros: number) {
  const now = localTime(Date.now(), enterprise.settings.time_zone);
  const meters = metersOf(enterprise, book, Math.random);
  const factor = targetMicros / Math.max(1, costOfMeters(meters, enterprise, book));
  return {
    run: `live-${randomUUID()}`,
    ...attributionOf(enterprise, now, Math.random),
    started_at: new Date().toISOString(),
    meters: meters.map(({ model, usage }) => ({ model, usage: scaleUsage(usage, factor) })),
  };
}

/** Reports the totals so far of every meter. Returns the action in the last answer, or "refused". */
async function reportAll(
  run: object,
  meters: DemoRun["meters"],
  { ratio, final }: { ratio: number; final: boolean },
  path: string,
  call: Call,
): Promise<string> {
  const reports = meters.map(({ model, usage }) => ({ ...run, model, usage: scaleUsage(usage, ratio), final }));
  const answer = await call("POST", `${path}/debits`, { reports });
  const results = (answer.body as { results?: { action?: string; status?: number }[] } | null)?.results ?? [];
  if (answer.status !== 200 || results.some(({ status }) => status !== undefined)) return "refused";
  return results.at(-1)?.action ?? "continue";
}
