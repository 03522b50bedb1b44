/** The conditions of an enterprise that need attention, worst first, as a pure function of its gauge. */
import { isTooEarly } from "../../ledger/forecast.ts";
import type { Gauge } from "../../ledger/gauge.ts";

export type Condition = { level: "critical" | "warning" | "info"; text: string };

export function conditionsOf(gauge: Gauge, suspended: boolean): Condition[] {
  const conditions: Condition[] = [];
  const byom = gauge.spend !== null;
  if (suspended) conditions.push({ level: "critical", text: "Suspended" });
  if (gauge.remainingMicros === 0) {
    conditions.push({ level: "critical", text: byom ? "Capped" : "Exhausted" });
  } else if (gauge.onTrackToRunOut && !isTooEarly(gauge.cycle, gauge.asOfMs)) {
    conditions.push({ level: "warning", text: byom ? "On track to reach cap" : "On track to run out" });
  }
  if (gauge.debtMicros > 0) conditions.push({ level: "warning", text: "In debt" });
  if (gauge.spend?.capMicros === null) conditions.push({ level: "info", text: "No cap" });
  // As on the usage page: said only if there is nothing more pressing to say.
  const tooEarly = gauge.usedMicros > 0 && isTooEarly(gauge.cycle, gauge.asOfMs);
  if (conditions.length === 0 && tooEarly) conditions.push({ level: "info", text: "Too early to tell" });
  return conditions;
}
