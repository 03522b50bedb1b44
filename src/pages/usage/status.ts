/**
 * Decides the status line: the most important thing to know about the balance now. A pure function of the gauge; the
 * first state that matches wins, from suspended to on track. How a level looks is up to status-line.tsx.
 */
import type { Role } from "../../access/callers.ts";
import type { ActionKind } from "../../ledger/alerts.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import { reaches } from "../../ledger/micros.ts";
import { DAY_MS } from "../../ledger/time.ts";
import type { ParsedGauge } from "../../wire/gauge.ts";
import { formatDate, formatShortDate, formatTime } from "../kit/dates.ts";
import { countOf, formatCharge, formatDays, formatPercent, formatTimeLeft } from "../kit/format.ts";
import type { Outlook } from "./outlook.ts";

type StatusKind =
  | "suspended"
  | "cap_reached"
  | "exhausted"
  | "out_within_a_day"
  | "running_out"
  | "used_90"
  | "used_75"
  | "used_50"
  | "no_cap"
  | "nothing_used"
  | "too_early"
  | "just_enough"
  | "on_track";

export type StatusLevel = "critical" | "warning" | "info" | "ok";
type StatusAction = { label: string; url: string };
export type Status = {
  kind: StatusKind;
  level: StatusLevel;
  lead: string;
  sentence: string;
  /** At most two; the first is the primary one. */
  actions: StatusAction[];
};

export type Reader = { timeZone: string; role: Role; suspended: boolean };

const LEVELS: Record<StatusKind, StatusLevel> = {
  suspended: "critical",
  cap_reached: "critical",
  exhausted: "critical",
  out_within_a_day: "critical",
  running_out: "warning",
  used_90: "critical",
  used_75: "warning",
  used_50: "info",
  no_cap: "info",
  nothing_used: "info",
  too_early: "info",
  just_enough: "info",
  on_track: "ok",
};

const ACTIONS: Record<ActionKind, { label: string; adminOnly: boolean }> = {
  upgrade: { label: "Upgrade plan", adminOnly: false },
  invite: { label: "Invite", adminOnly: false },
  raise_cap: { label: "Raise cap", adminOnly: true },
  set_cap: { label: "Set a cap", adminOnly: true },
};

export function statusOf(gauge: ParsedGauge, outlook: Outlook, reader: Reader): Status {
  const kind = reader.suspended ? "suspended" : kindOf(gauge, outlook);
  return {
    kind,
    level: LEVELS[kind],
    ...textOf(kind, gauge, outlook, reader),
    // More credit does not lift a suspension.
    actions: kind === "suspended" ? [] : actionsOf(gauge, reader),
  };
}

function kindOf(gauge: Gauge, outlook: Outlook): StatusKind {
  const { runOut } = outlook;
  if (gauge.remainingMicros === 0) return gauge.spend === null ? "exhausted" : "cap_reached";
  if (runOut?.beforeReset && (runOut.atMs ?? Number.POSITIVE_INFINITY) - outlook.nowMs < DAY_MS) {
    return "out_within_a_day";
  }
  if (runOut?.beforeReset) return "running_out";
  for (const percent of [90, 75, 50] as const) if (hasReached(gauge, percent)) return `used_${percent}`;
  if (gauge.spend !== null && gauge.spend.capMicros === null) return "no_cap";
  if (gauge.usedMicros === 0) return "nothing_used";
  if (outlook.tooEarly) return "too_early";
  return runOut?.justEnough ? "just_enough" : "on_track";
}

function hasReached(gauge: Gauge, percent: number): boolean {
  const { totalMicros: total } = gauge;
  return total !== null && total > 0 && reaches(gauge.usedMicros, total, percent);
}

