/**
 * Reads what the enterprise's plan gives from the catalog, before a turn that the alarm or a test clock runs (rule R7).
 * If the catalog does not respond in time, the turn uses what was read last.
 */
import { findTerms, type Plan, termsOf } from "../ledger/plans.ts";
import type { AtMs } from "../ledger/time.ts";
import type { Ledger } from "./books/ledger.ts";
import type { Platform } from "./platform.ts";
import { within } from "./within.ts";

const MAX_WAIT_MS = 2_000;

type Deps = { ledger: Ledger; platform: Pick<Platform, "plans" | "defer" | "log"> };

/** Reads the plan's terms if the cycle ends by `untilMs`. Never throws because of the catalog. */
export async function learnPlanBefore(untilMs: AtMs, { ledger, platform }: Deps): Promise<void> {
  if (!ledger.provisioned || untilMs < ledger.books.cycle.endsAtMs) return;
  let plans: Awaited<ReturnType<Platform["plans"]>>;
  try {
    plans = await within(platform.defer, MAX_WAIT_MS, platform.plans());
  } catch (error) {
    platform.log.warn({ event: "plans_not_read", enterprise: ledger.id, error: String(error) });
    return;
  }
  learnPlan(ledger, plans);
}

/** Stores the terms that the plan has in the catalogue. They apply from the next turn. */
function learnPlan(ledger: Ledger, plans: readonly Plan[]): void {
  const { settings } = ledger.books;
  const planTerms = findTerms(plans, settings.plan);
  if (planTerms === undefined || JSON.stringify(planTerms) === JSON.stringify(termsOf(settings))) return;
  ledger.putSettings({ ...settings, planTerms });
}
