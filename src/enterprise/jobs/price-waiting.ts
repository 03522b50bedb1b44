/**
 * The job that prices meters that have waited for a price (rule R13), in slices. A pass goes over all waiting meters
 * once. If another price, override or multiplier arrives during a pass, another pass follows. Passes also drop usage that
 * has waited for too long, so one runs every day while anything waits.
 */

import { DAY_MS } from "../../ledger/time.ts";
import { loadJob } from "../books/job-rows.ts";
import type { Ledger } from "../books/ledger.ts";
import { PRICE_WAITING, priceWaiting, type WaitingKey } from "../books/pricing.ts";
import { loadWaitingState, noteChecked, waitingNameOf } from "../books/waiting.ts";
import { loadRunRows, writePruned } from "../copy/run-rows.ts";
import type { Platform } from "../platform.ts";
import type { SlicedJob } from "./sliced-job.ts";

/** Pricing a meter takes about 0.05 ms. */
const METERS_PER_SLICE = 100;

/** `wanted` is what had been asked for when the pass began. Null for a job that has not begun. */
type Cursor = { after: WaitingKey | null; wanted: number; priced: number; dropped: number } | null;

export const PRICE_WAITING_JOB: SlicedJob<Cursor, { platform: Platform; ledger: Ledger }> = {
  // Usage that waits must not be given up while the catalog cannot be reached.
  maxFailures: Number.POSITIVE_INFINITY,
  slice: async ({ platform, ledger }, cursor) => {
    const { sql } = ledger;
    const pass = cursor ?? { after: null, wanted: loadWaitingState(sql).wanted, priced: 0, dropped: 0 };
    const { knownVersion } = loadWaitingState(sql);
    const prices = await platform.prices(knownVersion);
    // From here on there is no await: the page, the overrides and the multiplier belong to one moment.
    const { last, priced, dropped } = ledger.apply((change) => {
      const { priceMultiplierMillionths: multiplier } = change.books.settings;
      const waiting = ledger.store.loadWaiting(pass.after, METERS_PER_SLICE);
      const page = priceWaiting(change, waiting, (meter) => {
        const name = waitingNameOf(meter);
        const { tier } = meter;
        return ledger.overrides.apply({ ...prices.find(name, tier), reportedAs: name, tier }, multiplier);
      });
      // A run whose last meter is dropped keeps its summary, like a run whose meters were pruned.
      for (const row of loadRunRows(ledger, page.emptied)) {
        sql.run("UPDATE runs SET pruned = ? WHERE run = ?", writePruned(row), row.run);
      }
      return page;
    });
    const sums = { priced: pass.priced + priced, dropped: pass.dropped + dropped };
    if (last !== null) return { next: { ...pass, ...sums, after: last } };
    const { wanted } = loadWaitingState(sql);
    if (wanted !== pass.wanted) return { next: { ...sums, after: null, wanted } };
    return {
      done: `priced ${sums.priced} meters, dropped ${sums.dropped}`,
      commit: () => noteChecked(sql, ledger.nowMs()),
    };
  },
};

/**
 * Starts a pass if the last one is a day old, something waits, and no pass is running. Each alarm calls this. If it asked
 * for a pass while one runs, another would follow it, and passes and alarms would follow one another without end.
 */
export function startDailyPass(ledger: Ledger): void {
  const { meters, checkedAtMs } = loadWaitingState(ledger.sql);
  if (meters === 0 || ledger.nowMs() - checkedAtMs < DAY_MS) return;
  if (loadJob(ledger.sql, PRICE_WAITING)?.state === "running") return;
  ledger.sql.transaction(() => ledger.startPricing());
}
