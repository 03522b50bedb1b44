/** The gauge as JSON: read by agents, dashboards and the usage bar, stored in the copy, and sent with webhooks. */
import { z } from "@hono/zod-openapi";
import { BILLING_MODELS } from "../ledger/books.ts";
import type { Gauge } from "../ledger/gauge.ts";
import { UNITS } from "../ledger/micros.ts";
import { type AlertJson, alertSchema, type ParsedAlert, parseAlert, showAlert } from "./alerts.ts";
import { type BudgetJson, budgetSchema, type ParsedBudget, parseBudget } from "./budget.ts";
import type { AlertLinks } from "./links.ts";
import { formatIso, formatIsoOrNull, parseIso, parseIsoOrNull } from "./time.ts";

const amount = z.int();
const instant = z.iso.datetime();

export const gaugeSchema = z
  .object({
    enterprise: z.string(),
    name: z.string(),
    billing_model: z.enum(BILLING_MODELS),
    unit: z.enum(UNITS),
    plan: z.string(),
    suspended: z.boolean(),
    as_of: instant,
    seq: z.int(),
    cycle: z.object({
      starts_at: instant,
      ends_at: instant,
      days_elapsed: z.int(),
      days_remaining: z.int(),
      days_total: z.int(),
    }),
    monthly: z.object({ allowance_micros: amount, used_micros: amount, remaining_micros: amount }).nullable(),
    bonus: z
      .object({
        used_micros: amount,
        remaining_micros: amount,
        next_expiry: z.object({ at: instant, micros: amount }).nullable(),
      })
      .nullable(),
    spend: z.object({ cap_micros: amount.nullable(), used_micros: amount }).nullable(),
    used_micros: amount,
    total_micros: amount.nullable(),
    remaining_micros: amount.nullable(),
    debt_micros: amount,
    held_micros: amount,
    available_micros: amount.nullable(),
    used_percent: z.number().nullable(),
    avg_per_day_micros: amount,
    run_out_days: z.number().nullable(),
    run_out_at: instant.nullable(),
    on_track_to_run_out: z.boolean(),
    alerts: z.array(alertSchema),
    my_budgets: z.array(budgetSchema).optional().describe("For a session or an embed token: what counts for its user"),
  })
  .openapi("Gauge");

export type GaugeJson = Omit<z.infer<typeof gaugeSchema>, "alerts" | "my_budgets"> & {
  alerts: AlertJson[];
  my_budgets?: BudgetJson[];
};

/** A gauge read from JSON: the ledger's gauge, with the sentences and links of its alerts, and its reader's budgets. */
export type ParsedGauge = Omit<Gauge, "alerts"> & { alerts: ParsedAlert[]; myBudgets?: ParsedBudget[] };

export function showGauge(gauge: Gauge, links: AlertLinks): GaugeJson {
  const { cycle, monthly, bonus, spend } = gauge;
  return {
    enterprise: gauge.enterprise,
    name: gauge.name,
    billing_model: gauge.billingModel,
    unit: gauge.unit,
    plan: gauge.plan,
    suspended: gauge.suspended,
    as_of: formatIso(gauge.asOfMs),
    seq: gauge.seq,
    cycle: {
      starts_at: formatIso(cycle.startsAtMs),
      ends_at: formatIso(cycle.endsAtMs),
      days_elapsed: cycle.daysElapsed,
      days_remaining: cycle.daysRemaining,
      days_total: cycle.daysTotal,
    },
    monthly: monthly && {
      allowance_micros: monthly.allowanceMicros,
      used_micros: monthly.usedMicros,
      remaining_micros: monthly.remainingMicros,
    },
    bonus: bonus && {
      used_micros: bonus.usedMicros,
      remaining_micros: bonus.remainingMicros,
      next_expiry: bonus.nextExpiry && { at: formatIso(bonus.nextExpiry.atMs), micros: bonus.nextExpiry.micros },
    },
    spend: spend && { cap_micros: spend.capMicros, used_micros: spend.usedMicros },
    used_micros: gauge.usedMicros,
    total_micros: gauge.totalMicros,
    remaining_micros: gauge.remainingMicros,
    debt_micros: gauge.debtMicros,
    held_micros: gauge.heldMicros,
    available_micros: gauge.availableMicros,
    used_percent: gauge.usedPercent,
    avg_per_day_micros: gauge.avgPerDayMicros,
    run_out_days: gauge.runOutDays,
    run_out_at: formatIsoOrNull(gauge.runOutAtMs),
    on_track_to_run_out: gauge.onTrackToRunOut,
    alerts: gauge.alerts.map((alert) => showAlert(alert, links)),
  };
}

/** When new runs can draw on something new; null if the reset adds nothing, for an allowance or a cap of 0. */
export function resetsAtOf({ monthly, spend, cycle }: GaugeJson): string | null {
  const added = spend === null ? monthly?.allowance_micros : spend.cap_micros;
  return added === 0 ? null : cycle.ends_at;
}

export function parseGauge(json: GaugeJson): ParsedGauge {
  const { cycle, monthly, bonus, spend } = json;
  return {
    enterprise: json.enterprise,
    name: json.name,
    billingModel: json.billing_model,
    unit: json.unit,
    plan: json.plan,
    // The last release stored gauges without this field in the copy.
    suspended: json.suspended ?? false,
    asOfMs: parseIso(json.as_of),
    seq: json.seq,
    cycle: {
      startsAtMs: parseIso(cycle.starts_at),
      endsAtMs: parseIso(cycle.ends_at),
      daysElapsed: cycle.days_elapsed,
      daysRemaining: cycle.days_remaining,
      daysTotal: cycle.days_total,
    },
    monthly: monthly && {
      allowanceMicros: monthly.allowance_micros,
      usedMicros: monthly.used_micros,
      remainingMicros: monthly.remaining_micros,
    },
    bonus: bonus && {
      usedMicros: bonus.used_micros,
      remainingMicros: bonus.remaining_micros,
      nextExpiry: bonus.next_expiry && { atMs: parseIso(bonus.next_expiry.at), micros: bonus.next_expiry.micros },
    },
    spend: spend && { capMicros: spend.cap_micros, usedMicros: spend.used_micros },
    usedMicros: json.used_micros,
    totalMicros: json.total_micros,
    remainingMicros: json.remaining_micros,
    debtMicros: json.debt_micros,
    heldMicros: json.held_micros,
    availableMicros: json.available_micros,
    usedPercent: json.used_percent,
    avgPerDayMicros: json.avg_per_day_micros,
    runOutDays: json.run_out_days,
    runOutAtMs: parseIsoOrNull(json.run_out_at),
    onTrackToRunOut: json.on_track_to_run_out,
    alerts: json.alerts.map(parseAlert),
    ...(json.my_budgets === undefined ? {} : { myBudgets: json.my_budgets.map(parseBudget) }),
  };
}
