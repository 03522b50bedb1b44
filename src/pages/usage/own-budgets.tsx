/** What counts for the signed-in person: "Your budget today: 12 of 50 credits". Hidden if no budget limits them. */
import type { FC } from "hono/jsx";
import type { ParsedGauge } from "../../wire/gauge.ts";
import { isBlocking, ownBudgetText } from "../kit/budgets.tsx";

export const OwnBudgets: FC<{ gauge: ParsedGauge }> = ({ gauge }) => {
  const limited = (gauge.myBudgets ?? []).filter(({ active, limitMicros }) => active && limitMicros !== null);
  return (
    <div id="own-budgets" hidden={limited.length === 0}>
      {limited.map((budget) => (
        <p class={isBlocking(budget) ? "notice conflict" : "notice"}>
          {ownBudgetText(budget)}
          {isBlocking(budget) ? "; no new run of yours starts." : ""}
        </p>
      ))}
    </div>
  );
};
