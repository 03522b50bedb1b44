/**
 * The alerts of the gauge: what an enterprise should know about its balance, and which kind of action would help. The
 * sentences, labels and URLs belong to whoever shows an alert.
 */
import type { Balance } from "./balance.ts";
import type { Books } from "./books.ts";
import { bonusRemaining, monthlyRemaining } from "./buckets.ts";
import { type Forecast, isTooEarly } from "./forecast.ts";
import { eachUsable } from "./grant-list.ts";
import { reaches } from "./micros.ts";
import { termsOf } from "./plans.ts";
import { type AtMs, DAY_MS } from "./time.ts";

export const ALERT_LEVELS = ["info", "warning", "critical"] as const;
export type AlertLevel = (typeof ALERT_LEVELS)[number];

export type AlertCode =
  | "suspended"
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

/** What a reader can do: get a larger plan, invite another enterprise for bonus credits, or change the spend cap. */
export type ActionKind = "upgrade" | "invite" | "raise_cap" | "set_cap";

export type Alert = { code: AlertCode; level: AlertLevel; actionKind: ActionKind | null };

const EXPIRES_SOON_MS = 7 * DAY_MS;

const ALERTS: Record<AlertCode, Omit<Alert, "code">> = {
  // More credit does not lift a suspension.
  suspended: { level: "critical", actionKind: null },
  exhausted: { level: "critical", actionKind: "upgrade" },
  on_track_to_run_out: { level: "warning", actionKind: "upgrade" },
  usage_90: { level: "critical", actionKind: "upgrade" },
  usage_75: { level: "warning", actionKind: "upgrade" },
  usage_50: { level: "info", actionKind: "invite" },
  bonus_in_use: { level: "info", actionKind: "invite" },
  bonus_expiring: { level: "info", actionKind: null },
  free_tier: { level: "info", actionKind: "upgrade" },
  cap_reached: { level: "critical", actionKind: "raise_cap" },
  on_track_to_reach_cap: { level: "warning", actionKind: "raise_cap" },
  cap_90: { level: "critical", actionKind: "raise_cap" },
  cap_75: { level: "warning", actionKind: "raise_cap" },
  cap_not_set: { level: "info", actionKind: "set_cap" },
};

/** The alert with this code. */
export function alertOf(code: AlertCode): Alert {
  return { code, ...ALERTS[code] };
}

/**
 * The alerts that apply now, most pressing first. Of the usage thresholds only the highest is included, and none once
 * nothing is left. In the first 24 hours of a cycle no alert is a forecast.
 */
export function alertsOf(books: Books, balance: Balance, forecast: Forecast, nowMs: AtMs): Alert[] {
  const runsOut = forecast.onTrackToRunOut && !isTooEarly(books.cycle, nowMs);
  const codes = balance.unit === "credits" ? creditCodes(books, balance, runsOut, nowMs) : capCodes(balance, runsOut);
  return (books.settings.suspended ? ["suspended" as const, ...codes] : codes).map(alertOf);
}

/** The highest of the thresholds, in percent, that usage has reached; null below all of them. */
export function highestThreshold<T extends number>(balance: Balance, thresholds: readonly T[]): T | null {
  const { usedMicros, totalMicros } = balance;
  if (totalMicros === null || totalMicros === 0) return null;
  return [...thresholds].sort((a, b) => b - a).find((percent) => reaches(usedMicros, totalMicros, percent)) ?? null;
}

function creditCodes(books: Books, balance: Balance, runsOut: boolean, nowMs: AtMs): AlertCode[] {
  const codes: AlertCode[] = [];
  if (balance.remainingMicros === 0) codes.push("exhausted");
  else {
    if (runsOut) codes.push("on_track_to_run_out");
    const threshold = highestThreshold(balance, [50, 75, 90] as const);
    if (threshold !== null) codes.push(`usage_${threshold}`);
    if (monthlyRemaining(books) === 0 && bonusRemaining(books, nowMs) > 0) codes.push("bonus_in_use");
  }
  // Grants are in the order of expiry, so the first one that is usable is the first to expire.
  const [first] = eachUsable(books.grants, nowMs);
  if (first?.expiresAtMs != null && first.expiresAtMs - nowMs <= EXPIRES_SOON_MS) codes.push("bonus_expiring");
  if (termsOf(books.settings).free) codes.push("free_tier");
  return codes;
}

function capCodes(balance: Balance, runsOut: boolean): AlertCode[] {
  if (balance.totalMicros === null) return ["cap_not_set"];
  if (balance.usedMicros >= balance.totalMicros) return ["cap_reached"];
  const codes: AlertCode[] = runsOut ? ["on_track_to_reach_cap"] : [];
  const threshold = highestThreshold(balance, [75, 90] as const);
  return threshold === null ? codes : [...codes, `cap_${threshold}`];
}
