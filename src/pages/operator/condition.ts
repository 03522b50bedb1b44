/**
 * What the operator must know of an enterprise at a glance, as a pure function of its gauge: the worst first, none when
 * nothing asks for attention.
 */
import type { Gauge } from "../../ledger/gauge.ts";

export type Condition = { level: "critical" | "warning" | "info"; text: string };

export function conditionsOf(gauge: Gauge, suspended: boolean): Condition[] {
  const conditions: Condition[] = [];
  const byom = gauge.spend !== null;
  if (suspended) conditions.push({ level: "critical", text: "Suspended" });
  if (gauge.remaining_micros === 0) {
    conditions.push({ level: "critical", text: byom ? "Capped" : "Exhausted" });
  } else if (gauge.on_track_to_run_out) {
    conditions.push({ level: "warning", text: byom ? "On track to reach cap" : "On track to run out" });
  }
  if (gauge.debt_micros > 0) conditions.push({ level: "warning", text: "In debt" });
  if (gauge.spend?.cap_micros === null) conditions.push({ level: "info", text: "No cap" });
  return conditions;
}
