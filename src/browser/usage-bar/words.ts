/** Formats the texts that the usage bar shows about a gauge, in the same words as the dashboard. */
import type { GaugeJson } from "../../wire/gauge.ts";

const MICROS = 1_000_000;
const HOUR_MS = 3_600_000;
/**
 * Cycles end at midnight in a time zone between UTC−11 and UTC+13. Thirteen hours after that midnight, the date in UTC
 * is the date on which the cycle ends in the enterprise's zone.
 */
const LATEST_MIDNIGHT_MS = 13 * HOUR_MS;

/** Returns used ÷ total in percent; null if there is no total, because no cap is set. */
export function percentOf({ used_micros: used, total_micros: total }: GaugeJson): number | null {
  if (total === null) return null;
  return total === 0 ? 100 : (used * 100) / total;
}

/** How pressing the state is: critical when no new run can start, and a warning from 90 % of the total. */
export function levelOf(gauge: GaugeJson): "warning" | "critical" | null {
  if (gauge.suspended || gauge.remaining_micros === 0) return "critical";
  return (percentOf(gauge) ?? 0) >= 90 ? "warning" : null;
}

/** Returns a text such as "Out of credits until 1 March", or the amounts while new runs can start. */
export function headline(gauge: GaugeJson): string {
  const { unit, total_micros, remaining_micros, cycle } = gauge;
  if (gauge.suspended) return "Suspended: no new runs";
  if (total_micros === null || remaining_micros !== 0) return amounts(gauge);
  const [, day, month] = new Date(Date.parse(cycle.ends_at) + LATEST_MIDNIGHT_MS).toUTCString().split(" ");
  const what = unit === "usd" ? `Cap of ${amount(total_micros, unit)} reached` : "Out of credits";
  return resetHelps(gauge) ? `${what} until ${Number(day)} ${month}` : what;
}

/** Whether new runs can draw on something new after the reset: not with an allowance or a cap of 0. */
function resetHelps({ monthly, total_micros }: GaugeJson): boolean {
  return (monthly === null ? total_micros : monthly.allowance_micros) !== 0;
}

/** Returns a text such as "1,240 of 2,000 credits" or "$412.40 of $500.00 cap". */
export function amounts({ unit, used_micros, total_micros }: GaugeJson): string {
  const used = amount(used_micros, unit);
  if (total_micros === null) return `${used} spent`;
  return `${used} of ${amount(total_micros, unit)} ${unit === "usd" ? "cap" : "credits"}`;
}

/** Returns a text such as "resets in 8 days", in hours on the last day. It is empty if the reset adds nothing. */
export function resets(gauge: GaugeJson): string {
  const { as_of, cycle } = gauge;
  const { ends_at, days_remaining: days } = cycle;
  if (!resetHelps(gauge)) return "";
  const hours = Math.max(1, Math.ceil((Date.parse(ends_at) - Date.parse(as_of)) / HOUR_MS));
  const [count, noun] = days > 1 ? [days, "day"] : [hours, "hour"];
  return `resets in ${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Returns a text such as "you: 12 of 50 today" for the fullest budget that limits the reader; empty if none does.
 */
export function ownBudget({ my_budgets = [] }: GaugeJson): string {
  const fullness = ({ used_micros: used, limit_micros: limit }: (typeof my_budgets)[number]) =>
    limit === 0 ? Number.MAX_VALUE : (used ?? 0) / (limit ?? 1);
  const [fullest] = my_budgets
    .filter(({ active, limit_micros: limit }) => active && limit !== null)
    .sort((a, b) => fullness(b) - fullness(a));
  if (fullest === undefined) return "";
  const { used_micros: used, limit_micros: limit, period, unit } = fullest;
  return `you: ${amount(used ?? 0, unit)} of ${amount(limit ?? 0, unit)} ${period === "day" ? "today" : "this cycle"}`;
}

/**
 * Formats an amount. Credits have one decimal below 100 and none from 100 on. US dollars have two decimals. A positive
 * amount never appears as zero.
 */
function amount(micros: number, unit: GaugeJson["unit"]): string {
  const isUsd = unit === "usd";
  const sign = isUsd ? "$" : "";
  const stepsPerUnit = isUsd ? 100 : 10;
  const steps = Math.round(micros / (MICROS / stepsPerUnit));
  if (micros !== 0 && steps === 0) return `<${sign}${1 / stepsPerUnit}`;
  if (isUsd || (steps !== 0 && steps < 1_000)) return sign + print(steps / stepsPerUnit, isUsd ? 2 : 1);
  return print(Math.round(micros / MICROS), 0);
}

function print(value: number, decimals: number): string {
  return value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}
