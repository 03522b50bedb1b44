/**
 * Folds the journal into absolute totals: by local hour and day with surface, and by cycle with workspace, group and
 * user. Folding takes time in proportion to what changed. Each row carries the seq it is right for as its revision,
 * so writing it anywhere twice, or late, is harmless.
 */

import type { CycleTotal, TimeTotal, Totals } from "../../copy/batch.ts";
import { makeCalendar } from "../../ledger/calendar.ts";
import { loadOutbox, type OutboxRow } from "../books/outbox.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { upsertOf } from "../books/rows.ts";
import type { Sql } from "../books/sql.ts";

const TIME_COLUMNS = ["span", "unit", "starts_at_ms", "surface", "amount_micros", "revision"] as const;
const CYCLE_TOTAL_COLUMNS = [
  "unit",
  "cycle_starts_at_ms",
  "dimension",
  "id",
  "requests",
  "amount_micros",
  "revision",
] as const;

const PUT_TIME = upsertOf("totals_time", TIME_COLUMNS, ["span", "unit", "starts_at_ms", "surface"]);
const PUT_CYCLE = upsertOf("totals_cycle", CYCLE_TOTAL_COLUMNS, ["unit", "cycle_starts_at_ms", "dimension", "id"]);
const LOAD_TIME = `SELECT t.* FROM json_each(?1) AS k JOIN totals_time AS t ON t.span = k.value ->> 0
  AND t.unit = k.value ->> 1 AND t.starts_at_ms = k.value ->> 2 AND t.surface = k.value ->> 3`;
const LOAD_CYCLE = `SELECT t.* FROM json_each(?1) AS k JOIN totals_cycle AS t ON t.unit = k.value ->> 0
  AND t.cycle_starts_at_ms = k.value ->> 1 AND t.dimension = k.value ->> 2 AND t.id = k.value ->> 3`;
const FOLD_ROWS = 1_000;

/** Folds journal rows that are not yet in the totals, oldest first; true when there may be more. */
export function foldOutbox(sql: Sql): boolean {
  const rows = loadOutbox(sql, getProgress(sql, "folded"), FOLD_ROWS);
  foldRows(sql, rows);
  return rows.length === FOLD_ROWS;
}

/** Folds these rows, of which the first may be folded already, and gives the totals that they move, as they now stand. */
export function foldAndTouch(sql: Sql, rows: readonly OutboxRow[]): Totals {
  const folded = getProgress(sql, "folded");
  const fresh = rows.filter((row) => row.lastSeq > folded);
  const touched = foldRows(sql, fresh);
  return fresh.length === rows.length ? touched : loadTouched(sql, rows);
}

function foldRows(sql: Sql, rows: readonly OutboxRow[]): Totals {
  const last = rows.at(-1);
  if (last === undefined) return { time: [], cycle: [] };
  const touched = totalsOf(rows, last.lastSeq);
  addStored(touched, sql);
  sql.run(PUT_TIME, JSON.stringify(touched.time));
  sql.run(PUT_CYCLE, JSON.stringify(touched.cycle));
  const items = rows.reduce((sum, row) => sum + row.items.length, 0);
  setProgress(sql, "folded", last.lastSeq);
  setProgress(sql, "items_folded", getProgress(sql, "items_folded") + items);
  return touched;
}

/** The stored totals that these journal rows have moved, as they stand now. */
function loadTouched(sql: Sql, rows: readonly OutboxRow[]): Totals {
  const keys = totalsOf(rows, 0);
  return {
    time: sql.all(LOAD_TIME, JSON.stringify(keys.time)).map((row) => TIME_COLUMNS.map((c) => row[c]) as TimeTotal),
    cycle: sql
      .all(LOAD_CYCLE, JSON.stringify(keys.cycle))
      .map((row) => CYCLE_TOTAL_COLUMNS.map((c) => row[c]) as CycleTotal),
  };
}

function totalsOf(rows: readonly OutboxRow[], revision: number): Totals {
  const time = new Map<string, TimeTotal>();
  const cycle = new Map<string, CycleTotal>();
  const calendars = new Map<string, ReturnType<typeof makeCalendar>>();
  for (const row of rows) {
    const calendar = calendars.get(row.timeZone) ?? makeCalendar(row.timeZone);
    calendars.set(row.timeZone, calendar);
    const spans = [
      ["hour", calendar.hourStart(row.atMs)],
      ["day", calendar.dayStart(row.atMs)],
    ] as const;
    for (const { debit } of row.items) {
      if (debit === null) continue;
      for (const [span, startsAtMs] of spans) {
        const key = `${span} ${debit.unit} ${startsAtMs} ${debit.surface}`;
        const total = time.get(key) ?? [span, debit.unit, startsAtMs, debit.surface, 0, revision];
        total[4] += debit.micros;
        time.set(key, total);
      }
      for (const [dimension, id] of dimensionsOf(debit)) {
        const key = `${debit.unit} ${debit.cycleMs} ${dimension} ${id}`;
        const total = cycle.get(key) ?? [debit.unit, debit.cycleMs, dimension, id, 0, 0, revision];
        total[4] += debit.requests;
        total[5] += debit.cycleMicros;
        cycle.set(key, total);
      }
    }
  }
  return { time: [...time.values()], cycle: [...cycle.values()] };
}

function dimensionsOf(debit: { workspace: string; group: string; user: string }): [string, string][] {
  return [
    ["all", ""],
    ["workspace", debit.workspace],
    ["group", debit.group],
    ["user", debit.user],
  ];
}

function addStored(touched: Totals, sql: Sql): void {
  const time = new Map(touched.time.map((total) => [total.slice(0, 4).join(" "), total]));
  for (const row of sql.all(LOAD_TIME, JSON.stringify(touched.time))) {
    const total = time.get([row.span, row.unit, row.starts_at_ms, row.surface].join(" "));
    if (total !== undefined) total[4] += row.amount_micros as number;
  }
  const cycle = new Map(touched.cycle.map((total) => [total.slice(0, 4).join(" "), total]));
  for (const row of sql.all(LOAD_CYCLE, JSON.stringify(touched.cycle))) {
    const total = cycle.get([row.unit, row.cycle_starts_at_ms, row.dimension, row.id].join(" "));
    if (total === undefined) continue;
    total[4] += row.requests as number;
    total[5] += row.amount_micros as number;
  }
}
