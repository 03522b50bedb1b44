/** The billing cycles of an enterprise that readers may ask for: the current one and those that have ended. */
import type { Span } from "../../ledger/calendar.ts";
import type { AtMs } from "../../ledger/time.ts";
import { findImportedCycle } from "./imported-cycles.ts";
import type { Ledger } from "./ledger.ts";

/** Returns the cycle that starts at this time; null if there is none. */
export function findCycle(ledger: Ledger, startsAtMs: AtMs): Span | null {
  const { books, store } = ledger;
  const { cycle } = books;
  const found = cycle.startsAtMs === startsAtMs ? cycle : store.loadCyclePage(startsAtMs + 1, 1)[0];
  if (found?.startsAtMs !== startsAtMs) return findImportedCycle(ledger, startsAtMs);
  return { startsAtMs, endsAtMs: found.endsAtMs };
}
