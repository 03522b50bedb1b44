/** A new enterprise: its identity, and its books at the start of the cycle in which it is created. */
import { type Books, type Settings, unitOf } from "../../ledger/books.ts";
import { cycleAt } from "../../ledger/cycle.ts";
import { freshCycle } from "../../ledger/due.ts";
import { NO_GRANTS } from "../../ledger/grant-list.ts";
import { noneNotified } from "../../ledger/thresholds.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Enterprise } from "./enterprise-row.ts";

export function newEnterprise(id: string, settings: Settings, nowMs: AtMs, testClockMs: AtMs | null): Enterprise {
  const cycle = freshCycle({ settings }, cycleAt(nowMs, settings.timeZone, settings.anchorDay));
  const books: Books = {
    settings,
    cycle,
    grants: NO_GRANTS,
    held: { credits: 0, usd: 0 },
    overdue: { credits: 0, usd: 0 },
    capMicros: null,
    notified: noneNotified(cycle.startsAtMs, unitOf(settings.billingModel)),
    seq: 1,
  };
  return { identity: { id, createdAtMs: nowMs, testClockMs, demo: false, lastAtMs: nowMs }, books };
}
