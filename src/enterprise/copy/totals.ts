/**
 * Folds the outbox into absolute totals. One table has totals by surface for each local hour and day. The other has
 * totals by workspace, group and user for each cycle. The cost of folding is proportional to the number of changes. The
 * revision of a total is the seq up to which it is complete, so writing it to the copy twice or late is harmless.
 */
import type { CycleTotal, TimeTotal, TotalDimension, Totals } from "../../copy/batch.ts";
import type { Surface } from "../../ledger/books.ts";
import { calendarOf } from "../../ledger/calendar.ts";
import { limitSum, type Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { foldHeld, NO_MOVES } from "../books/held-sums.ts";
import { loadOutbox, loadOutboxPortion, type OutboxDebit, type OutboxRow } from "../books/outbox.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";
import { Table } from "../books/table.ts";
import { CubeSums } from "./cube-sums.ts";
import { addDay, dayMicrosOf, type StoredTotal } from "./day-totals.ts";

const MAX_FOLDED_ROWS = 1_000;
/** Folding this much takes a few milliseconds. */
const MAX_FOLDED_CHARS = 500_000;
const MAX_PORTIONS = 8;

export const TIME_TOTALS = new Table<TimeTotal>({
  name: "totals_time",
  key: {
    span: (total) => total.span,
    unit: (total) => total.unit,
    starts_at_ms: (total) => total.startsAtMs,
    surface: (total) => total.surface,
  },
  changing: {
    amount_micros: (total) => total.amountMicros,
    revision: (total) => total.revision,
  },
  read: (row) => ({
    span: row.span as TimeTotal["span"],
    unit: row.unit as Unit,
    startsAtMs: row.starts_at_ms as number,
    surface: row.surface as Surface,
    amountMicros: row.amount_micros as number,
    revision: row.revision as number,
  }),
});

export const CYCLE_TOTALS = new Table<StoredTotal>({
  name: "totals_cycle",
  key: {
    unit: (total) => total.unit,
    cycle_starts_at_ms: (total) => total.cycleStartsAtMs,
    dimension: (total) => total.dimension,
    id: (total) => total.id,
  },
  changing: {
    requests: (total) => total.requests,
    amount_micros: (total) => total.amountMicros,
    day_starts_at_ms: (total) => total.dayStartsAtMs,
    day_micros: (total) => total.dayMicros,
    revision: (total) => total.revision,
  },
  read: (row) => ({
    unit: row.unit as Unit,
    cycleStartsAtMs: row.cycle_starts_at_ms as number,
    dimension: row.dimension as TotalDimension,
    id: row.id as string,
    requests: row.requests as number,
    amountMicros: row.amount_micros as number,
    dayStartsAtMs: row.day_starts_at_ms as number,
    dayMicros: row.day_micros as number,
    revision: row.revision as number,
  }),
});

type Touched = { time: TimeTotal[]; cycle: StoredTotal[] };

/** Folds the oldest outbox rows that are not in the totals yet. Returns true if there may be more. */
export function foldOutbox(sql: Sql): boolean {
  const rows = loadOutbox(sql, getProgress(sql, "folded"), MAX_FOLDED_ROWS);
  foldRows(sql, rows);
  return rows.length === MAX_FOLDED_ROWS;
}

/**
 * Folds the oldest outbox rows that are not in the totals yet, in a bounded number of portions. Returns whether all of
 * them are folded.
 */
export function foldPortions(sql: Sql, maxPortions = MAX_PORTIONS): boolean {
  for (let portion = 0; portion < maxPortions; portion++) {
    const rows = loadOutboxPortion(sql, getProgress(sql, "folded"), MAX_FOLDED_ROWS, MAX_FOLDED_CHARS);
    if (rows.length === 0) return true;
    foldRows(sql, rows);
  }
  return false;
}

/** Loads the totals of hours or days after a key of unit, start and surface, in the order of that key. */
export function loadTimeTotals(
  sql: Sql,
  span: TimeTotal["span"],
  after: readonly (string | number)[] | null,
  limit: number,
): TimeTotal[] {
  const beyond = after === null ? "" : "AND (unit, starts_at_ms, surface) > (?, ?, ?)";
  const statement = `SELECT * FROM totals_time WHERE span = ? ${beyond} ORDER BY unit, starts_at_ms, surface LIMIT ?`;
  return sql.all(statement, span, ...(after ?? []), limit).map(TIME_TOTALS.read);
}

/** Loads the totals of cycles after a key of unit, cycle, dimension and id, in the order of that key. */
export function loadCycleTotals(sql: Sql, after: readonly (string | number)[] | null, limit: number): CycleTotal[] {
  const beyond = after === null ? "" : "WHERE (unit, cycle_starts_at_ms, dimension, id) > (?, ?, ?, ?)";
  const order = "ORDER BY unit, cycle_starts_at_ms, dimension, id LIMIT ?";
  return sql.all(`SELECT * FROM totals_cycle ${beyond} ${order}`, ...(after ?? []), limit).map(CYCLE_TOTALS.read);
}

function foldRows(sql: Sql, rows: readonly OutboxRow[]): void {
  if (rows.length === 0) return;
  const sums = new Sums();
  for (const row of rows) sums.add(row);
  sums.store(sql);
}

/** What outbox rows add to the totals and to the usage cube, summed before it is stored. */
export class Sums {
  readonly #time = new Map<string, TimeTotal>();
  readonly #cycle = new Map<string, StoredTotal>();
  readonly #cube = new CubeSums();
  readonly #held: { held: string | null }[] = [];
  #items = 0;
  #lastSeq = 0;

  /** How many rows of the totals and of the cube the sums change. */
  get size(): number {
    return this.#time.size + this.#cycle.size + this.#cube.size;
  }

  /** Adds an outbox row. Rows must be added in their order. */
  add(row: OutboxRow): void {
    const calendar = calendarOf(row.timeZone);
    const hour = calendar.hourStart(row.atMs);
    const day = calendar.dayStart(row.atMs);
    for (const { debit } of row.items) {
      if (debit === null) continue;
      addToTime(this.#time, "hour", hour, debit);
      addToTime(this.#time, "day", day, debit);
      const onDay = { dayStartsAtMs: Math.max(debit.cycleMs, day), dayMicros: dayMicrosOf(debit) };
      // The id under which a debit counts in each dimension.
      addToCycle(this.#cycle, "all", "", debit, onDay);
      addToCycle(this.#cycle, "workspace", debit.workspace, debit, onDay);
      addToCycle(this.#cycle, "group", debit.group, debit, onDay);
      addToCycle(this.#cycle, "user", debit.user, debit, onDay);
    }
    this.#cube.add(row);
    if (row.held !== NO_MOVES) this.#held.push({ held: row.held });
    this.#items += row.items.length;
    this.#lastSeq = row.lastSeq;
  }

  /** Folds the rows: adds the sums to what is stored. Returns all totals that they affect, as now stored. Call this once. */
  store(sql: Sql): Totals {
    const revision = this.#lastSeq;
    const touched: Touched = { time: [...this.#time.values()], cycle: [...this.#cycle.values()] };
    for (const total of [...touched.time, ...touched.cycle]) total.revision = revision;
    const time = TIME_TOTALS.loadSame(sql, touched.time);
    const cycle = CYCLE_TOTALS.loadSame(sql, touched.cycle);
    addStored(touched, { time, cycle });
    TIME_TOTALS.write(sql, touched.time, time, timeKey);
    CYCLE_TOTALS.write(sql, touched.cycle, cycle, cycleKey);
    const cube = this.#cube.store(sql, revision);
    foldHeld(sql, this.#held, getProgress(sql, "folded"), revision);
    setProgress(sql, "folded", revision);
    setProgress(sql, "items_folded", getProgress(sql, "items_folded") + this.#items);
    return { ...touched, ...cube };
  }

  /** Loads all totals that the rows affect, as they are stored. */
  load(sql: Sql): Totals {
    return {
      time: TIME_TOTALS.loadSame(sql, [...this.#time.values()]),
      cycle: CYCLE_TOTALS.loadSame(sql, [...this.#cycle.values()]),
      ...this.#cube.load(sql),
    };
  }
}

function addToTime(
  totals: Map<string, TimeTotal>,
  span: TimeTotal["span"],
  startsAtMs: AtMs,
  { unit, surface, micros }: OutboxDebit,
): void {
  const ids = { span, unit, startsAtMs, surface };
  const key = timeKey(ids);
  const known = totals.get(key);
  if (known === undefined) totals.set(key, { ...ids, amountMicros: micros, revision: 0 });
  else known.amountMicros = limitSum(known.amountMicros + micros);
}

function addToCycle(
  totals: Map<string, StoredTotal>,
  dimension: TotalDimension,
  id: string,
  { unit, cycleMs: cycleStartsAtMs, requests, cycleMicros }: OutboxDebit,
  day: Pick<StoredTotal, "dayStartsAtMs" | "dayMicros">,
): void {
  const ids = { unit, cycleStartsAtMs, dimension, id };
  const key = cycleKey(ids);
  const known = totals.get(key);
  if (known === undefined) {
    totals.set(key, { ...ids, requests, amountMicros: cycleMicros, ...day, revision: 0 });
    return;
  }
  known.requests += requests;
  known.amountMicros += cycleMicros;
  addDay(known, day);
}

function addStored(touched: Touched, stored: Touched): void {
  const time = new Map(touched.time.map((total) => [timeKey(total), total]));
  for (const more of stored.time) {
    const total = time.get(timeKey(more));
    if (total !== undefined) total.amountMicros = limitSum(total.amountMicros + more.amountMicros);
  }
  const cycle = new Map(touched.cycle.map((total) => [cycleKey(total), total]));
  for (const more of stored.cycle) {
    const total = cycle.get(cycleKey(more));
    if (total !== undefined) addCycleTotal(total, more);
  }
}

/** Adds another total of the same cycle, except for its revision. */
export function addCycleTotal(total: StoredTotal, more: StoredTotal): void {
  total.requests += more.requests;
  total.amountMicros += more.amountMicros;
  // `addDay` wants the earlier day first. `total` may be of a later day than `more`.
  const day = { ...more };
  addDay(day, total);
  total.dayStartsAtMs = day.dayStartsAtMs;
  total.dayMicros = day.dayMicros;
}

function timeKey({ span, unit, startsAtMs, surface }: Omit<TimeTotal, "amountMicros" | "revision">): string {
  return `${span} ${unit} ${startsAtMs} ${surface}`;
}

function cycleKey(total: Pick<CycleTotal, "unit" | "cycleStartsAtMs" | "dimension" | "id">): string {
  return `${total.unit} ${total.cycleStartsAtMs} ${total.dimension} ${total.id}`;
}
