/** Alerts as JSON: each with a sentence, and with a labelled link where an action would help. */
import { z } from "@hono/zod-openapi";
import { type ActionKind, ALERT_LEVELS, type Alert, type AlertCode, alertOf } from "../ledger/alerts.ts";
import { type AlertLinks, UPGRADE_PAGE } from "./links.ts";

export const alertSchema = z.object({
  code: z.string(),
  level: z.enum(ALERT_LEVELS),
  message: z.string(),
  action: z.object({ label: z.string(), url: z.string() }).optional(),
});

export type AlertJson = z.infer<typeof alertSchema> & { code: AlertCode };

/** An alert read from JSON. `actionUrl` is null if there is no action, or no link for it. An upgrade always has one. */
export type ParsedAlert = Alert & { message: string; actionUrl: string | null };

const CAP_URL = "/settings/model";

const LABELS: Record<ActionKind, string> = {
  upgrade: "Upgrade plan",
  invite: "Invite",
  raise_cap: "Raise cap",
  set_cap: "Set a cap",
};

const MESSAGES: Record<AlertCode, string> = {
  suspended: "This enterprise is suspended; no new run starts.",
  exhausted: "All credits of this cycle are used.",
  on_track_to_run_out: "At this pace credits run out before the reset.",
  usage_90: "90 % of this cycle's credits are used.",
  usage_75: "75 % of this cycle's credits are used.",
  usage_50: "Half of this cycle's credits are used.",
  bonus_in_use: "The monthly allowance is used; runs now draw on bonus credits.",
  bonus_expiring: "Bonus credits expire within 7 days.",
  free_tier: "This enterprise is on the free plan.",
  cap_reached: "The monthly spend cap is reached; no new run starts.",
  on_track_to_reach_cap: "At this pace the spend cap is reached before the reset.",
  cap_90: "90 % of the monthly spend cap is used.",
  cap_75: "75 % of the monthly spend cap is used.",
  cap_not_set: "No monthly spend cap is set.",
};

export function showAlert({ code, level, actionKind }: Alert, links: AlertLinks): AlertJson {
  const shown = { code, level, message: MESSAGES[code] };
  const url = actionKind === null ? null : urlOf(actionKind, links);
  return actionKind === null || url === null ? shown : { ...shown, action: { label: LABELS[actionKind], url } };
}

export function parseAlert({ code, message, action }: AlertJson): ParsedAlert {
  const alert = alertOf(code);
  return { ...alert, message, actionUrl: action?.url ?? (alert.actionKind === "upgrade" ? UPGRADE_PAGE : null) };
}

function urlOf(kind: ActionKind, { upgradeUrl, referralUrl }: AlertLinks): string | null {
  switch (kind) {
    case "upgrade":
      return upgradeUrl;
    case "invite":
      return referralUrl;
    case "raise_cap":
    case "set_cap":
      return CAP_URL;
    default:
      return kind satisfies never;
  }
}
