/**
 * Sums what the outbox adds to the usage cube, before it is stored. Many debits change the same few cells. This file knows
 * how items are summed, but not when they are folded.
 */
import type { CubeCell, ModelTotal, Totals } from "../../copy/batch.ts";
import { calendarOf } from "../../ledger/calendar.ts";
import type { Kind } from "../../ledger/kinds.ts";
import { limitSum } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { OutboxDebit, OutboxRow, OutboxUse } from "../books/outbox.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import type { Sql } from "../books/sql.ts";
import { logChanges } from "../data/export-log.ts";
import {
  addCell,
  addKinds,
  addModel,
  addStored,
  CUBE,
  cellId,
  cellKey,
  MODEL_TOTALS,
  modelKey,
  NO_USE,
} from "./cube.ts";

type Cube = Pick<Totals, "cells" | "models">;

const MINUTE_MS = 60_000;

/**
 * What outbox rows add to each row of the cube that they change. Many debits change the same few rows, so each of them
 * adds to its row in place.
 */
export class CubeSums {
  readonly #cells = new Map<string, CubeCell>();
  /** The time of the first row, and of the last one that an earlier release wrote. */
  #firstMs = 0;
  #withoutUseMs = 0;

  /** How many cells the rows change. */
  get size(): number {
    return this.#cells.size;
  }

  add(row: OutboxRow): void {
    const calendar = calendarOf(row.timeZone);
    const dayStartsAtMs = calendar.dayStart(row.atMs);
    const minute = (calendar.hourStart(row.atMs) - dayStartsAtMs) / MINUTE_MS;
    this.#firstMs ||= row.atMs;
    for (const { debit } of row.items) {
      if (debit === null) continue;
      if (debit.use === undefined) {
        this.#withoutUseMs = Math.max(this.#withoutUseMs, row.atMs);
        continue;
      }
      for (let i = 0; i < debit.use.length; i++) {
        const use = debit.use[i] as OutboxUse;
        addUse(cellOf(this.#cells, debit, use, dayStartsAtMs), debit, use, i === 0, minute);
      }
    }
  }

  /** Adds the sums to the cube. Returns all of its rows that they affect, as now stored. */
  store(sql: Sql, revision: number): Cube {
    this.#noteGap(sql);
    const touched = this.#touched(revision);
    const cells = CUBE.loadSame(sql, touched.cells);
    const models = MODEL_TOTALS.loadSame(sql, touched.models);
    addStored(cells, touched.cells, cellKey, addCell);
    addStored(models, touched.models, modelKey, addModel);
    CUBE.write(sql, touched.cells, cells, cellKey);
    MODEL_TOTALS.write(sql, touched.models, models, modelKey);
    logChanges(sql, "usage", touched.cells.map(cellId));
    setProgress(sql, "cube_folded", revision);
    return touched;
  }

  /** Loads the rows of the cube that the sums affect, as they are stored. */
  load(sql: Sql): Cube {
    const { cells, models } = this.#touched(0);
    return { cells: CUBE.loadSame(sql, cells), models: MODEL_TOTALS.loadSame(sql, models) };
  }

  /**
   * Notes up to when debits are missing from the cube, before the rows are folded: until the last of these rows that an
   * earlier release wrote, or until the first of them if an earlier release has folded others.
   */
  #noteGap(sql: Sql): void {
    const isBehind = getProgress(sql, "cube_folded") !== getProgress(sql, "folded");
    const lastMs = Math.max(this.#withoutUseMs, isBehind ? this.#firstMs : 0);
    if (lastMs > getProgress(sql, "before_cube_ms")) setProgress(sql, "before_cube_ms", lastMs);
  }

  #touched(revision: number): Cube {
    const models = new Map<string, ModelTotal>();
    for (const cell of this.#cells.values()) {
      cell.revision = revision;
      cell.kinds = addKinds(cell.kinds, {});
      const key = modelKey(cell);
      const known = models.get(key);
      if (known === undefined) models.set(key, modelOf(cell));
      else addModel(known, cell);
    }
    return { cells: [...this.#cells.values()], models: [...models.values()] };
  }
}

/** Returns the row that this use changes, with what was added to it so far. */
function cellOf(
  cells: Map<string, CubeCell>,
  { unit, cycleMs: cycleStartsAtMs, workspace, group, user, surface }: OutboxDebit,
  [model, tier]: OutboxUse,
  dayStartsAtMs: AtMs,
): CubeCell {
  const ids = { unit, dayStartsAtMs, cycleStartsAtMs, workspace, group, user, model, tier, surface };
  const key = cellKey(ids);
  const known = cells.get(key);
  if (known !== undefined) return known;
  const cell = { ...ids, ...NO_USE, kinds: {}, hours: {}, revision: 0 };
  cells.set(key, cell);
  return cell;
}

/** The first use of a debit has its charge. A second one only corrects quantities and counts. */
function addUse(cell: CubeCell, debit: OutboxDebit, use: OutboxUse, isFirst: boolean, minute: number): void {
  const [, , modelRequests, meterRequests, savingsMicros, kinds] = use;
  cell.modelRequests += modelRequests;
  cell.meterRequests += meterRequests;
  cell.savingsMicros = limitSum(cell.savingsMicros + savingsMicros);
  for (const kind in kinds) {
    const [quantity, micros] = kinds[kind as Kind] as [number, number];
    const sum = cell.kinds[kind as Kind];
    if (sum === undefined) cell.kinds[kind as Kind] = [quantity, micros];
    else {
      sum[0] = limitSum(sum[0] + quantity);
      sum[1] += micros;
    }
  }
  if (!isFirst) return;
  cell.amountMicros = limitSum(cell.amountMicros + debit.micros);
  cell.cycleMicros += debit.cycleMicros;
  cell.requests += debit.requests;
  if (debit.micros !== 0) cell.hours[minute] = (cell.hours[minute] ?? 0) + debit.micros;
}

function modelOf(cell: CubeCell): ModelTotal {
  const { unit, cycleStartsAtMs, model, tier, cycleMicros, modelRequests, savingsMicros, kinds, revision } = cell;
  return { unit, cycleStartsAtMs, model, tier, cycleMicros, modelRequests, savingsMicros, kinds, revision };
}
