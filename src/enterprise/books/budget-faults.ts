/**
 * Checks the sums of budgets in memory for the audit, against the totals and the outbox. It looks at 1,000 ids in memory, so
 * its work is bounded. It also says what the audit must know to compare all sums of holds.
 */
import type { BudgetScope } from "../../ledger/budget.ts";
import { dayOf } from "../../ledger/calendar.ts";
import type { Dimension } from "../../ledger/dimensions.ts";
import { UNITS, type Unit } from "../../ledger/micros.ts";
import { dayMicrosOf } from "../copy/day-totals.ts";
import { type Account, loadSums, type Sums } from "./budgets.ts";
import { weighted } from "./checksum.ts";
import { addUnits, isComplete, movesFor, movesOf, placeOf } from "./held-sums.ts";
import type { Ledger } from "./ledger.ts";
import type { OutboxRow } from "./outbox.ts";
import { getProgress } from "./progress.ts";

const MAX_CHECKED = 1_000;
const MAX_FAULTS = 3;

export type BudgetsChecked = { sums: number; faults: string[] };

/** @param waiting the outbox rows that are not folded into the totals */
export function checkBudgets(ledger: Ledger, waiting: readonly OutboxRow[]): BudgetsChecked {
  const { sql, books, budgets } = ledger;
  const faults: string[] = [];
  const dayStartsAtMs = dayOf(books.cycle, ledger.nowMs());
  // Sums of an earlier day start again at zero with the next charge.
  const isCurrent = ({ startsAtMs: { day, cycle } }: Sums) => day === dayStartsAtMs && cycle === books.cycle.startsAtMs;
  const known = budgets.loaded
    .filter((account): account is Account & { sums: Sums } => account.sums !== null && isCurrent(account.sums))
    .slice(-MAX_CHECKED);
  const holdsKnown = isComplete(sql, getProgress(sql, "folded")) && waiting.every(({ held }) => held !== null);
  for (const { dimension, id, sums } of known) {
    const scope = { dimension, id };
    const place = placeOf(scope);
    const stored = loadSums(sql, [scope], sums.startsAtMs).get(place);
    const expected = stored === undefined ? sums : addWaiting(stored, scope, waiting);
    for (const unit of UNITS) {
      for (const period of ["day", "cycle"] as const) {
        const [inMemory, summed] = [sums.micros[unit][period], expected.micros[unit][period]];
        if (inMemory !== summed) faults.push(`${place}, ${period} in ${unit}: ${inMemory}, the totals say ${summed}`);
      }
      const [inMemory, summed] = [sums.held[unit], expected.held[unit]];
      if (holdsKnown && inMemory !== summed) {
        faults.push(`held by ${place} in ${unit}: ${inMemory}, the sums of holds say ${summed}`);
      }
    }
  }
  return { sums: known.length, faults: faults.slice(0, MAX_FAULTS) };
}

function addWaiting(stored: Sums, scope: BudgetScope, waiting: readonly OutboxRow[]): Sums {
  const { startsAtMs } = stored;
  const micros = { credits: { ...stored.micros.credits }, usd: { ...stored.micros.usd } };
  let { held } = stored;
  for (const { atMs, timeZone, items, held: moves } of waiting) {
    held = addUnits(held, movesFor(moves, scope));
    for (const { debit } of items) {
      if (debit === null || debit[scope.dimension] !== scope.id) continue;
      const sums = micros[debit.unit];
      if (debit.cycleMs === startsAtMs.cycle) sums.cycle += debit.cycleMicros;
      if (dayOf({ startsAtMs: debit.cycleMs, timeZone }, atMs) === startsAtMs.day) sums.day += dayMicrosOf(debit);
    }
  }
  return { ...stored, micros, held };
}

export type HeldChecksums = {
  /** The sums of what the outbox adds to the stored sums, as decimal strings. */
  waiting: Record<string, string>;
  /** The revision of the directory, which says where a run without a report counts. */
  namesRevision: number;
};

/** Returns what the audit must know of its start; null if the sums are not known, because there is no budget. */
export function loadHeldChecksums({ sql }: Ledger, waiting: readonly OutboxRow[]): HeldChecksums | null {
  const known = isComplete(sql, getProgress(sql, "folded")) && waiting.every(({ held }) => held !== null);
  if (!known) return null;
  const sums = new Map<string, bigint>();
  for (const { dimension, id, micros } of waiting.flatMap(({ held }) => movesOf(held))) {
    for (const unit of UNITS) {
      const { weightedSum, sum } = heldNames(dimension, unit);
      sums.set(weightedSum, (sums.get(weightedSum) ?? 0n) + weighted(id, micros[unit]));
      sums.set(sum, (sums.get(sum) ?? 0n) + BigInt(micros[unit]));
    }
  }
  const shown = [...sums].map(([name, sum]) => [name, String(sum)] as const);
  return { waiting: Object.fromEntries(shown), namesRevision: getProgress(sql, "names_revision") };
}

/** The names of the sum over all ids, and of the sum that is weighted by id. */
export function heldNames(dimension: Dimension, unit: Unit): { sum: string; weightedSum: string } {
  return { sum: `held by ${dimension}s in ${unit}`, weightedSum: `held by each ${dimension} in ${unit}` };
}
