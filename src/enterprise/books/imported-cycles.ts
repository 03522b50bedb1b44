/**
 * The calendar months of imported history, which are before the enterprise's first cycle. The last of them ends where the
 * first cycle starts. They have totals like cycles, but no row in the table of cycles.
 */
import type { Span } from "../../ledger/calendar.ts";
import { cycleAt } from "../../ledger/cycle.ts";
import { type Micros, UNITS, type Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "./ledger.ts";
import { getProgress } from "./progress.ts";

type ImportedCycle = Span & { usedMicros: Record<Unit, Micros>; requests: number };

/** Returns the start and the time zone of the first cycle, as they were when history was first imported. */
export function firstCycleOf({ sql, store, books }: Ledger): { startsAtMs: AtMs; timeZone: string } {
  const importedMs = getProgress(sql, "imported_before_ms");
  const startsAtMs = importedMs || (store.loadFirstCycleStartMs() ?? books.cycle.startsAtMs);
  return { startsAtMs, timeZone: store.loadFirstCycleZone() ?? books.cycle.timeZone };
}

/** Returns the imported month that starts at this time; null if there is none. */
export function findImportedCycle(ledger: Ledger, startsAtMs: AtMs): Span | null {
  const [found] = listImportedCycles(ledger, startsAtMs + 1, 1);
  return found?.startsAtMs === startsAtMs ? { startsAtMs, endsAtMs: found.endsAtMs } : null;
}

/** Lists the imported months that start before this time, newest first. Totals must be folded. */
export function listImportedCycles(ledger: Ledger, beforeMs: AtMs, limit: number): ImportedCycle[] {
  const { sql } = ledger;
  const importedMs = getProgress(sql, "imported_before_ms");
  if (importedMs === 0) return [];
  const { timeZone } = firstCycleOf(ledger);
  const cycles: ImportedCycle[] = [];
  for (let before = Math.min(beforeMs, importedMs); cycles.length < limit; ) {
    const statement =
      "SELECT max(cycle_starts_at_ms) AS at_ms FROM totals_cycle WHERE unit = ? AND cycle_starts_at_ms < ?";
    const starts = UNITS.map((unit) => Number(sql.all(statement, unit, before)[0]?.at_ms ?? 0));
    const startsAtMs = Math.max(...starts);
    if (startsAtMs === 0) break;
    const endsAtMs = Math.min(cycleAt(startsAtMs, timeZone, 1).endsAtMs, importedMs);
    const cycle: ImportedCycle = { startsAtMs, endsAtMs, usedMicros: { credits: 0, usd: 0 }, requests: 0 };
    const sums = `SELECT unit, requests, amount_micros FROM totals_cycle WHERE unit IN ('credits', 'usd')
      AND cycle_starts_at_ms = ? AND dimension = 'all' AND id = ''`;
    for (const { unit, requests, amount_micros } of sql.all(sums, startsAtMs)) {
      cycle.usedMicros[unit as Unit] = amount_micros as Micros;
      cycle.requests += requests as number;
    }
    cycles.push(cycle);
    before = startsAtMs;
  }
  return cycles;
}
