/** The billing cycles of an enterprise, as readers list them: the current one and those that have ended. */
import { creditsUsed } from "../../ledger/balance.ts";
import type { Cycle } from "../../ledger/books.ts";
import type { Span } from "../../ledger/calendar.ts";
import type { Micros } from "../../ledger/micros.ts";
import { keptSince } from "../../ledger/retention.ts";
import type { AtMs } from "../../ledger/time.ts";
import { oldestKeptCycleMs } from "../copy/old-totals.ts";
import { foldOutbox } from "../copy/totals.ts";
import { findImportedCycle, listImportedCycles } from "./imported-cycles.ts";
import type { Ledger } from "./ledger.ts";
import { tryStoring } from "./try-storing.ts";

export type ListedCycle = Span & {
  allowanceMicros: Micros;
  monthlyUsedMicros: Micros;
  bonusUsedMicros: Micros;
  /** What no credit had covered by the end of the cycle; 0 for the current one. */
  debtWrittenOffMicros: Micros;
  creditsUsedMicros: Micros;
  spendUsedMicros: Micros;
  /** The cap at the end of the cycle; null if there was none, or if the cycle ended before caps were kept. */
  capMicros: Micros | null;
  /** Runs whose first report arrived in the cycle. */
  requests: number;
  /** True for a month of imported history. */
  imported: boolean;
};

/** Loads cycles that have ended and whose totals are kept (rule R10), newest first. Tables of an older one are empty. */
export function loadKeptCycles(ledger: Ledger, beforeMs: AtMs, limit: number): Cycle[] {
  const sinceMs = oldestKeptCycleMs(ledger, keptSince(ledger.nowMs()).historyMs);
  return ledger.store.loadCyclePage(beforeMs, limit).filter(({ startsAtMs }) => startsAtMs >= sinceMs);
}

/** Returns the cycle that starts at this time; null if there is none, or if it is no longer kept. */
export function findCycle(ledger: Ledger, startsAtMs: AtMs): Span | null {
  const { cycle } = ledger.books;
  const found = cycle.startsAtMs === startsAtMs ? cycle : loadKeptCycles(ledger, startsAtMs + 1, 1)[0];
  if (found?.startsAtMs !== startsAtMs) return findImportedCycle(ledger, startsAtMs);
  return { startsAtMs, endsAtMs: found.endsAtMs };
}

/** Returns the cycles that started before this time, newest first, with one more than `limit` if there are more. */
export function listCycles(ledger: Ledger, beforeMs: AtMs, limit: number): ListedCycle[] {
  const { sql, books } = ledger;
  tryStoring(() => sql.transaction(() => foldOutbox(sql)));
  const { cycle } = books;
  const isCurrentListed = cycle.startsAtMs < beforeMs;
  const ended = loadKeptCycles(ledger, Math.min(beforeMs, cycle.startsAtMs), isCurrentListed ? limit : limit + 1);
  const cycles = isCurrentListed ? [cycle, ...ended] : ended;
  const starts = JSON.stringify(cycles.map(({ startsAtMs }) => startsAtMs));
  const caps = new Map(
    sql
      .all("SELECT starts_at_ms, cap_micros FROM cycles WHERE starts_at_ms IN (SELECT value FROM json_each(?))", starts)
      .map((row) => [row.starts_at_ms as AtMs, row.cap_micros as Micros | null]),
  );
  const requests = new Map(
    sql
      .all(
        `SELECT cycle_starts_at_ms, sum(requests) AS requests FROM totals_cycle WHERE unit IN ('credits', 'usd')
          AND cycle_starts_at_ms IN (SELECT value FROM json_each(?)) AND dimension = 'all' AND id = '' GROUP BY 1`,
        starts,
      )
      .map((row) => [row.cycle_starts_at_ms as AtMs, row.requests as number]),
  );
  const missing = limit + 1 - cycles.length;
  const imported = missing > 0 ? listImportedCycles(ledger, beforeMs, missing).map(importedCycle) : [];
  const listed = cycles.map((listed) => {
    const isCurrent = listed === cycle;
    const capMicros = isCurrent ? books.capMicros : (caps.get(listed.startsAtMs) ?? null);
    return listedCycle(listed, isCurrent, capMicros, requests.get(listed.startsAtMs) ?? 0);
  });
  return [...listed, ...imported];
}

function importedCycle({ usedMicros, requests, ...span }: ReturnType<typeof listImportedCycles>[number]): ListedCycle {
  return {
    ...span,
    allowanceMicros: 0,
    monthlyUsedMicros: 0,
    bonusUsedMicros: 0,
    debtWrittenOffMicros: 0,
    creditsUsedMicros: usedMicros.credits,
    spendUsedMicros: usedMicros.usd,
    capMicros: null,
    requests,
    imported: true,
  };
}

function listedCycle(cycle: Cycle, isCurrent: boolean, capMicros: Micros | null, requests: number): ListedCycle {
  return {
    startsAtMs: cycle.startsAtMs,
    endsAtMs: cycle.endsAtMs,
    allowanceMicros: cycle.allowanceMicros,
    monthlyUsedMicros: cycle.monthlyUsedMicros,
    bonusUsedMicros: cycle.bonusUsedMicros,
    debtWrittenOffMicros: isCurrent ? 0 : cycle.debtMicros,
    creditsUsedMicros: creditsUsed({ cycle }),
    spendUsedMicros: cycle.spendUsedMicros,
    capMicros,
    requests,
    imported: false,
  };
}
