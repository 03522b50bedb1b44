/**
 * Alerts as values of the gauge (PRODUCT's section on alerts): each a code, a level, one sentence, and an action where
 * one helps. Most pressing first. Of the usage thresholds only the highest stands, and none once nothing is left.
 */
import type { Balance } from "./balance.ts";
import { type Books, grantRemaining, grantUsable } from "./books.ts";
import { bonusRemaining, monthlyRemaining } from "./buckets.ts";
import type { Forecast } from "./forecast.ts";
import { reaches } from "./micros.ts";
import { type AtMs, DAY_MS } from "./time.ts";

export type AlertLevel = "info" | "warning" | "critical";
export type AlertCode =
  | "exhausted"
  | "on_track_to_run_out"
  | "usage_90"
  | "usage_75"
  | "usage_50"
  | "bonus_in_use"
  | "bonus_expiring"
  | "free_tier"
  | "cap_reached"
  | "on_track_to_reach_cap"
  | "cap_90"
  | "cap_75"
  | "cap_not_set";

export type Alert = {
  code: AlertCode;
  level: AlertLevel;
  message: string;
  action?: { label: string; url: string };
};

const SOON_MS = 7 * DAY_MS;
const MODEL_SETTINGS = "/settings/model";

const WORDING: Record<
  AlertCode,
  { level: AlertLevel; message: string; action: "upgrade" | "invite" | "raise" | "set" | null }
> = {
  exhausted: { level: "critical", message: "All credits of this cycle are used.", action: "upgrade" },
  on_track_to_run_out: {
    level: "warning",
    message: "At this pace credits run out before the reset.",
    action: "upgrade",
  },
  usage_90: { level: "critical", message: "90 % of this cycle's credits are used.", action: "upgrade" },
  usage_75: { level: "warning", message: "75 % of this cycle's credits are used.", action: "upgrade" },
  usage_50: { level: "info", message: "Half of this cycle's credits are used.", action: "invite" },
  bonus_in_use: {
    level: "info",
    message: "The monthly allowance is used; runs now draw on bonus credits.",
    action: "invite",
  },
  bonus_expiring: { level: "info", message: "Bonus credits expire within 7 days.", action: null },
  free_tier: { level: "info", message: "This enterprise is on the free plan.", action: "upgrade" },
  cap_reached: { level: "critical", message: "The monthly spend cap is reached; no new run starts.", action: "raise" },
  on_track_to_reach_cap: {
    level: "warning",
    message: "At this pace the spend cap is reached before the reset.",
    action: "raise",
  },
  cap_90: { level: "critical", message: "90 % of the monthly spend cap is used.", action: "raise" },
  cap_75: { level: "warning", message: "75 % of the monthly spend cap is used.", action: "raise" },
  cap_not_set: { level: "info", message: "No monthly spend cap is set.", action: "set" },
};

export function alertsOf(books: Books, balance: Balance, forecast: Forecast, nowMs: AtMs): Alert[] {
  const codes = balance.unit === "credits" ? creditCodes(books, balance, forecast, nowMs) : capCodes(balance, forecast);
  return codes.map((code) => wordAlert(code, books));
}

/** How pressing an alert is, and its sentence. */
export function wordingOf(code: AlertCode): Pick<Alert, "level" | "message"> {
  const { level, message } = WORDING[code];
  return { level, message };
}

/** The highest of the thresholds that usage has reached, in per cent; null below all of them. */
export function highestThreshold<T extends number>(balance: Balance, thresholds: readonly T[]): T | null {
  const { usedMicros, totalMicros } = balance;
  if (totalMicros === null || totalMicros === 0) return null;
  return [...thresholds].sort((a, b) => b - a).find((percent) => reaches(usedMicros, totalMicros, percent)) ?? null;
}

function creditCodes(books: Books, balance: Balance, forecast: Forecast, nowMs: AtMs): AlertCode[] {
  const codes: AlertCode[] = [];
  if (balance.remainingMicros === 0) codes.push("exhausted");
  else {
    if (forecast.onTrackToRunOut) codes.push("on_track_to_run_out");
    const threshold = highestThreshold(balance, [50, 75, 90] as const);
    if (threshold !== null) codes.push(`usage_${threshold}`);
    if (monthlyRemaining(books) === 0 && bonusRemaining(books, nowMs) > 0) codes.push("bonus_in_use");
  }
  if (books.grants.some((grant) => expiresSoon(grant, nowMs))) codes.push("bonus_expiring");
  if (books.settings.plan === "free") codes.push("free_tier");
  return codes;
}

function capCodes(balance: Balance, forecast: Forecast): AlertCode[] {
  if (balance.totalMicros === null) return ["cap_not_set"];
  if (balance.usedMicros >= balance.totalMicros) return ["cap_reached"];
  const codes: AlertCode[] = forecast.onTrackToRunOut ? ["on_track_to_reach_cap"] : [];
  const threshold = highestThreshold(balance, [75, 90] as const);
  return threshold === null ? codes : [...codes, `cap_${threshold}`];
}

function expiresSoon(grant: Books["grants"][number], nowMs: AtMs): boolean {
  if (grant.expiresAtMs === null || !grantUsable(grant, nowMs) || grantRemaining(grant) === 0) return false;
  return grant.expiresAtMs - nowMs <= SOON_MS;
}

function wordAlert(code: AlertCode, books: Books): Alert {
  const { level, message, action } = WORDING[code];
  const { upgradeUrl, referralUrl } = books.settings;
  switch (action) {
    case "upgrade":
      return upgradeUrl === null
        ? { code, level, message }
        : { code, level, message, action: { label: "Upgrade plan", url: upgradeUrl } };
    case "invite":
      return referralUrl === null
        ? { code, level, message }
        : { code, level, message, action: { label: "Invite", url: referralUrl } };
    case "raise":
      return { code, level, message, action: { label: "Raise cap", url: MODEL_SETTINGS } };
    case "set":
      return { code, level, message, action: { label: "Set a cap", url: MODEL_SETTINGS } };
    case null:
      return { code, level, message };
    default:
      return action satisfies never;
  }
}