function textOf(
  kind: StatusKind,
  gauge: Gauge,
  outlook: Outlook,
  { timeZone }: Reader,
): { lead: string; sentence: string } {
  const { unit } = gauge;
  const resetDate = formatDate(outlook.endsAtMs, timeZone);
  switch (kind) {
    case "suspended":
      return {
        lead: "Suspended.",
        sentence:
          "No new run starts. Runs in progress are asked to stop, and what they still use is charged. Ask your platform operator to lift the suspension.",
      };
    case "exhausted":
      return {
        lead: "Out of credits.",
        sentence: outlook.resetHelps
          ? `New runs can start again on ${resetDate}, or once credits are added.`
          : "New runs can start again once credits are added.",
      };
    case "cap_reached":
      return {
        lead: "Spend cap reached.",
        sentence: `${formatCharge(gauge.usedMicros, unit)} is spent: no new run starts until ${outlook.resetHelps ? `${resetDate} or until ` : ""}the cap is raised.`,
      };
    case "out_within_a_day": {
      const outMs = outlook.runOut?.atMs ?? outlook.nowMs;
      const hours = countOf(Math.max(1, Math.floor((outMs - outlook.nowMs) / 3_600_000)), "hour");
      const when = `${formatDate(outMs, timeZone)} at ${formatTime(outMs, timeZone)}`;
      return unit === "usd"
        ? { lead: `Cap reached in about ${hours}.`, sentence: `At this pace, the spend cap is reached on ${when}.` }
        : { lead: `Out of credits in about ${hours}.`, sentence: `At this pace, credits run out on ${when}.` };
    }
    case "running_out": {
      const outMs = outlook.runOut?.atMs ?? outlook.endsAtMs;
      const expiry = expiryNote(gauge, outlook);
      const when = `${formatDate(outMs, timeZone)}, ${beforeReset(outlook.endsAtMs - outMs)} before the ${outlook.resetHelps ? "reset" : "end of the cycle"}`;
      const lead = `${formatPercent(gauge.usedMicros, gauge.totalMicros)} used ${withTimeToGo(gauge, outlook)}.`;
      return unit === "usd"
        ? { lead, sentence: `At this pace, the spend cap is reached on ${when}.` }
        : { lead, sentence: `At this pace, credits run out on ${when}${expiry}.` };
    }
    case "used_90":
    case "used_75":
    case "used_50":
      return {
        lead: `${formatPercent(gauge.usedMicros, gauge.totalMicros)} used ${withTimeToGo(gauge, outlook)}.`,
        sentence:
          outlook.leftAtResetMicros === null
            ? "It is too early for a forecast."
            : describeTrack(gauge, outlook, timeZone),
      };
    case "no_cap":
      return {
        lead: "No spend cap.",
        sentence:
          gauge.usedMicros === 0
            ? "Nothing is spent yet this cycle, and spending has no limit."
            : `${formatCharge(gauge.usedMicros, unit)} is spent this cycle, and spending has no limit.`,
      };
    case "nothing_used": {
      const verb = unit === "usd" ? "spent" : "used";
      const all = formatCharge(gauge.totalMicros ?? 0, unit);
      return {
        lead: `Nothing ${verb} yet.`,
        sentence: `${all} can be ${verb}${outlook.resetHelps ? ` until ${resetDate}` : ""}.`,
      };
    }
    case "too_early":
      return { lead: "Too early to tell.", sentence: "The forecast starts 24 hours into the cycle." };
    case "just_enough":
      return { lead: "Just enough.", sentence: describeTrack(gauge, outlook, timeZone, "") };
    case "on_track":
      return {
        lead: "On track.",
        sentence: describeTrack(gauge, outlook, timeZone, ""),
      };
    default:
      return kind satisfies never;
  }
}

function withTimeToGo(gauge: Gauge, outlook: Outlook): string {
  return `with ${formatTimeLeft(outlook.endsAtMs - outlook.nowMs, gauge.cycle.daysRemaining)} to go`;
}

/** Says that some bonus expires unused, because the reader may otherwise expect the balance to last longer. */
function expiryNote(gauge: Gauge, { expiringMicros }: Outlook): string {
  return expiringMicros > 0 ? `; about ${formatCharge(expiringMicros, gauge.unit)} expire unused` : "";
}

function beforeReset(ms: number): string {
  return ms >= DAY_MS ? formatDays(Math.floor(ms / DAY_MS)) : countOf(Math.max(1, Math.floor(ms / 3_600_000)), "hour");
}

function describeTrack(
  gauge: Gauge,
  outlook: Outlook,
  timeZone: string,
  lead = outlook.runOut?.justEnough ? "Just enough: " : "On track: ",
): string {
  const date = formatShortDate(outlook.endsAtMs, timeZone);
  const expired = formatCharge(outlook.expiringMicros, gauge.unit);
  const left = formatCharge(outlook.leftAtResetMicros ?? 0, gauge.unit);
  const after = outlook.expiringMicros > 0 ? `, after about ${expired} expire` : "";
  const text = `about ${left} ${gauge.unit === "usd" ? "below the cap" : "left"} on ${date}${after}.`;
  return lead + (lead === "" ? text[0]?.toUpperCase() + text.slice(1) : text);
}

/** The actions that the gauge's alerts offer, in order and without repeats. Only an admin can change a cap. */
function actionsOf(gauge: ParsedGauge, { role }: Reader): StatusAction[] {
  const actions = new Map<ActionKind, StatusAction>();
  for (const { actionKind, actionUrl } of gauge.alerts) {
    if (actionKind === null || actionUrl === null) continue;
    const { label, adminOnly } = ACTIONS[actionKind];
    if (adminOnly && role !== "admin") continue;
    if (!actions.has(actionKind)) actions.set(actionKind, { label, url: actionUrl });
  }
  return [...actions.values()].slice(0, 2);
}
