/**
 * The books at the moment as of which an audit checks them: the balances that the sums of the rows must equal. Loading
 * them reads a fixed number of rows, apart from what is not folded yet, which the audit folds before.
 */
import type { Cycle } from "../../ledger/books.ts";
import { bonusRemaining, monthlyRemaining } from "../../ledger/buckets.ts";
import { MAX_MICROS, type Micros, UNITS, type Unit } from "../../ledger/micros.ts";
import { keptSince } from "../../ledger/retention.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import { type BudgetsChecked, checkBudgets, type HeldChecksums, loadHeldChecksums } from "../books/budget-faults.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadOutbox } from "../books/outbox.ts";
import { getProgress } from "../books/progress.ts";
import { loadWaitingState } from "../books/waiting.ts";
import { cubeGap } from "../copy/cube-gap.ts";
import { loadDeletedSums, oldestKeptCycleMs } from "../copy/old-totals.ts";

export type AuditStart = {
  checkedAtMs: AtMs;
  cycle: Cycle;
  /** What remains of the allowance, and of all usable grants. */
  monthlyMicros: Micros;
  bonusMicros: Micros;
  held: Record<Unit, Micros>;
  capMicros: Micros | null;
  seq: number;
  /** How many outbox items there have been so far. */
  items: number;
  /** The seq of the last entry or outbox row. */
  lastSeq: number;
  /** This cycle's charges by the totals. */
  cycleTotals: Record<Unit, Micros>;
  /** The start of the oldest cycle of which no total is deleted. */
  oldestCycleMs: AtMs;
  /** The sums of deleted hours and days, as decimal strings. */
  deleted: { name: string; micros: string }[];
  /** How many meters wait for a price. Absent in an audit that the last release began. */
  waitingMeters?: number;
  /** The cube has all days and cycles that start later. Absent in an audit that the last release began. */
  cubeSinceMs?: AtMs;
  /** Whether the audit knows pages of older draws. Absent in an audit that the last release began. */
  hasOlderDraws?: true;
  /** How the sums of budgets compare. Absent in an audit that the last release began. */
  budgets?: BudgetsChecked;
  /** What is held by id. Null if that is not known; absent in an audit that the last release began. */
  heldSums?: HeldChecksums | null;
};

export function loadAuditStart(ledger: Ledger): AuditStart {
  const { sql, books } = ledger;
  const { cycle, held, capMicros, seq } = books;
  const nowMs = ledger.nowMs();
  const waiting = loadOutbox(sql, getProgress(sql, "folded"), MAX_MICROS);
  const debits = waiting.flatMap((row) => row.items).flatMap(({ debit }) => debit ?? []);
  const totals = UNITS.map((unit) => {
    const statement =
      "SELECT amount_micros FROM totals_cycle WHERE unit = ? AND cycle_starts_at_ms = ? AND dimension = 'all'";
    const folded = Number(sql.all(statement, unit, cycle.startsAtMs)[0]?.amount_micros ?? 0);
    const counted = debits.filter((debit) => debit.unit === unit && debit.cycleMs === cycle.startsAtMs);
    return [unit, counted.reduce((sum, debit) => sum + debit.cycleMicros, folded)];
  });
  const lastEntry = sql.all("SELECT max(seq) AS seq FROM entries")[0]?.seq ?? 0;
  return {
    checkedAtMs: nowMs,
    cycle,
    monthlyMicros: monthlyRemaining(books),
    bonusMicros: bonusRemaining(books, nowMs),
    held,
    capMicros,
    seq,
    items: getProgress(sql, "items_folded") + waiting.reduce((sum, row) => sum + row.items.length, 0),
    lastSeq: Math.max(lastEntry as number, waiting.at(-1)?.lastSeq ?? 0),
    cycleTotals: Object.fromEntries(totals) as Record<Unit, Micros>,
    oldestCycleMs: oldestKeptCycleMs(ledger, keptSince(nowMs).historyMs),
    deleted: loadDeletedSums(sql).map(({ name, micros }) => ({ name, micros: String(micros) })),
    waitingMeters: loadWaitingState(sql).meters,
    // The first day of a cycle starts at most a day before it, and must be kept too.
    cubeSinceMs: Math.max(cubeGap(ledger)?.untilMs ?? 0, keptSince(nowMs).daysMs + 2 * DAY_MS),
    hasOlderDraws: true,
    budgets: checkBudgets(ledger, waiting),
    heldSums: loadHeldChecksums(ledger, waiting),
  };
}
