// What was charged while D1 is down is folded in the background, so budgets do not wait for D1.
import { expect, it } from "vitest";
import { budgetStates, setBudget } from "../../../src/enterprise/books/budget-commands.ts";
import { getProgress } from "../../../src/enterprise/books/progress.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { HOUR_MS, report, settings } from "../../support/books.ts";
import { stubPlatform } from "../stub-platform.ts";

const KEY = { dimension: "user", id: "u1", period: "cycle" } as const;

function open() {
  const copy = new CopyDb(() => Promise.reject(new Error("D1 is down")));
  const platform = stubPlatform({ copy });
  const core = new EnterpriseCore(platform);
  const complete = settings({ allowanceOverrideMicros: 1_000_000_000 });
  core.management.provision("acme", complete, complete, null);
  return { platform, core, ledger: core.ledger };
}

it("folds in portions while D1 is down for hours, and then a budget knows at once what was used", async () => {
  const { platform, core, ledger } = open();
  setBudget(ledger, KEY, { limitMicros: 900_000_000, action: "block" }, "operator");
  for (let hour = 0; hour < 4; hour++) {
    for (let i = 0; i < 1_200; i++) {
      ledger.debit([report(1, { run: `r${hour}-${i}`, startedAtMs: platform.nowMs })]);
    }
    platform.nowMs += HOUR_MS;
    await core.alarm();
    await expect.poll(() => getProgress(ledger.sql, "folded")).toBe(ledger.books.seq);
  }
  await expect.poll(() => platform.alarms.at(-1)).toBeLessThanOrEqual(platform.nowMs + 5_000);
  expect(platform.sql.all("SELECT count(*) AS rows FROM outbox_items")[0]?.rows).toBe(4_800);
  ledger.budgets.clear();
  expect(budgetStates(ledger, [KEY])).toMatchObject([{ usedMicros: 4_800 }]);
});
