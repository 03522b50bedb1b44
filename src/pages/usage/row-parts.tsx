/** Parts of a row of the tables: its trend over the last cycles, and its budgets. */
import type { FC } from "hono/jsx";
import type { Micros, Unit } from "../../ledger/micros.ts";
import type { ParsedBudget } from "../../wire/budget.ts";
import { isBlocking, limitsNow } from "../kit/budgets.tsx";
import { formatAmount, formatCharge } from "../kit/format.ts";

const TREND_HEIGHT = 14;

/** "12 of 50 credits today". Says nothing of a budget that does not count now, or is no limit. */
export const RowBudget: FC<{ budget: ParsedBudget }> = ({ budget }) => {
  const { period, limitMicros, usedMicros, unit } = budget;
  if (!limitsNow(budget) || limitMicros === null) return null;
  const blocks = isBlocking(budget);
  return (
    <small class={blocks ? "budget used-up" : "budget muted"}>
      {formatAmount(usedMicros, unit)} of {formatCharge(limitMicros, unit)} {period === "day" ? "today" : "this cycle"}
      {blocks && (usedMicros < limitMicros ? ": the rest is held" : ": used up")}
    </small>
  );
};

/** Says above the bars of the rows what they are. A screen reader reads it at each bar instead. */
export const TrendHead: FC<{ trends: ReadonlyMap<string, readonly Micros[]> }> = ({ trends }) => {
  const cycles = trends.values().next().value?.length ?? 0;
  return cycles < 2 ? null : (
    <span class="trend-head" aria-hidden="true">
      {cycles} cycles
    </span>
  );
};

/** A bar for each cycle, oldest first. The current cycle is not over, so its bar is hollow. */
export const Trend: FC<{ amounts: readonly Micros[]; unit: Unit; isPast: boolean }> = ({ amounts, unit, isPast }) => {
  const highest = Math.max(...amounts);
  if (amounts.length < 2 || highest <= 0) return null;
  const texts = amounts.map((micros) => formatAmount(micros, unit));
  const before = `${texts.slice(0, -1).join(", ")} in the ${texts.length === 2 ? "cycle" : "cycles"} before`;
  return (
    <svg class="trend" width={amounts.length * 6} height={TREND_HEIGHT} role="img">
      <title>{`${before}, ${texts.at(-1)} in this one`}</title>
      {amounts.map((micros, i) => {
        const height = Math.max(1, Math.round((Math.max(0, micros) / highest) * (TREND_HEIGHT - 1)));
        const isPartial = !isPast && i === amounts.length - 1;
        return (
          <rect
            class={isPartial ? "partial" : undefined}
            x={i * 6 + 0.5}
            y={TREND_HEIGHT - height - 0.5}
            width="4"
            height={height}
          />
        );
      })}
    </svg>
  );
};
