/** Decides which actions the usage bar offers, and what their links say and point to. */
import type { AlertCode } from "../../ledger/alerts.ts";
import type { GaugeJson } from "../../wire/gauge.ts";
import { percentOf } from "./words.ts";

export type Action = "upgrade" | "invite" | "raise";
export type Link = { label: string; url: string };

/** The links to use when neither an alert nor the token has one. Their URLs are relative to the feed's base. */
export const DEFAULT_LINKS: Record<Action, Link> = {
  upgrade: { label: "Upgrade plan", url: "settings/upgrade" },
  invite: { label: "Invite", url: "settings/usage" },
  raise: { label: "Raise cap", url: "settings/model" },
};

/** Maps each alert to the action that its link belongs to; null if the alert never has a link. */
const ACTION_OF_ALERT: Record<AlertCode, Action | null> = {
  suspended: null,
  exhausted: "upgrade",
  on_track_to_run_out: "upgrade",
  usage_90: "upgrade",
  usage_75: "upgrade",
  usage_50: "invite",
  bonus_in_use: "invite",
  bonus_expiring: null,
  free_tier: "upgrade",
  cap_reached: "raise",
  on_track_to_reach_cap: "raise",
  cap_90: "raise",
  cap_75: "raise",
  cap_not_set: "raise",
};

/** Returns the links in a gauge's alerts. */
export function linksIn({ alerts }: GaugeJson): Partial<Record<Action, Link>> {
  const links: Partial<Record<Action, Link>> = {};
  for (const { code, action: link } of alerts) {
    const action = ACTION_OF_ALERT[code];
    if (action && link) links[action] = link;
  }
  return links;
}

/** Returns for each action whether the bar currently offers it. */
export function offeredActions(gauge: GaugeJson, isAdmin: boolean): Record<Action, boolean> {
  const isUsd = gauge.unit === "usd";
  const percent = percentOf(gauge) ?? 0;
  return {
    upgrade: !isUsd && (percent >= 75 || gauge.alerts.some(({ code }) => code === "free_tier")),
    invite: !isUsd && percent >= 50,
    raise: isUsd && isAdmin,
  };
}
