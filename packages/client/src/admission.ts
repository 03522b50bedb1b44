/**
 * Asks the ledger whether a run may start, and retries while the network fails. If the ledger cannot be reached, the
 * client's policy decides. The client registers a run that the policy admitted with the ledger before its first report.
 * This records the run's start by the ledger's clock, because the clock of an agent's machine may be wrong.
 */
import { backoffMs, type Clock } from "./clock.ts";
import { type Answer, describe, isTransient, type Ledger } from "./http.ts";
import type { RunState } from "./run.ts";
import type { Totals } from "./totals.ts";
import type { ExhaustedBudget, Gauge, Hold, RunStarted, StartRequest, Surface, Usage } from "./wire.ts";

export type StartOptions = {
  /** The run's id. Default: a random UUID. */
  run?: string;
  surface: Surface;
  workspace: string;
  user: string;
  group?: string;
  /** The model that the run will use. The run is refused as `unknown_model` if the price book lacks it. */
  model?: string;
  /** Micros of credits or USD to set aside for the run. */
  holdMicros?: number;
  holdTtlSeconds?: number;
  /** The run's totals from an earlier process, as saved from `run.totals`: by model, or by "MODEL TIER". */
  totals?: Record<string, Usage>;
  /** Saves the totals outside the process. The client awaits this function before it sends the totals. */
  keep?: (totals: Record<string, Totals>) => unknown;
};

export type NamedStart = StartOptions & { run: string };

/** Why a run does not start. The ledger decides the first six; the client decides the last three. */
export type RefusalCode =
  | "credits_exhausted"
  | "insufficient_credits"
  | "spend_cap_reached"
  | "budget_exhausted"
  | "enterprise_suspended"
  | "unknown_model"
  | "ledger_unreachable"
  | "too_many_runs"
  | "client_closed"
  | (string & {});

export type Refusal = {
  code: RefusalCode;
  /** The HTTP status; 0 if the ledger did not respond or was not asked. */
  status: number;
  detail: string;
  available_micros?: number;
  /** Of `budget_exhausted`: the budget that has too little left. */
  budget?: ExhaustedBudget;
  resets_at?: string;
  upgrade_url?: string;
  gauge?: Gauge;
  errors?: { path: string; message: string }[];
};

type Admission =
  /** `known`: the ledger knew the run before this request. */
  | { admitted: true; known: boolean; startedAt: string; hold: Hold | null; gauge: Gauge }
  | { admitted: false; refusal: Refusal; unreachable: boolean };

type Context = { ledger: Ledger; clock: Clock; random: () => number };

/** Asks until the ledger decides, for at most `limitMs`. */
export async function askToStart(context: Context, options: NamedStart, limitMs: number): Promise<Admission> {
  const { ledger, clock, random } = context;
  const deadlineMs = clock.steadyMs() + limitMs;
  for (let failures = 1; ; failures++) {
    const answer = await ledger.call("POST", "/runs", requestOf(options), deadlineMs - clock.steadyMs());
    if (isStarted(answer)) {
      const { hold, gauge } = answer.body;
      const known = answer.status === 200 && failures === 1;
      return { admitted: true, known, startedAt: gauge.as_of, hold, gauge };
    }
    if (!isTransient(answer.status)) return { admitted: false, refusal: refusalOf(answer), unreachable: false };
    const pauseMs = backoffMs(failures, random, answer.retryAfterMs);
    if (clock.steadyMs() + pauseMs >= deadlineMs) {
      const refusal: Refusal = { code: "ledger_unreachable", status: 0, detail: describe(answer) };
      return { admitted: false, refusal, unreachable: true };
    }
    await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
  }
}

/** Registers a run that started without the ledger. Returns null once it may report, else the failed response. */
export async function registerRun(context: Context, run: RunState, options: NamedStart): Promise<Answer | null> {
  const { ledger, clock } = context;
  const answer = await ledger.call("POST", "/runs", requestOf(options));
  const { status, body, dateMs } = answer;
  const suspended = body.code === "enterprise_suspended";
  if (isTransient(status) || status === 401 || status === 404 || (status === 403 && !suspended)) return answer;
  const gauge = body.gauge as Gauge | undefined;
  const ledgerMs = gauge === undefined ? (dateMs ?? clock.nowMs()) : Date.parse(gauge.as_of);
  run.startedAt = new Date(ledgerMs - (clock.steadyMs() - run.setup.startedSteadyMs)).toISOString();
  if (!isStarted(answer)) run.handleLateRefusal(answer);
  return null;
}

function requestOf(options: NamedStart): StartRequest {
  const { run, surface, workspace, user, group, model, holdMicros, holdTtlSeconds } = options;
  const request: StartRequest = { run, surface, workspace, user };
  if (group !== undefined) request.group = group;
  if (model !== undefined) request.model = model;
  if (holdMicros !== undefined) request.hold_micros = holdMicros;
  if (holdTtlSeconds !== undefined) request.hold_ttl_seconds = holdTtlSeconds;
  return request;
}

function isStarted(answer: Answer): answer is Answer & { body: RunStarted } {
  return (answer.status === 200 || answer.status === 201) && answer.body.admitted === true;
}

function refusalOf(answer: Answer): Refusal {
  const { code, detail } = answer.body;
  const { type: _type, title: _title, ...members } = answer.body;
  return {
    ...members,
    code: typeof code === "string" ? code : "unexpected_answer",
    status: answer.status,
    detail: typeof detail === "string" ? detail : describe(answer),
  };
}
