/**
 * Checks the sums of budgets for the audit: those in memory against the totals and the outbox, and what runs hold in each
 * dimension against what is held in all. It looks at the 1,000 ids that changed last, so its work is bounded.
 */
import type { BudgetScope } from "../../ledger/budget.ts";
import { dayOf } from "../../ledger/calendar.ts";
import { DIMENSIONS } from "../../ledger/dimensions.ts";
import { UNITS } from "../../ledger/micros.ts";
import { dayMicrosOf } from "../copy/day-totals.ts";
import { loadUsed, placeOf, type Used } from "./budgets.ts";
import type { Ledger } from "./ledger.ts";
import type { OutboxRow } from "./outbox.ts";

const MAX_CHECKED = 1_000;
const MAX_FAULTS = 3;

export type BudgetsChecked = { sums: number; faults: string[] };

/** @param waiting the outbox rows that are not folded into the totals */
export function checkBudgets(ledger: Ledger, waiting: readonly OutboxRow[]): BudgetsChecked {
  const { sql, books, budgets } = ledger;
  const faults: string[] = [];
  const dayStartsAtMs = dayOf(books.cycle, ledger.nowMs());
  // Sums of an earlier day start again at zero with the next charge.
  const isCurrent = ({ startsAtMs: { day, cycle } }: Used) => day === dayStartsAtMs && cycle === books.cycle.startsAtMs;
  const known = [...budgets.used].slice(-MAX_CHECKED).filter(([, used]) => isCurrent(used));
  for (const [place, used] of known) {
    const scope = scopeOf(place);
    const stored = loadUsed(sql, [scope], used.startsAtMs).get(place);
    const expected = stored === undefined ? used : addWaiting(stored, scope, waiting);
    for (const unit of UNITS) {
      for (const period of ["day", "cycle"] as const) {
        const [inMemory, summed] = [used.micros[unit][period], expected.micros[unit][period]];
        if (inMemory !== summed) faults.push(`${place}, ${period} in ${unit}: ${inMemory}, the totals say ${summed}`);
      }
    }
  }
  for (const unit of UNITS) {
    for (const dimension of budgets.held === null ? [] : DIMENSIONS) {
      let sum = 0;
      for (const [place, held] of budgets.held ?? []) if (scopeOf(place).dimension === dimension) sum += held[unit];
      if (sum !== books.held[unit]) faults.push(`held by ${dimension} in ${unit}: ${sum}, in all ${books.held[unit]}`);
    }
  }
  return { sums: known.length, faults: faults.slice(0, MAX_FAULTS) };
}

function addWaiting(stored: Used, scope: BudgetScope, waiting: readonly OutboxRow[]): Used {
  const { startsAtMs } = stored;
  const micros = { credits: { ...stored.micros.credits }, usd: { ...stored.micros.usd } };
  for (const { atMs, timeZone, items } of waiting) {
    for (const { debit } of items) {
      if (debit === null || debit[scope.dimension] !== scope.id) continue;
      const sums = micros[debit.unit];
      if (debit.cycleMs === startsAtMs.cycle) sums.cycle += debit.cycleMicros;
      if (dayOf({ startsAtMs: debit.cycleMs, timeZone }, atMs) === startsAtMs.day) sums.day += dayMicrosOf(debit);
    }
  }
  return { ...stored, micros };
}

function scopeOf(place: string): BudgetScope {
  const [dimension, id] = place.split(" ") as [BudgetScope["dimension"], string];
  const scope = { dimension, id };
  if (placeOf(scope) !== place) throw new Error(`no such id: ${place}`);
  return scope;
}
