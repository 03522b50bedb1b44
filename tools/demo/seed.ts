// Creates one demo enterprise with the history of three cycles, over the documented HTTP interface with the operator key.
// The enterprise starts with a test clock at the start of the first of them. The history is sent as ordinary debits while
// that clock moves forward. At the end the enterprise switches to the real clock, which marks it as demo data and works in local
// demo mode only. Every call may be repeated, so an interrupted seed resumes with the next start.

import { setTimeout as sleep } from "node:timers/promises";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { type Answer, type Call, describeProblem } from "../kit/http.ts";
import { anchorDayFor, type HistoryStep, historySteps, MAX_STEP_MS, type PastHour, pastHours } from "./rhythm.ts";
import { costOfMeters, type DemoRun, runsOfHour, scaleUsage } from "./runs.ts";
import { cycleTargets } from "./targets.ts";
import { type DemoEnterprise, type DemoGrant, memberWithBudget } from "./world.ts";

const MICROS = 1_000_000;

const DAY_MS = 86_400_000;
/** How much more an admin may use in a day than the default. */
const ADMIN_FACTOR = 12;
const MAX_REPORTS_PER_CALL = 1000;
/** How long to wait for the tables to have everything. */
const MAX_LAG_MS = 60_000;

/** Codes of messages that say that something needs attention. */
const ALERTS = ["on_track_to_run_out", "exhausted", "recovered", "budget_reached"];

/** The fields of an enterprise that the seed reads. */
interface ShownEnterprise {
  name: string;
  anchor_day: number;
  test_clock?: string | null;
  gauge: { monthly: { allowance_micros: number } | null };
}

/** Creates an enterprise, or resumes an interrupted seed. Returns false if there was nothing to do. */
export async function seedEnterprise(
  enterprise: DemoEnterprise,
  book: PriceBook,
  call: Call,
  nowMs: number,
): Promise<boolean> {
  const path = `/v1/enterprises/${enterprise.id}`;
  const existing = await call("GET", path);
  if (existing.status === 200 && !isInterrupted(existing.body as ShownEnterprise, enterprise)) return false;
  const shown = (existing.status === 200 ? existing.body : await create(enterprise, call, nowMs)) as ShownEnterprise;
  const clockMs = Date.parse(shown.test_clock!);

  const { groups, workspaces, users } = enterprise;
  const named = users.map(({ id, name }) => ({ id, name }));
  await must(call, "PUT", `${path}/directory`, { groups, workspaces, users: named });
  if (enterprise.monthlyCapMicros !== null) {
    await must(call, "PUT", `${path}/spend-cap`, { monthly_cap_micros: enterprise.monthlyCapMicros });
  }
  await sendHistory(enterprise, planHistory(enterprise, shown, book, { clockMs, nowMs }), call, { clockMs, nowMs });
  const followed = await call("POST", `${path}/demo/follow-real-clock`);
  if (followed.status === 404) {
    throw new Error(`${enterprise.id} cannot follow the real clock: the Worker is not in demo mode (DEMO_MODE)`);
  }
  assertOk(followed, `POST ${path}/demo/follow-real-clock`);
  await addChannel(enterprise, call);
  await addBudgets(enterprise, call);
  return true;
}

/** Recognizes our own unfinished enterprise. One that somebody else created under the same id is left alone. */
function isInterrupted({ name, test_clock }: ShownEnterprise, enterprise: DemoEnterprise): boolean {
  return Boolean(test_clock) && name === enterprise.settings.name;
}

async function create(enterprise: DemoEnterprise, call: Call, nowMs: number): Promise<unknown> {
  const { id, settings, daysIntoCycle } = enterprise;
  const anchor_day = anchorDayFor(nowMs, settings.time_zone, daysIntoCycle);
  const [first] = cycleTargets(enterprise, anchor_day, 0, nowMs);
  const test_clock = new Date(first!.startsAtMs).toISOString();
  return must(call, "PUT", `/v1/enterprises/${id}`, { ...settings, anchor_day, test_clock });
}

interface Clocks {
  clockMs: number;
  nowMs: number;
}

/** A step of the history and the runs that report in it, scaled. */
interface PlannedStep extends HistoryStep {
  runs: DemoRun[];
}

/** Plans the history, scaled so that each cycle's use meets its target. */
function planHistory(
  enterprise: DemoEnterprise,
  shown: ShownEnterprise,
  book: PriceBook,
  clocks: Clocks,
): PlannedStep[] {
  const { clockMs, nowMs } = clocks;
  const allowanceMicros = shown.gauge.monthly?.allowance_micros ?? 0;
  const targets = cycleTargets(enterprise, shown.anchor_day, allowanceMicros, nowMs);
  const hours = pastHours(targets[0]!.startsAtMs, nowMs, enterprise.settings.time_zone);
  const runsOf = new Map<PastHour, DemoRun[]>();
  for (const { startsAtMs, endsAtMs, usedMicros, activity } of targets) {
    const own = hours.filter((hour) => hour.startsAtMs >= startsAtMs && hour.startsAtMs < endsAtMs);
    const planned = own.map((hour) => ({ hour, runs: runsOfHour(enterprise, hour, book, activity) }));
    const meters = planned.flatMap(({ runs }) => runs).flatMap((run) => run.meters);
    const costMicros = costOfMeters(meters, enterprise, book);
    const factor = costMicros > 0 ? usedMicros / costMicros : 1;
    for (const { hour, runs } of planned) {
      runsOf.set(
        hour,
        runs.map((run) => scaleRun(run, factor)),
      );
    }
  }

  // After an interruption the last step may or may not have been sent, so its hours are sent again.
  const missing = hours.filter(({ endsAtMs }) => endsAtMs > clockMs - MAX_STEP_MS);
  return historySteps(missing, nowMs).map((step) => ({
    ...step,
    arriveAtMs: Math.max(step.arriveAtMs, clockMs),
    runs: step.hours.flatMap((hour) => runsOf.get(hour)!),
  }));
}

