/**
 * Messages about the balance, as JSON: what webhooks receive, and what the texts for Slack and email are made from. An
 * envelope has everything that its text needs, because it may be sent a day after it was queued.
 */
import type { AlertLevel } from "../ledger/alerts.ts";
import type { BudgetLevel, BudgetState } from "../ledger/budget.ts";
import type { Micros } from "../ledger/micros.ts";
import type { AtMs } from "../ledger/time.ts";
import { showBudget } from "./budget.ts";
import type { GaugeJson } from "./gauge.ts";
import { formatIso } from "./time.ts";

const NOTICE_TYPES = [
  "threshold.crossed",
  "budget.crossed",
  "forecast.changed",
  "balance.exhausted",
  "balance.recovered",
  "bonus.expiring",
  "cycle.reported",
  "test",
] as const;
type NoticeType = (typeof NOTICE_TYPES)[number];

/** A message before it is addressed: what happened, and the further members of its envelope. */
export type Notice = {
  type: NoticeType;
  code: string;
  level: AlertLevel;
  /** One sentence, for programs that only pass it on. */
  message: string;
  details: Record<string, unknown>;
};

/** From whom a message comes. */
export type Sender = { enterprise: string; name: string; timeZone: string; atMs: AtMs };

export type Envelope = {
  type: NoticeType;
  timestamp: string;
  data: {
    enterprise: string;
    code: string;
    level: AlertLevel;
    message: string;
    name?: string;
    time_zone?: string;
    [member: string]: unknown;
  };
};

export function showNotice({ type, code, level, message, details }: Notice, from: Sender): Envelope {
  const { enterprise, name, timeZone, atMs } = from;
  return {
    type,
    timestamp: formatIso(atMs),
    data: { enterprise, name, time_zone: timeZone, code, level, message, ...details },
  };
}

/** A channel's threshold was passed. @param unit decides whether the code says `usage` or `cap` */
export function thresholdNotice(percent: number, gauge: GaugeJson): Notice {
  const cap = gauge.unit === "usd";
  return {
    type: "threshold.crossed",
    code: `${cap ? "cap" : "usage"}_${percent}`,
    level: percent >= 90 ? "critical" : percent >= 75 ? "warning" : "info",
    message: `${percent} % of ${cap ? "the monthly spend cap" : "this cycle's credits"} ${cap ? "is" : "are"} used.`,
    details: { gauge },
  };
}

export function exhaustedNotice(gauge: GaugeJson): Notice {
  const message =
    gauge.unit === "usd"
      ? "The monthly spend cap is reached; no new run starts."
      : "All credits of this cycle are used; no new run starts.";
  return { type: "balance.exhausted", code: "exhausted", level: "critical", message, details: { gauge } };
}

export function recoveredNotice(gauge: GaugeJson): Notice {
  const message = gauge.unit === "usd" ? "There is room under the spend cap again." : "There are credits again.";
  return { type: "balance.recovered", code: "recovered", level: "info", message, details: { gauge } };
}

export function onTrackNotice(gauge: GaugeJson): Notice {
  const message =
    gauge.unit === "usd"
      ? "At this pace the spend cap is reached before the reset."
      : "At this pace credits run out before the reset.";
  return { type: "forecast.changed", code: "on_track_to_run_out", level: "warning", message, details: { gauge } };
}

export function expiringNotice(gauge: GaugeJson, { atMs, micros }: { atMs: AtMs; micros: Micros }): Notice {
  return {
    type: "bonus.expiring",
    code: "bonus_expiring",
    level: "info",
    message: "Bonus credits expire within 7 days.",
    details: { expires_at: formatIso(atMs), amount_micros: micros, gauge },
  };
}

/** The message for a level that an id has reached of its budget: once per id and period. */
export function budgetNotice(state: BudgetState, name: string, percent: BudgetLevel): Notice {
  const span = state.period === "day" ? "today" : "this cycle";
  const blocks = state.action === "block" ? "; no new run starts" : "";
  const what = `The budget of ${state.dimension} ${name} for ${span} is`;
  return {
    type: "budget.crossed",
    code: percent === 100 ? "budget_reached" : `budget_${percent}`,
    level: percent === 75 ? "warning" : "critical",
    message: percent === 100 ? `${what} used up${blocks}.` : `${what} ${percent} % used.`,
    details: { budget: showBudget(state, name) },
  };
}

export const TEST_NOTICE: Notice = {
  type: "test",
  code: "test",
  level: "info",
  message: "This is a test message.",
  details: {},
};
