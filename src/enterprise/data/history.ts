/**
 * Imports days before the enterprise's first cycle. Each row becomes an item of the outbox that adds what the row has more
 * than the stored one, so totals, cube, copy and exports follow as for debits. No balance changes. The imported days form
 * cycles of calendar months; the last of them ends where the first cycle starts.
 */
import type { CubeCell } from "../../copy/batch.ts";
import { dateOf, daysBetween } from "../../ledger/calendar.ts";
import { cycleAt } from "../../ledger/cycle.ts";
import { KINDS } from "../../ledger/kinds.ts";
import { startOfDate } from "../../ledger/local-date.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import { type FieldError, type Refused, refuse } from "../../ledger/refusals.ts";
import { STANDARD_TIER } from "../../ledger/tiers.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { ImportedRow, ImportRequest } from "../../wire/history.ts";
import type { Change } from "../books/change.ts";
import { NO_MOVES } from "../books/held-sums.ts";
import { firstCycleOf } from "../books/imported-cycles.ts";
import type { Ledger } from "../books/ledger.ts";
import { type OutboxItem, putOutbox } from "../books/outbox.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { isNearlyFull } from "../books/size.ts";
import type { Sql } from "../books/sql.ts";
import { CUBE, cellId } from "../copy/cube.ts";
import { foldPortions } from "../copy/totals.ts";

const MAX_DAYS_BACK = 400;
/**
 * How many changes the copy may lack before an import waits. D1 writes them in a few seconds. Without this limit, debits
 * that arrive during a long import would reach the copy only after all of its rows.
 */
const MAX_BEHIND = 5_000;

/**
 * Folds a part of the outbox, because what is stored is complete only once everything is folded. Returns whether an
 * import may begin. If not, call it again after a pause, in which other calls are answered.
 */
export function prepareImport({ sql, books }: Ledger): boolean {
  // The second portion is empty, unless much is waiting.
  const folded = sql.transaction(() => foldPortions(sql, 2));
  const [oldest] = sql.all("SELECT last_seq FROM outbox_items ORDER BY last_seq LIMIT 1");
  return folded && (oldest === undefined || books.seq - (oldest.last_seq as number) < MAX_BEHIND);
}

/** Imports all rows, or none. */
export function importHistory(ledger: Ledger, { unit, rows }: ImportRequest): { rows: number } | Refused {
  const first = firstCycleOf(ledger);
  const today = dateOf(ledger.nowMs(), first.timeZone);
  const firstDay = dateOf(first.startsAtMs, first.timeZone);
  const errors = rows.flatMap(({ day }, i) => findFault(day, firstDay, today, i));
  if (errors.length > 0) return refuse({ code: "validation_failed", errors });
  // What room is left belongs to reports, grants and refunds.
  if (isNearlyFull(ledger.sql)) return refuse({ code: "ledger_busy" });
  if (!ledger.sql.transaction(() => foldPortions(ledger.sql))) return refuse({ code: "ledger_busy" });
  const startsOf = startsByDay(first.timeZone);
  return ledger.apply((change) => {
    const { sql, erasures } = change.store;
    const cells = new Map<string, CubeCell>();
    for (const row of rows) {
      const { dayStartsAtMs, cycleStartsAtMs } = startsOf(row.day);
      // A person who was erased since then keeps the replacement.
      const { user } = erasures.attribute({ user: row.user, startedAtMs: dayStartsAtMs }, null);
      const cell = cellOf({ ...row, user }, unit, dayStartsAtMs, cycleStartsAtMs);
      cells.set(cellId(cell), cell);
    }
    const stored = new Map(CUBE.loadSame(sql, [...cells.values()]).map((cell) => [cellId(cell), cell]));
    const byDay = new Map<AtMs, { cell: CubeCell; before: CubeCell | undefined }[]>();
    for (const [id, cell] of cells) {
      const before = stored.get(id);
      if (isSame(cell, before)) continue;
      const changed = byDay.get(cell.dayStartsAtMs) ?? [];
      changed.push({ cell, before });
      byDay.set(cell.dayStartsAtMs, changed);
    }
    if (exceedsMonth(sql, [...byDay.values()].flat())) return refuse({ code: "charge_too_large" });
    for (const [dayStartsAtMs, changed] of byDay) {
      const items = changed.map(({ cell, before }) => itemOf(change, cell, before));
      putOutbox(sql, items, dayStartsAtMs, first.timeZone, NO_MOVES);
    }
    if (byDay.size > 0 && getProgress(sql, "imported_before_ms") === 0) {
      setProgress(sql, "imported_before_ms", first.startsAtMs);
    }
    return { rows: rows.length };
  });
}

