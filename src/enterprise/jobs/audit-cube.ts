/**
 * The part of the audit that compares the usage cube with the totals: by day, by cycle, and by model. Both sides are read
 * page by page, so each difference is kept as one sum, to which the totals count negatively. The sums are zero at the end
 * if both sides agree.
 */
import { DAY_MS } from "../../ledger/time.ts";
import { formatIso } from "../../wire/time.ts";
import type { SqlRow } from "../books/sql.ts";
import { type AuditNotes, addFault, addTo } from "./audit-notes.ts";
import type { AuditStart } from "./audit-start.ts";

const PREFIX = "cube, ";

/** Adds rows of the cube. */
export function addCells(notes: AuditNotes, rows: readonly SqlRow[], start: AuditStart): void {
  for (const row of rows) {
    addDay(notes, row, row.day_starts_at_ms, 1n, start);
    if (!isComplete(row.cycle_starts_at_ms, start)) continue;
    const kinds = Object.values(JSON.parse(row.kinds as string) as Record<string, [number, number]>);
    addOfCycle(notes, row, {
      amount: toBigInt(row.cycle_micros),
      requests: toBigInt(row.requests),
      "amount by kind": kinds.reduce((sum, [, micros]) => sum + BigInt(micros), -toBigInt(row.cycle_micros)),
      ...modelSums(row, 1n),
    });
  }
}

/** Adds totals by model and tier. */
export function addModelTotals(notes: AuditNotes, rows: readonly SqlRow[], start: AuditStart): void {
  for (const row of rows) {
    if (isComplete(row.cycle_starts_at_ms, start)) addOfCycle(notes, row, modelSums(row, -1n));
  }
}

/** Adds the total of a day by surface. */
export function addDayTotal(notes: AuditNotes, row: SqlRow, start: AuditStart): void {
  addDay(notes, row, row.starts_at_ms, -1n, start);
}

/** Adds the total of a cycle. */
export function addCycleTotal(
  notes: AuditNotes,
  row: SqlRow,
  { amount, requests }: { amount: bigint; requests: bigint },
  start: AuditStart,
): void {
  if (isComplete(row.cycle_starts_at_ms, start)) addOfCycle(notes, row, { amount: -amount, requests: -requests });
}

/** Adds a fault for each sum that is not zero. */
export function compareCube(notes: AuditNotes): void {
  for (const [name, sum] of Object.entries(notes.sums)) {
    if (!name.startsWith(PREFIX) || sum === "0") continue;
    addFault(notes, "cube", `${name.slice(PREFIX.length)}: the cube differs from the totals by ${sum}`);
  }
}

function addDay(notes: AuditNotes, row: SqlRow, dayMs: unknown, side: bigint, start: AuditStart): void {
  if (!isComplete(dayMs, start)) return;
  const of = `${row.surface} in ${row.unit}`;
  const micros = side * toBigInt(row.amount_micros);
  addTo(notes, `${PREFIX}days, ${of}`, micros);
  // Weighted by the day, because an amount on a wrong day does not change the sum of all days.
  addTo(notes, `${PREFIX}order of days, ${of}`, micros * BigInt(Math.floor((dayMs as number) / DAY_MS)));
}

function addOfCycle(notes: AuditNotes, row: SqlRow, sums: Record<string, bigint>): void {
  const cycle = formatIso(row.cycle_starts_at_ms as number);
  for (const [what, sum] of Object.entries(sums)) addTo(notes, `${PREFIX}${what} of ${cycle} in ${row.unit}`, sum);
}

function modelSums(row: SqlRow, side: bigint): Record<string, bigint> {
  return {
    "amount by model": side * toBigInt(row.cycle_micros),
    "runs by model": side * toBigInt(row.model_requests),
    savings: side * toBigInt(row.savings_micros),
  };
}

/** Whether the cube has everything of a day or cycle with this start: all was recorded with it, and nothing is deleted. */
function isComplete(startsAtMs: unknown, { cubeSinceMs }: AuditStart): boolean {
  return cubeSinceMs !== undefined && (startsAtMs as number) > cubeSinceMs;
}

function toBigInt(value: unknown): bigint {
  return BigInt(value as number);
}
