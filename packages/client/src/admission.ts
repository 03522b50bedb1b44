/**
 * May this run start? The ledger is asked, again where the network fails; only when it cannot be reached does the
 * policy decide. A run that the policy let in is told to the ledger before its first report, so that the ledger's
 * clock says when it started: the clock of an agent's machine may be wrong.
 */
import { backoffMs, type Clock } from "./clock.ts";
import { type Answered, describe, isPassing, type Ledger } from "./http.ts";
import type { RunState } from "./run.ts";
import type { Totals } from "./totals.ts";
import type { Gauge, Hold, RunStarted, StartRequest, Surface, Usage } from "./wire.ts";

export type StartOptions = {
  run: string;
  surface: Surface;
  workspace: string;
  user: string;
  group?: string;
  /** Refused as `unknown_model` where the price book lacks it. */
  model?: string;
  /** Credits or USD, in micros, to set aside for the run. */
  holdMicros?: number;
  holdTtlSeconds?: number;
  /** What the run had used before this process, as it was kept from `run.totals`. */
  totals?: Record<string, Usage>;
  /** Keeps the totals where they survive the process; awaited before they are sent. */
  keep?: (totals: Record<string, Totals>) => unknown;
};

/** Why a run does not start. The first five are the ledger's; the last two are decided here. */
export type RefusalCode =
  | "credits_exhausted"
  | "insufficient_credits"
  | "spend_cap_reached"
  | "enterprise_suspended"
  | "unknown_model"
  | "ledger_unreachable"
  | "too_many_runs"
  | (string & {});

export type Refusal = {
  code: RefusalCode;
  /** The HTTP status; 0 where the ledger did not answer or was not asked. */
  status: number;
  detail: string;
  available_micros?: number;
  resets_at?: string;
  upgrade_url?: string;
  gauge?: Gauge;
  errors?: { path: string; message: string }[];
};

export type Asked =
  /** `known`: the ledger had heard of the run before it was asked. */
  | { admitted: true; known: boolean; startedAt: string; hold: Hold | null; gauge: Gauge }
  | { admitted: false; refusal: Refusal; unreachable: boolean };

type Means = { ledger: Ledger; clock: Clock; random: () => number };

/** Asks until there is an answer, for at most `limitMs`. */
export async function askToStart(means: Means, options: StartOptions, limitMs: number): Promise<Asked> {
  const { ledger, clock, random } = means;
  const deadlineMs = clock.steadyMs() + limitMs;
  for (let failures = 1; ; failures++) {
    const answered = await ledger.call("POST", "/runs", requestOf(options), deadlineMs - clock.steadyMs());
    if (isStarted(answered)) {
      const { hold, gauge } = answered.body;
      const known = answered.status === 200 && failures === 1;
      return { admitted: true, known, startedAt: gauge.as_of, hold, gauge };
    }
    if (!isPassing(answered.status)) return { admitted: false, refusal: refusalOf(answered), unreachable: false };
    const pauseMs = answered.retryAfterMs ?? backoffMs(failures, random);
    if (clock.steadyMs() + pauseMs >= deadlineMs) {
      const refusal: Refusal = { code: "ledger_unreachable", status: 0, detail: describe(answered) };
      return { admitted: false, refusal, unreachable: true };
    }
    await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
  }
}

/** Tells the ledger of a run that started without it. Null when the run may report; else the answer that says why not. */
export async function introduce(means: Means, run: RunState, options: StartOptions): Promise<Answered | null> {
  const { ledger, clock } = means;
  const answered = await ledger.call("POST", "/runs", requestOf(options));
  const { status, body, dateMs } = answered;
  const suspended = body.code === "enterprise_suspended";
  if (isPassing(status) || status === 401 || status === 404 || (status === 403 && !suspended)) return answered;
  const gauge = body.gauge as Gauge | undefined;
  const ledgerMs = gauge === undefined ? (dateMs ?? clock.nowMs()) : Date.parse(gauge.as_of);
  run.startedAt = new Date(ledgerMs - (clock.steadyMs() - run.setup.startedSteadyMs)).toISOString();
  if (!isStarted(answered)) run.hearLate(answered);
  return null;
}

function requestOf(options: StartOptions): StartRequest {
  const { run, surface, workspace, user, group, model, holdMicros, holdTtlSeconds } = options;
  const request: StartRequest = { run, surface, workspace, user };
  if (group !== undefined) request.group = group;
  if (model !== undefined) request.model = model;
  if (holdMicros !== undefined) request.hold_micros = holdMicros;
  if (holdTtlSeconds !== undefined) request.hold_ttl_seconds = holdTtlSeconds;
  return request;
}

function isStarted(answered: Answered): answered is Answered & { body: RunStarted } {
  return (answered.status === 200 || answered.status === 201) && answered.body.admitted === true;
}

function refusalOf(answered: Answered): Refusal {
  const { code, detail } = answered.body;
  const { type: _type, title: _title, ...members } = answered.body;
  return {
    ...members,
    code: typeof code === "string" ? code : "unexpected_answer",
    status: answered.status,
    detail: typeof detail === "string" ? detail : describe(answered),
  };
}