function findFault(day: string, firstDay: string, today: string, i: number): FieldError[] {
  const path = `rows.${i}.day`;
  if (day >= firstDay) return [{ path, message: `must be before the first cycle, which starts on ${firstDay}` }];
  if (daysBetween(day, today) <= MAX_DAYS_BACK) return [];
  return [{ path, message: `must be at most ${MAX_DAYS_BACK} days ago` }];
}

/** Returns the start of a local day and of its month. Computing one takes longer than storing a row, and many rows share it. */
function startsByDay(timeZone: string): (day: string) => { dayStartsAtMs: AtMs; cycleStartsAtMs: AtMs } {
  const known = new Map<string, { dayStartsAtMs: AtMs; cycleStartsAtMs: AtMs }>();
  return (day) => {
    const stored = known.get(day);
    if (stored !== undefined) return stored;
    const dayStartsAtMs = startOfDate(day, timeZone);
    const starts = { dayStartsAtMs, cycleStartsAtMs: cycleAt(dayStartsAtMs, timeZone, 1).startsAtMs };
    known.set(day, starts);
    return starts;
  };
}

function cellOf(row: ImportedRow, unit: CubeCell["unit"], dayStartsAtMs: AtMs, cycleStartsAtMs: AtMs): CubeCell {
  const { surface, workspace, group, user, model, requests, amountMicros, usage } = row;
  const kinds: CubeCell["kinds"] = {};
  for (const { kind } of KINDS) {
    const quantity = usage[kind] ?? 0;
    // The rows have no prices, so their whole amount is shown under one kind.
    const amount = kind === "input" ? amountMicros : 0;
    if (quantity !== 0 || amount !== 0) kinds[kind] = [quantity, amount];
  }
  return {
    ...{ unit, dayStartsAtMs, cycleStartsAtMs, workspace, group, user, model, tier: STANDARD_TIER, surface },
    ...{ amountMicros, cycleMicros: amountMicros, requests, modelRequests: requests, meterRequests: requests },
    ...{ savingsMicros: 0, kinds, hours: {}, revision: 0 },
  };
}

function isSame(cell: CubeCell, before: CubeCell | undefined): boolean {
  if (before === undefined)
    return cell.amountMicros === 0 && cell.requests === 0 && Object.keys(cell.kinds).length === 0;
  const kinds = KINDS.every(({ kind }) =>
    [0, 1].every((i) => (cell.kinds[kind]?.[i] ?? 0) === (before.kinds[kind]?.[i] ?? 0)),
  );
  return kinds && cell.amountMicros === before.amountMicros && cell.requests === before.requests;
}

/** Returns an item that adds what `cell` has more than `before`. */
function itemOf(change: Change, cell: CubeCell, before: CubeCell | undefined): OutboxItem {
  change.takeSeq();
  const { unit, cycleStartsAtMs, surface, workspace, group, user, model, tier } = cell;
  const micros = cell.amountMicros - (before?.amountMicros ?? 0);
  const requests = cell.requests - (before?.requests ?? 0);
  const kinds: CubeCell["kinds"] = {};
  for (const { kind } of KINDS) {
    const [quantity, amount] = [0, 1].map((i) => (cell.kinds[kind]?.[i] ?? 0) - (before?.kinds[kind]?.[i] ?? 0));
    if (quantity || amount) kinds[kind] = [quantity as number, amount as number];
  }
  return {
    n: change.books.seq,
    run: "",
    debit: {
      ...{ unit, micros, cycleMicros: micros, cycleMs: cycleStartsAtMs, requests },
      ...{ surface, workspace, group, user },
      use: [[model, tier, requests, requests, 0, kinds]],
    },
  };
}

/** Whether the sum of a month would exceed 2^53−1. */
function exceedsMonth(sql: Sql, changed: readonly { cell: CubeCell; before: CubeCell | undefined }[]): boolean {
  const months = new Map<AtMs, bigint>();
  for (const { cell, before } of changed) {
    const known = months.get(cell.cycleStartsAtMs) ?? storedMonth(sql, cell);
    months.set(cell.cycleStartsAtMs, known + BigInt(cell.amountMicros) - BigInt(before?.amountMicros ?? 0));
  }
  return [...months.values()].some((sum) => sum > BigInt(MAX_MICROS));
}

function storedMonth(sql: Sql, { unit, cycleStartsAtMs }: CubeCell): bigint {
  const statement = `SELECT amount_micros FROM totals_cycle
    WHERE unit = ? AND cycle_starts_at_ms = ? AND dimension = 'all' AND id = ''`;
  return BigInt(sql.all(statement, unit, cycleStartsAtMs)[0]?.amount_micros ?? 0);
}