function scaleRun(run: DemoRun, factor: number): DemoRun {
  return { ...run, meters: run.meters.map(({ model, usage }) => ({ model, usage: scaleUsage(usage, factor) })) };
}

async function sendHistory(
  enterprise: DemoEnterprise,
  steps: PlannedStep[],
  call: Call,
  { nowMs }: Clocks,
): Promise<void> {
  const path = `/v1/enterprises/${enterprise.id}`;
  const grantsDue = enterprise.grants.toSorted((a, b) => b.grantedDaysAgo - a.grantedDaysAgo);
  for (const { arriveAtMs, runs } of steps) {
    const grants = grantsDue.filter(({ grantedDaysAgo }) => nowMs - grantedDaysAgo * DAY_MS <= arriveAtMs);
    if (runs.length === 0 && grants.length === 0) continue;
    await must(call, "POST", `${path}/test-clock`, { now: new Date(arriveAtMs).toISOString() });
    for (const grant of grants) await addGrant(grant, path, call, nowMs);
    grantsDue.splice(0, grants.length);
    const reports = runs.flatMap(finalReports);
    for (let from = 0; from < reports.length; from += MAX_REPORTS_PER_CALL) {
      const batch = reports.slice(from, from + MAX_REPORTS_PER_CALL);
      const { results } = (await must(call, "POST", `${path}/debits`, { reports: batch })) as { results: object[] };
      const refused = results.find((result) => "status" in result);
      if (refused) throw new Error(`a report of the history was refused: ${JSON.stringify(refused)}`);
    }
  }
}

/** Adds a grant. 409 means that an interrupted seed added it, with another expiry, which is kept. */
async function addGrant(grant: DemoGrant, path: string, call: Call, nowMs: number): Promise<void> {
  const { id, source, amount_micros, note, expiresInDays } = grant;
  const expiry = expiresInDays === null ? {} : { expires_at: new Date(nowMs + expiresInDays * DAY_MS).toISOString() };
  const answer = await call("POST", `${path}/grants`, { id, source, amount_micros, note, ...expiry });
  if (answer.status !== 409) assertOk(answer, `POST ${path}/grants`);
}

function finalReports({ run, surface, workspace, user, startedAtMs, meters }: DemoRun): object[] {
  const started_at = new Date(startedAtMs).toISOString();
  return meters.map(({ model, usage }) => ({ run, model, usage, surface, workspace, user, started_at, final: true }));
}

async function must(call: Call, method: string, path: string, body?: object): Promise<unknown> {
  const answer = await call(method, path, body);
  assertOk(answer, `${method} ${path}`);
  return answer.body;
}

function assertOk(answer: Answer, what: string): void {
  if (answer.status !== 200 && answer.status !== 201)
    throw new Error(`${what} was refused: ${describeProblem(answer)}`);
}

/**
 * Adds budgets: a default for every user, one of a team that is well used, and one of its members that is used up. That
 * person's page says so, and new runs of theirs are refused. The admin, who starts agents in the demo editor, may use more.
 */
async function addBudgets(enterprise: DemoEnterprise, call: Call): Promise<void> {
  const path = `/v1/enterprises/${enterprise.id}`;
  const put = (of: string, limit_micros: number) => must(call, "PUT", `${path}/budgets/${of}`, { limit_micros });
  await put("user/*/day", enterprise.dayBudgetMicros);
  await put(`user/${encodeURIComponent(enterprise.users[0]!.id)}/day`, enterprise.dayBudgetMicros * ADMIN_FACTOR);
  const [team] = enterprise.groups;
  if (team !== undefined) {
    const usedMicros = await usedInCycle(path, "groups", team.id, call);
    await put(`group/${encodeURIComponent(team.id)}/cycle`, Math.ceil((usedMicros * 1.2) / MICROS + 1) * MICROS);
  }
  const { id } = memberWithBudget(enterprise);
  const usedMicros = await usedInCycle(path, "users", id, call);
  const limitMicros = Math.max(1, Math.floor((usedMicros * 0.98) / MICROS)) * MICROS;
  await put(`user/${encodeURIComponent(id)}/cycle`, limitMicros);
}

/** What a group or user used in this cycle. The tables lag behind the ledger for a few seconds. */
async function usedInCycle(path: string, plural: string, id: string, call: Call): Promise<number> {
  for (const startedMs = Date.now(); ; await sleep(250)) {
    const { used_micros } = (await must(call, "GET", `${path}/gauge`)) as { used_micros: number };
    const top = (await must(call, "GET", `${path}/usage/top/${plural}?limit=100`)) as {
      total_micros: number;
      rows: { id: string; amount_micros: number }[];
    };
    if (top.total_micros === used_micros || Date.now() - startedMs > MAX_LAG_MS) {
      return top.rows.find((row) => row.id === id)?.amount_micros ?? 0;
    }
  }
}

/** Adds an email channel, so that the notification settings show one. Nothing is sent, because nobody confirms it. */
async function addChannel({ id }: DemoEnterprise, call: Call): Promise<void> {
  const channel = { kind: "email", target: `ops@${id}.example`, events: ALERTS };
  const path = `/v1/enterprises/${id}/channels/ops`;
  const put = await call("PUT", path, channel);
  // A deployment that cannot send emails has no such channel.
  if (put.status !== 409) assertOk(put, `PUT ${path}`);
}
