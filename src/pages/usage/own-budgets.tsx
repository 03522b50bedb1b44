/** What counts for the signed-in person: "Your budget today: 12 of 50 credits". Hidden if no budget limits them. */
import type { FC } from "hono/jsx";
import type { ParsedGauge } from "../../wire/gauge.ts";
import { limitsNow, OwnBudgetLines } from "../kit/budgets.tsx";

export const OwnBudgets: FC<{ gauge: ParsedGauge }> = ({ gauge: { myBudgets } }) => (
  <div id="own-budgets" hidden={!myBudgets?.some(limitsNow)}>
    <OwnBudgetLines budgets={myBudgets ?? []} />
  </div>
);
